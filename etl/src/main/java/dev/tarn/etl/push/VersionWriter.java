package dev.tarn.etl.push;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Eviction;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.util.LongAccumulator;

/** Makes a version of a planned one: mints its name, writes its rows and reads them back. */
final class VersionWriter {

  private static final int ROWS_PER_TASK = 500_000;

  /** A delta's rows are few: a task for each core would cost more than the rows take. */
  private static final int DELTA_ROWS_PER_TASK = 20_000;

  /** Long rows make small buckets, so that a bucket is read in one go. */
  static final int BYTES_PER_BUCKET = 64 << 10;

  private static final int SAMPLE = 1_000;

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final PushSettings settings;
  private final Console console;

  VersionWriter(
      Lake lake,
      RedisServers redis,
      VersionStore versions,
      PushSettings settings,
      Console console) {
    this.lake = lake;
    this.redis = redis;
    this.versions = versions;
    this.settings = settings;
    this.console = console;
  }

  /**
   * Chooses a name that nobody else writes under, after a look at whether Redis has the room.
   *
   * @throws TarnException if Redis lacks the room
   */
  MintedVersion mint(PlannedVersion plan, Leases leases) {
    String view = plan.view().name();
    VersionRecord planned = plan.planned();
    long about = plan.aboutRows();
    Dataset<Row> encoded = encode(plan, planned);
    double rowBytes = averageBytes(encoded);
    int rowsPerBucket =
        (int) Math.max(1, Math.min(settings.rowsPerBucket(), BYTES_PER_BUCKET / rowBytes));
    int buckets = Math.toIntExact(1 + Math.max(0, about - 1) / rowsPerBucket);
    new MemoryCheck(redis).check(view, about, rowBytes, buckets);
    String version = versions.mint(view, buckets, settings.lease());
    leases.hold(view, version, buckets);
    return new MintedVersion(
        plan,
        planned.toBuilder().setVersion(version).setBuckets(buckets).build(),
        encoded,
        tasks(plan));
  }

  /** Writes every row next to what is released. */
  WrittenVersion write(MintedVersion minted) {
    VersionRecord record = minted.record();
    Instant start = Instant.now();
    LongAccumulator progress = lake.spark().sparkContext().longAccumulator("rows pushed");
    Buckets own = Layers.ownBuckets(redis.settings().keys(), record);
    BucketWriter writer =
        new BucketWriter(
            redis,
            own,
            new RestoreProbe(redis).isTaken(own.keyPrefix()),
            settings.expireUnreleased().toMillis(),
            settings.rowsPerSecond() / Math.min(minted.tasks(), defaultParallelism()),
            progress);
    JavaRDD<InternalRow> sorted = EncodedRows.byBucket(minted.encoded(), own, minted.tasks());
    List<WrittenBuckets> written;
    try (Pulse pulse = showWriting(minted, progress, start)) {
      written = sorted.mapPartitions(writer).collect();
    }
    Duration writing = Duration.between(start, Instant.now());
    long rows = written.stream().mapToLong(WrittenBuckets::rows).sum();
    // Without events yet, a live view's base is empty, and the live cells have them all.
    if (rows == 0 && minted.plan().delta().isEmpty() && !record.hasLive()) {
      throw Planning.withoutRows(minted.view(), minted.plan().snapshot());
    }
    if (writing.compareTo(settings.expireUnreleased()) > 0) {
      throw new TarnException(
          "%s: writing took %d min, and unreleased rows expire after %d (push.expire-unreleased)"
              .formatted(
                  minted.view(), writing.toMinutes(), settings.expireUnreleased().toMinutes()));
    }
    VersionRecord.Builder counted = record.toBuilder().setOwnRows(rows).setRows(rows);
    counted.addAllSampleRows(StoredRows.samples(written, record.getBuckets()));
    return new WrittenVersion(minted, counted.build(), written, writing);
  }

