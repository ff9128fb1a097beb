package dev.tarn.etl.push;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.Retention;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.Manifest;
import dev.tarn.redis.Release;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.util.LongAccumulator;

/** One view of a push: its pinned snapshot and, step by step, the version made of it. */
final class ViewPush {

  private static final int ROWS_PER_TASK = 500_000;

  /** Long rows make small buckets, so that a bucket is read in one go. */
  private static final int BYTES_PER_BUCKET = 64 << 10;

  private static final int SAMPLE = 1_000;

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final PushSettings settings;
  private final Console console;
  private final FeatureView view;
  private final FeatureTable table;
  private final Snapshot snapshot;

  /** But for what only writing tells: version, buckets, rows. */
  private final Manifest wanted;

  private final Extent extent;
  private final Optional<Delta> delta;

  private Dataset<Row> encoded;
  private Manifest manifest;
  private int tasks;
  private List<WrittenBuckets> written = List.of();
  private long bytes;
  private Duration writing = Duration.ZERO;
  private Duration readingBack = Duration.ZERO;
  private Optional<Release> seen;

  ViewPush(
      Lake lake,
      RedisServers redis,
      PushSettings settings,
      Console console,
      FeatureView view,
      FeatureTable table,
      Snapshot snapshot,
      Extent extent,
      Manifest wanted,
      Optional<Delta> delta,
      Optional<Release> seen) {
    this.lake = lake;
    this.redis = redis;
    this.versions = new VersionStore(redis);
    this.settings = settings;
    this.console = console;
    this.view = view;
    this.table = table;
    this.snapshot = snapshot;
    this.extent = extent;
    this.wanted = wanted;
    this.delta = delta;
    this.seen = seen;
  }

  /**
   * Chooses a name that nobody else writes under, after a look at whether Redis has the room, and
   * has Iceberg keep the snapshot.
   */
  void mint(Leases leases) {
    Manifest.Builder planned =
        wanted.toBuilder().setAsOf(Timestamps.fromMicros(Values.micros(extent.newest())));
    delta.ifPresent(overlay -> planned.setBase(Layers.asBase(overlay.base())));
    long about = aboutRows();
    encoded = encode(planned.build());
    double rowBytes = averageBytes();
    int rowsPerBucket =
        (int) Math.max(1, Math.min(settings.rowsPerBucket(), BYTES_PER_BUCKET / rowBytes));
    int buckets = Math.toIntExact(1 + Math.max(0, about - 1) / rowsPerBucket);
    new MemoryCheck(redis).check(view.name(), about, rowBytes, buckets);
    tasks = (int) Math.max(lake.spark().sparkContext().defaultParallelism(), about / ROWS_PER_TASK);
    if (delta.isPresent()) {
      // A task for each core would cost more than the few rows take.
      tasks = (int) Math.max(1, Math.min(tasks, about / 20_000));
    }
    String version = versions.mint(view.name(), buckets, settings.lease());
    leases.hold(view.name(), version, buckets);
    manifest = planned.setVersion(version).setBuckets(buckets).build();
    new Retention(versions).tag(table, version, snapshot.snapshotId());
  }

  /** Writes every row next to what is being served. */
  void write() {
    Instant start = Instant.now();
    LongAccumulator progress = lake.spark().sparkContext().longAccumulator("rows pushed");
    Buckets own = Layers.ownBuckets(redis.settings().keys(), manifest);
    BucketWriter writer =
        new BucketWriter(
            redis,
            own,
            new RestoreProbe(redis).isTaken(own.keyPrefix()),
            settings.expireUnreleased().toMillis(),
            settings.rowsPerSecond() / Math.min(tasks, defaultParallelism()),
            progress);
    JavaRDD<InternalRow> sorted = EncodedRows.byBucket(encoded, own, tasks);
    long about = aboutRows();
    try (Pulse pulse = progress("written", progress, about, start)) {
      written = sorted.mapPartitions(writer).collect();
    }
    writing = Duration.between(start, Instant.now());
    long rows = written.stream().mapToLong(WrittenBuckets::rows).sum();
    bytes = written.stream().mapToLong(WrittenBuckets::bytes).sum();
    if (rows == 0 && delta.isEmpty()) {
      throw new TarnException(
          "%s: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
              .formatted(view.name(), snapshot.snapshotId()));
    }
    if (writing.compareTo(settings.expireUnreleased()) > 0) {
      throw new TarnException(
          "%s: writing took %d min, and unreleased rows expire after %d (push.expire-unreleased)"
              .formatted(
                  view.name(), writing.toMinutes(), settings.expireUnreleased().toMinutes()));
    }
    manifest = manifest.toBuilder().setOwnRows(rows).setRows(rows).build();
  }

