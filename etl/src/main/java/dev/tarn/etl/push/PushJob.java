package dev.tarn.etl.push;

import com.google.gson.JsonObject;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Console;
import dev.tarn.etl.EntityIds;
import dev.tarn.etl.Failures;
import dev.tarn.etl.Lake;
import dev.tarn.etl.Pulse;
import dev.tarn.etl.build.FeatureTable;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.read.SnapshotRows;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredService;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.Release;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.util.LongAccumulator;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Copies the newest row of every entity in one snapshot of a feature table to Redis as a new
 * version, and makes it the one that lookups answer from.
 *
 * <p>The rows go from Spark's tasks straight to Redis, next to what is being served and under a
 * name of their own; the release at the end is one compare-and-set. Whatever fails before it, what
 * was released is still served, and what had been written is removed, by this push or by the next.
 * Pushing what is released already changes nothing.
 */
public final class PushJob {

  private static final String ID = "_tarn_id";
  private static final String BUCKET = "_tarn_bucket";
  private static final int ROWS_PER_TASK = 500_000;

  /**
   * What a push did.
   *
   * @param pushed false: the snapshot was released already
   * @param bytes of entity ids and encoded rows
   */
  public record Outcome(
      Manifest manifest, boolean pushed, long bytes, Duration writing, Duration took) {}

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final Console console;
  private final int rowsPerBucket;
  private final int keep;

  /** Of the failed push: while they run, what they wrote can't be removed for good. */
  private boolean haveTasksEnded = true;

  public PushJob(Lake lake, RedisServers redis, Settings settings, Console console) {
    this.lake = lake;
    this.redis = redis;
    this.versions = new VersionStore(redis);
    this.console = console;
    this.rowsPerBucket = settings.read(tarn -> atLeastOne(tarn.getInt("push.rows-per-bucket")));
    this.keep = settings.read(tarn -> atLeastOne(tarn.getInt("push.keep")));
  }