  /**
   * Reads every row back and lets the rows stay. May be done again.
   *
   * @throws TarnException that names rows, if any is not as it was written
   */
  ReadBackVersion readBack(WrittenVersion version) {
    Instant start = Instant.now();
    PlannedVersion plan = version.minted().plan();
    VersionRecord record = version.record();
    List<WrittenBuckets> written = version.written();
    String view = plan.view().name();
    console.progress("%s: reading %s back", view, Plural.of(record.getOwnRows(), "row"));
    Layers layers = Layers.of(redis.settings().keys(), record);
    ReadBack reader = new ReadBack(redis, layers);
    ReadBack.Result found =
        new JavaSparkContext(lake.spark().sparkContext())
                .parallelize(written, Math.max(1, written.size()))
                .mapPartitions(reader)
                .collect()
                .stream()
                .reduce(ReadBack.Result.NONE, ReadBack.Result::plus);
    // The lease is renewed first: if another push took this one for dead, it removed the rows that
    // are gone. And whoever discards the version from here on removes its rows. A push that lost
    // its version before would otherwise let rows stay that nobody knows of.
    if (!versions.renew(view, record.getVersion(), record.getBuckets(), settings.lease())) {
      throw Leases.lost(view, record.getVersion(), settings.lease());
    }
    if (!found.differing().isEmpty()) {
      throw new TarnException(
          "%s: %,d of %s %s written, so version %s is not released%s:\n  %s"
              .formatted(
                  view,
                  found.differing().size(),
                  Plural.of(written.stream().mapToInt(WrittenBuckets::size).sum(), "bucket"),
                  Plural.choose(
                      found.differing().size(),
                      "is not in Redis as it was",
                      "are not in Redis as they were"),
                  record.getVersion(),
                  evictions(),
                  String.join(
                      "\n  ",
                      new Differences(redis, layers.get(0).buckets())
                          .describe(version.minted().encoded(), found.differing()))));
    }
    VersionRecord.Builder complete = record.toBuilder();
    plan.delta()
        .ifPresent(
            overlay ->
                complete.setRows(overlay.base().getRows() + found.added() - found.removed()));
    int filled = written.stream().mapToInt(WrittenBuckets::size).sum();
    // Fewer, also if they were persisted before: then the rows say whether all are still there.
    if (versions.persist(record) != filled
        && new StoredRows(redis, versions).count(record) != record.getOwnRows()) {
      throw new TarnException(
          "%s: after rows of version %s were read back, some of them have gone from Redis, so it is not released%s"
              .formatted(view, record.getVersion(), evictions()));
    }
    complete.setCreatedAt(Timestamps.fromMillis(versions.now().toEpochMilli()));
    return new ReadBackVersion(
        Optional.of(version),
        plan.table(),
        complete.build(),
        Duration.between(start, Instant.now()),
        plan.seen());
  }

  /** Says that a server removes rows, if one does. */
  private String evictions() {
    return redis.info("memory").entrySet().stream()
        .filter(server -> Eviction.of(server.getValue()).takesUnreleased())
        .findFirst()
        .map(
            server ->
                ". Redis at %s removes keys when it is full (maxmemory-policy = %s)"
                    .formatted(server.getKey(), Eviction.of(server.getValue()).policy()))
        .orElse("");
  }

  private Dataset<Row> encode(PlannedVersion plan, VersionRecord planned) {
    // Where a table stores changes, an entity's row goes on being given until a record ends it.
    Column eventTimestamp =
        planned.getCarriesForward()
            ? functions.coalesce(
                functions.col(FeatureView.PRESENT_UNTIL), functions.lit(plan.extent().newest()))
            : functions.col(FeatureView.EVENT_TIMESTAMP);
    return plan.delta()
        .map(overlay -> overlay.rows(eventTimestamp, planned))
        .orElseGet(
            () ->
                EncodedRows.of(
                    SnapshotRows.of(lake, plan.table(), plan.snapshot().snapshotId()),
                    plan.view(),
                    eventTimestamp,
                    planned));
  }

  /** Averages the bytes of an id with its row over a sample. */
  private static double averageBytes(Dataset<Row> encoded) {
    return encoded.selectExpr("length(id) + length(row)").takeAsList(SAMPLE).stream()
        .mapToInt(row -> row.getInt(0))
        .average()
        .orElse(1);
  }

  private int tasks(PlannedVersion plan) {
    long about = plan.aboutRows();
    int tasks = (int) Math.max(defaultParallelism(), about / ROWS_PER_TASK);
    return plan.delta().isPresent()
        ? (int) Math.max(1, Math.min(tasks, about / DELTA_ROWS_PER_TASK))
        : tasks;
  }

  private int defaultParallelism() {
    return lake.spark().sparkContext().defaultParallelism();
  }

  private Pulse showWriting(MintedVersion minted, LongAccumulator done, Instant start) {
    long about = minted.plan().aboutRows();
    return new Pulse(
        () -> {
          double seconds = Duration.between(start, Instant.now()).toMillis() / 1000.0;
          double speed = done.value() / seconds;
          String left =
              done.value() == 0
                  ? ""
                  : ", about %,.0f s left".formatted(Math.max(0, about - done.value()) / speed);
          console.progress(
              "%s: %,d of about %s written, %,.0f rows/s%s",
              minted.view(), done.value(), Plural.of(about, "row"), speed, left);
        });
  }
}