  /**
   * Reads every row back and lets the rows stay. May be done again.
   *
   * @throws TarnException that names rows, if any is not as it was written
   */
  void readBack() {
    Instant start = Instant.now();
    console.progress("%s: reading %,d rows back", view.name(), manifest.getOwnRows());
    Layers layers = Layers.of(redis.settings().keys(), manifest);
    ReadBack reader = new ReadBack(redis, layers);
    ReadBack.Result found =
        new JavaSparkContext(lake.spark().sparkContext())
                .parallelize(written, Math.max(1, written.size()))
                .mapPartitions(reader)
                .collect()
                .stream()
                .reduce(ReadBack.Result.NONE, ReadBack.Result::plus);
    // Rows that are gone are another push's doing if that took this one for dead. And whoever gives
    // the version up from here on has the rows to remove; a push that had lost it
    // before would let rows stay that nobody knows of.
    if (!versions.renew(
        view.name(), manifest.getVersion(), manifest.getBuckets(), settings.lease())) {
      throw new TarnException(
          "%s: this push stalled for over %d s, so another one removed its version %s; what was released is still served"
              .formatted(view.name(), settings.lease().toSeconds(), manifest.getVersion()));
    }
    if (!found.differing().isEmpty()) {
      throw new TarnException(
          "%s: %,d of %,d buckets are not in Redis as they were written, so version %s is not released:\n  %s"
              .formatted(
                  view.name(),
                  found.differing().size(),
                  written.stream().mapToInt(WrittenBuckets::size).sum(),
                  manifest.getVersion(),
                  String.join(
                      "\n  ",
                      new Differences(redis, layers.get(0).buckets())
                          .describe(encoded, found.differing()))));
    }
    delta.ifPresent(
        overlay ->
            manifest =
                manifest.toBuilder()
                    .setRows(overlay.base().getRows() + found.added() - found.removed())
                    .build());
    versions.persist(manifest);
    manifest =
        manifest.toBuilder()
            .setCreatedAt(Timestamps.fromMillis(versions.now().toEpochMilli()))
            .build();
    readingBack = Duration.between(start, Instant.now());
  }

  FeatureView view() {
    return view;
  }

  FeatureTable table() {
    return table;
  }

  /** What is to be pushed until a version is minted; then the version's own. */
  Manifest manifest() {
    return manifest == null ? wanted : manifest;
  }

  boolean isMinted() {
    return manifest != null;
  }

  String mode() {
    return delta.isPresent() ? "delta" : "full";
  }

  Optional<Release> seen() {
    return seen;
  }

  void see(Optional<Release> release) {
    seen = release;
  }

  long bytes() {
    return bytes;
  }

  Duration writing() {
    return writing;
  }

  Duration readingBack() {
    return readingBack;
  }

  private long aboutRows() {
    return delta.map(Delta::records).orElse(extent.entities());
  }

  private int defaultParallelism() {
    return lake.spark().sparkContext().defaultParallelism();
  }

  private Dataset<Row> encode(Manifest planned) {
    // Where a table stores changes, an entity's row goes on being given until a record ends it.
    Column eventTimestamp =
        planned.getCarriesForward()
            ? functions.coalesce(
                functions.col(FeatureView.PRESENT_UNTIL), functions.lit(extent.newest()))
            : functions.col(FeatureView.EVENT_TIMESTAMP);
    return delta
        .map(overlay -> overlay.rows(eventTimestamp, planned))
        .orElseGet(
            () ->
                EncodedRows.of(
                    SnapshotRows.of(lake, view.name(), snapshot.snapshotId()),
                    view,
                    eventTimestamp,
                    planned));
  }

  /** Of an id with its row, by a sample. */
  private double averageBytes() {
    return encoded.selectExpr("length(id) + length(row)").takeAsList(SAMPLE).stream()
        .mapToInt(row -> row.getInt(0))
        .average()
        .orElse(1);
  }

  private Pulse progress(String what, LongAccumulator done, long about, Instant start) {
    return new Pulse(
        () -> {
          double seconds = Duration.between(start, Instant.now()).toMillis() / 1000.0;
          double speed = done.value() / seconds;
          String left =
              done.value() == 0
                  ? ""
                  : ", about %,.0f s left".formatted(Math.max(0, about - done.value()) / speed);
          console.progress(
              "%s: %,d of about %,d rows %s, %,.0f rows/s%s",
              view.name(), done.value(), about, what, speed, left);
        });
  }
}