  /** The command {@code push}. */
  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    Definitions definitions = Definitions.load(settings);
    FeatureView view = definitions.view(line.text("view"));
    RedisServers redis = RedisServers.connect(settings.read(RedisSettings::of));
    try (Lake lake = Lake.open(settings)) {
      Outcome outcome =
          new PushJob(lake, redis, settings, console)
              .push(view, services(definitions, view), line.optional("snapshot"));
      if (asJson) {
        console.result(json(outcome));
      }
    }
  }

  /** The feature services that a push of this view stores for the servers. */
  public static List<StoredService> services(Definitions definitions, FeatureView view) {
    return definitions.services().stream()
        .filter(service -> service.uses(view))
        .map(ManifestBuilder::of)
        .toList();
  }

  /**
   * Pushes and releases.
   *
   * @param snapshotOrTag what to push; empty: the newest snapshot of main
   * @throws TarnException if nothing was built, Redis fails or a newer snapshot is released
   */
  public Outcome push(
      FeatureView view, List<StoredService> services, Optional<String> snapshotOrTag) {
    Instant start = Instant.now();
    FeatureTable table =
        FeatureTable.find(lake, view.name())
            .filter(found -> found.main().isPresent())
            .orElseThrow(
                () ->
                    new TarnException(
                        "nothing has been built of '%s' yet: ./tarn build view=%s as-of=…"
                            .formatted(view.name(), view.name())));

    // 1. Remove what dead pushes left behind.
    versions
        .giveUpAbandoned(view.name())
        .forEach(
            (version, buckets) -> {
              versions.remove(view.name(), version, buckets);
              untag(table, version);
            });

    // 2. Pin the snapshot: whatever is built from here on is not part of this push.
    Snapshot snapshot =
        snapshotOrTag.map(table::published).orElseGet(() -> table.main().orElseThrow());
    Manifest wanted = ManifestBuilder.of(view, table, snapshot);
    Optional<Release> released = versions.released(view.name());
    Optional<Manifest> serving =
        released.flatMap(release -> versions.manifest(view.name(), release.version()));
    if (serving.isPresent() && ManifestBuilder.sameAnswers(serving.get(), wanted)) {
      console.say(
          "%s: snapshot %d is released already, as %s",
          view.name(), snapshot.snapshotId(), released.get().version());
      for (String service : versions.storeServices(view.name(), services)) {
        console.say("feature service %s is stored anew", service);
      }
      return new Outcome(
          serving.get(), false, 0, Duration.ZERO, Duration.between(start, Instant.now()));
    }
    refuseOlder(wanted, serving);

    // 3. Mint a version: a name that nobody else writes under.
    Dataset<Row> rows = rows(view, snapshot);
    Row extent = extent(rows);
    if (extent.isNullAt(1)) {
      throw new TarnException(
          "%s: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
              .formatted(view.name(), snapshot.snapshotId()));
    }
    int buckets = Math.toIntExact(1 + (extent.getLong(0) - 1) / rowsPerBucket);
    Timestamp asOf = Timestamps.fromMicros(Values.micros(extent.getInstant(1)));
    String version = mint(view.name(), buckets);
    Outcome outcome;
    try {
      // 4. Write every row next to what is being served.
      Instant writing = Instant.now();
      Manifest planned =
          wanted.toBuilder().setVersion(version).setBuckets(buckets).setAsOf(asOf).build();
      BucketWriter.Written written = write(view, rows, planned, extent.getLong(0));
      Duration wrote = Duration.between(writing, Instant.now());

      // 5. Release it, with its snapshot tagged so that Iceberg's expiry leaves it alone.
      Manifest manifest =
          planned.toBuilder()
              .setRows(written.rows())
              .setCreatedAt(Timestamps.fromMillis(System.currentTimeMillis()))
              .build();
      tag(table, manifest);
      release(manifest, services, released);

      Duration took = Duration.between(start, Instant.now());
      report(manifest, written, wrote, took);
      outcome = new Outcome(manifest, true, written.bytes(), wrote, took);
    } catch (TarnException e) {
      throw discard(view.name(), version, buckets, table, e);
    } catch (Exception e) { // Scala does not declare what it throws
      throw discard(view.name(), version, buckets, table, explain(view.name(), e));
    }

    // 6. Prune the versions that are no longer kept.
    try {
      prune(view.name(), table);
    } catch (RuntimeException e) {
      // The push is done: to fail it now would only have it retried.
      console.say(
          "%s: older versions could not be removed now (%s); the next push will",
          view.name(), Failures.reason(e));
    }
    return outcome;
  }

  private static int atLeastOne(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("push.rows-per-bucket and push.keep are at least 1");
    }
    return value;
  }

  private static void refuseOlder(Manifest wanted, Optional<Manifest> serving) {
    if (serving.isPresent() && serving.get().getSequenceNumber() > wanted.getSequenceNumber()) {
      throw new TarnException(
          "%s: snapshot %d is older than the released one, %d (version %s); not pushed"
              .formatted(
                  wanted.getFeatureView(),
                  wanted.getSnapshotId(),
                  serving.get().getSnapshotId(),
                  serving.get().getVersion()));
    }
  }

  private Dataset<Row> rows(FeatureView view, Snapshot snapshot) {
    return SnapshotRows.of(lake, view.name(), snapshot.snapshotId())
        .withColumn(ID, EntityIds.of(view.entity()));
  }

  /** About how many entities there are, and the newest as-of. */
  private static Row extent(Dataset<Row> rows) {
    return rows.agg(
            functions.approx_count_distinct(functions.col(ID), 0.02),
            functions.max(functions.col(FeatureView.EVENT_TIMESTAMP)))
        .head();
  }

  private String mint(String view, int buckets) {
    try {
      return versions.mint(view, buckets);
    } catch (JedisDataException e) {
      throw explain(view, e);
    }
  }

  private BucketWriter.Written write(
      FeatureView view, Dataset<Row> rows, Manifest manifest, long about) {
    int tasks =
        (int) Math.max(lake.spark().sparkContext().defaultParallelism(), about / ROWS_PER_TASK);
    Column bucket = functions.col(BUCKET);
    // One shuffle puts an entity's rows of all as-ofs side by side, newest first, within its
    // bucket.
    Dataset<Row> sorted =
        rows.withColumn(BUCKET, EntityIds.bucket(functions.col(ID), manifest.getBuckets()))
            .repartition(tasks, bucket)
            .sortWithinPartitions(
                bucket, functions.col(ID), functions.col(FeatureView.EVENT_TIMESTAMP).desc());
    List<RowEncoder.Column> features = new ArrayList<>();
    manifest
        .getFeaturesList()
        .forEach(
            feature -> {
              int ordinal = sorted.schema().fieldIndex(feature.getName());
              features.add(
                  new RowEncoder.Column(ordinal, sorted.schema().fields()[ordinal].dataType()));
            });
    LongAccumulator progress = lake.spark().sparkContext().longAccumulator("rows pushed");
    BucketWriter writer =
        new BucketWriter(
            redis.topology(),
            redis.settings().keys().bucketPrefix(view.name(), manifest.getVersion()),
            sorted.schema().fieldIndex(BUCKET),
            sorted.schema().fieldIndex(ID),
            sorted.schema().fieldIndex(FeatureView.EVENT_TIMESTAMP),
            Timestamps.toMicros(manifest.getAsOf()),
            features,
            progress);
    JavaRDD<InternalRow> internal = sorted.queryExecution().toRdd().toJavaRDD();
    try (Pulse pulse = pulse(manifest, progress, about);
        RunningTasks running = new RunningTasks(lake.spark().sparkContext())) {
      try {
        return internal.mapPartitions(writer).collect().stream()
            .reduce(new BucketWriter.Written(0, 0), BucketWriter.Written::plus);
      } catch (Exception e) { // Scala does not declare SparkException
        haveTasksEnded = running.awaitNone(VersionStore.LEASE);
        throw e;
      }
    }
  }

  /**
   * Shows the progress and keeps the version's lease. If that fails Redis is in trouble: the tasks
   * meet the same and the push ends with their failure, or the lease runs out and the push finds
   * that out when it completes the version.
   */
  private Pulse pulse(Manifest manifest, LongAccumulator progress, long about) {
    String view = manifest.getFeatureView();
    Instant[] renewed = {Instant.now()};
    return new Pulse(
        () -> {
          console.progress("%s: %,d of about %,d rows", view, progress.value(), about);
          if (Instant.now().isAfter(renewed[0].plus(VersionStore.LEASE.dividedBy(6)))) {
            versions.renew(view, manifest.getVersion(), manifest.getBuckets());
            renewed[0] = Instant.now();
          }
        });
  }

  private void release(
      Manifest manifest, List<StoredService> services, Optional<Release> seenBefore) {
    if (!versions.complete(manifest)) {
      throw new TarnException(
          "%s: this push stalled for over %d s, so another one removed its version %s"
              .formatted(
                  manifest.getFeatureView(),
                  VersionStore.LEASE.toSeconds(),
                  manifest.getVersion()));
    }
    Optional<Release> seen = seenBefore;
    Release next =
        new Release(manifest.getVersion(), Instant.ofEpochMilli(System.currentTimeMillis()));
    while (!versions.release(manifest, seen, next, services)) {
      // Another push was quicker: ours goes on only if its snapshot is the newer one.
      seen = versions.released(manifest.getFeatureView());
      refuseOlder(
          manifest, seen.flatMap(r -> versions.manifest(manifest.getFeatureView(), r.version())));
    }
  }

  private void prune(String view, FeatureTable table) {
    List<Manifest> complete = versions.manifests(view);
    for (Manifest old : complete.subList(Math.min(keep, complete.size()), complete.size())) {
      // The released version refuses this.
      if (versions.retire(old)) {
        versions.remove(view, old.getVersion(), old.getBuckets());
        untag(table, old.getVersion());
      }
    }
  }

  private static void tag(FeatureTable table, Manifest manifest) {
    table.changeRefs(
        refs -> refs.createTag(tagOf(manifest.getVersion()), manifest.getSnapshotId()));
  }

  private static void untag(FeatureTable table, String version) {
    Table iceberg = table.iceberg();
    iceberg.refresh();
    if (iceberg.refs().containsKey(tagOf(version))) {
      table.changeRefs(refs -> refs.removeTag(tagOf(version)));
    }
  }

  private static String tagOf(String version) {
    return "tarn-" + version;
  }

  /** Removes what this push has written and returns the failure to throw. */
  private TarnException discard(
      String view, String version, int buckets, FeatureTable table, TarnException failure) {
    try {
      Optional<Manifest> complete = versions.manifest(view, version);
      if (complete.isPresent() && !versions.retire(complete.get())) {
        // Only the answer to the release was lost, not the release.
        return new TarnException(
            "%s\n  version %s is released nevertheless".formatted(failure.getMessage(), version),
            failure);
      }
      if (!haveTasksEnded) {
        throw new TarnException("tasks of this push are still running");
      }
      versions.remove(view, version, buckets);
      untag(table, version);
      return failure;
    } catch (RuntimeException e) {
      return new TarnException(
          "%s\n  version %s could not be removed now (%s); the next push will"
              .formatted(failure.getMessage(), version, Failures.reason(e)),
          failure);
    }
  }

  private TarnException explain(String view, Exception e) {
    String address = redis.settings().address();
    String served = "what was released is still served";
    if (Failures.has(e, JedisConnectionException.class)) {
      return new TarnException(
          "%s: Redis at %s was lost during the push, which was given up; %s: %s"
              .formatted(view, address, served, Failures.reason(e)),
          e);
    }
    if (Failures.has(e, JedisDataException.class) && Failures.reason(e).contains("OOM")) {
      return new TarnException(
          "%s: Redis at %s is full (maxmemory), so the push was given up; %s. Raise maxmemory, or keep fewer versions (push.keep)"
              .formatted(view, address, served),
          e);
    }
    return new TarnException(
        "push of %s failed; %s: %s".formatted(view, served, Failures.reason(e)), e);
  }

  private void report(
      Manifest manifest, BucketWriter.Written written, Duration writing, Duration took) {
    double seconds = Math.max(1, writing.toMillis()) / 1000.0;
    console.say(
        "%s: snapshot %d is released as %s: %,d rows in %.1f s (%,.0f rows/s, %.0f bytes a row), %.1f s in all",
        manifest.getFeatureView(),
        manifest.getSnapshotId(),
        manifest.getVersion(),
        written.rows(),
        seconds,
        written.rows() / seconds,
        (double) written.bytes() / Math.max(1, written.rows()),
        took.toMillis() / 1000.0);
  }

  private static String json(Outcome outcome) {
    Manifest manifest = outcome.manifest();
    JsonObject object = new JsonObject();
    object.addProperty("feature_view", manifest.getFeatureView());
    object.addProperty("version", manifest.getVersion());
    object.addProperty("snapshot_id", Long.toString(manifest.getSnapshotId()));
    object.addProperty("as_of", Timestamps.toString(manifest.getAsOf()));
    object.addProperty("pushed", outcome.pushed());
    object.addProperty("rows", manifest.getRows());
    object.addProperty("bytes", outcome.bytes());
    object.addProperty("write_seconds", outcome.writing().toMillis() / 1000.0);
    object.addProperty("seconds", outcome.took().toMillis() / 1000.0);
    return object.toString();
  }
}
