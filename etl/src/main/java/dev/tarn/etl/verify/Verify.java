package dev.tarn.etl.verify;

import com.google.common.collect.Lists;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.layer.Layers;
import dev.tarn.live.LivePlan;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowWriter;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * Compares a version in Redis with its snapshot: every decoded row, bit for bit, with what Iceberg
 * gives, and the statistics of the values on both sides.
 *
 * <p>The version is chosen once, at the beginning, and stays the same whatever is released
 * meanwhile. There is one shuffle of the snapshot by key and one of both sides by entity id. Memory
 * does not grow with the rows.
 */
public final class Verify {

  /** Number of entities whose values decide the bins of the histograms. */
  private static final long ROWS_FOR_BINS = 20_000;

  /**
   * A request to verify.
   *
   * @param version empty: the released one
   * @param share of the entities, over 0 and up to 1
   * @param show largest number of differing entities to name
   */
  public record VerifyRequest(Optional<String> version, double share, int show) {

    /** Verifies all of the released version. */
    public static final VerifyRequest ALL = new VerifyRequest(Optional.empty(), 1, 20);
  }

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final Console console;

  public Verify(Lake lake, RedisServers redis, Console console) {
    this.lake = lake;
    this.redis = redis;
    this.versions = new VersionStore(redis);
    this.console = console;
  }

  /**
   * Verifies a version.
   *
   * @throws UsageException if it is not kept
   * @throws TarnException if nothing is released, the snapshot is gone, Redis or Iceberg can't be
   *     read, or the version is pruned meanwhile
   */
  public Verification verify(FeatureView view, VerifyRequest request) {
    Instant start = Instant.now();

    // 1. Pin the version: whatever is released from here on is not part of this.
    Optional<Release> released = versions.released(view.name());
    VersionRecord record = chosen(view, released, request);
    FeatureTable table =
        (record.hasLive()
                ? BaseTable.find(lake.catalog(), view.name())
                : FeatureTable.find(lake.catalog(), view.name()))
            .orElseThrow(() -> gone(record));
    Snapshot snapshot = table.iceberg().snapshot(record.getSnapshotId());
    if (snapshot == null) {
      throw gone(record);
    }

    Findings findings;
    try (Pulse pulse = TaskProgress.show(lake, console, view.name() + ": comparing")) {
      // 2. Compare every row that a lookup finds with the snapshot's.
      findings = compare(view, table, snapshot, record, start, request);
    } catch (Exception e) { // Scala does not declare what it throws
      requireKept(record);
      throw e instanceof TarnException known
          ? known
          : new TarnException(
              "%s: version %s could not be verified: %s"
                  .formatted(view.name(), record.getVersion(), Causes.reason(e)),
              e);
    }

    // 3. Make sure that nobody has removed rows under its feet.
    requireKept(record);
    boolean isReleased =
        released.filter(release -> release.version().equals(record.getVersion())).isPresent();
    Optional<Release> now = versions.released(view.name());
    if (isReleased && !now.equals(released)) {
      console.say(
          "%s: %s meanwhile; what was verified is %s",
          view.name(),
          now.map(Release::version)
              .map("%s has been released"::formatted)
              .orElse("it was withdrawn"),
          record.getVersion());
    }
    return Verification.of(
        record,
        isReleased,
        request.share(),
        start,
        Duration.between(start, Instant.now()),
        findings);
  }

  private VersionRecord chosen(
      FeatureView view, Optional<Release> released, VerifyRequest request) {
    if (released.isEmpty()) {
      throw new TarnException(
          "nothing is released of '%s' yet: ./tarn push view=%s"
              .formatted(view.name(), view.name()));
    }
    String version = request.version().orElse(released.get().version());
    VersionRecord record =
        versions
            .record(view.name(), version)
            .orElseThrow(() -> missing(view.name(), version, released.get(), request));
    int known = record.hasLive() ? LivePlan.FORMAT : RowWriter.FORMAT;
    if (record.getRowFormat() != known) {
      throw new TarnException(
          "%s: version %s has rows of format %d, and this is a Tarn that reads %d"
              .formatted(view.name(), version, record.getRowFormat(), known));
    }
    if (!record.getEntityKeysList().equals(view.entity().keyNames())) {
      throw new TarnException(
          "%s: version %s is keyed by %s, and the definition by %s; build and push the view first"
              .formatted(
                  view.name(),
                  version,
                  String.join(", ", record.getEntityKeysList()),
                  String.join(", ", view.entity().keyNames())));
    }
    return record;
  }

  /** The failure of a version that has no version record in Redis. */
  private TarnException missing(
      String view, String version, Release released, VerifyRequest request) {
    if (request.version().isPresent()) {
      return new UsageException(
          "version=%s: %s has %s in Redis"
              .formatted(
                  version,
                  view,
                  String.join(
                      ", ", Lists.transform(versions.records(view), VersionRecord::getVersion))));
    }
    if (!versions.released(view).equals(Optional.of(released))) {
      return pruned(view, version);
    }
    return new TarnException(
        "%s: version %s is released, and Redis has no manifest of it, so nobody can look it up; push the view again with mode=full"
            .formatted(view, version));
  }

  private Findings compare(
      FeatureView view,
      FeatureTable table,
      Snapshot snapshot,
      VersionRecord record,
      Instant at,
      VerifyRequest request) {
    Layers layers = Layers.of(redis.settings().keys(), record);
    Sample sample =
        new Sample(request.share(), new SecureRandom().nextLong(), layers.base().buckets());
    Dataset<Row> online =
        new OnlineRows(redis, layers, sample).read(lake.spark(), record.getRows());
    List<Column> stored = new ArrayList<>();
    stored.add(functions.col(FeatureView.EVENT_TIMESTAMP));
    for (StoredFeature feature : record.getFeaturesList()) {
      stored.add(functions.col("`" + feature.getName() + "`"));
    }
    Column id = EntityIds.of(view.entity());
    Dataset<Row> offline =
        CurrentRows.of(lake, view, table, snapshot)
            .filter(sample.has(id))
            .select(
                id.cast("binary").as(OnlineRows.ID),
                functions.lit(OnlineRows.FOUND).as(OnlineRows.BUCKET),
                functions.struct(stored.toArray(new Column[0])).as("snapshot"));
    Comparison comparison =
        new Comparison(
            record,
            layers,
            (StructType) offline.schema().apply("snapshot").dataType(),
            bins(record, layers),
            at,
            request.show());
    Findings found =
        online
            .join(
                offline,
                JavaConverters.asScalaBuffer(List.of(OnlineRows.ID, OnlineRows.BUCKET)).toSeq(),
                "full_outer")
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(comparison)
            .treeAggregate(comparison.none(), Findings::plus, Findings::plus);
    if (found.online() + found.offline() == 0 && !sample.isAll()) {
      throw new UsageException(
          "sample=%s: of %s in %s it took none; take more"
              .formatted(
                  request.share(),
                  Plural.of(record.getRows(), "entity"),
                  Plural.of(sample.buckets().count(), "bucket")));
    }
    return found;
  }

  /** Chooses the bins of each feature by the online values of some entities. */
  private List<Bins> bins(VersionRecord record, Layers layers) {
    double share = Math.min(1, (double) ROWS_FOR_BINS / Math.max(1, record.getRows()));
    OnlineRows some = new OnlineRows(redis, layers, new Sample(share, 0, layers.base().buckets()));
    List<FeatureType> types = Lists.transform(record.getFeaturesList(), StoredFeature::getType);
    List<List<Double>> numbers = new ArrayList<>();
    types.forEach(type -> numbers.add(new ArrayList<>()));
    some.read()
        .forEachRemaining(
            row -> {
              RowReader reader = new RowReader((byte[]) row.get(OnlineRows.ROW_AT));
              try {
                long unused = reader.readEventTimestamp(0);
                List<Object> values = reader.readStored(types);
                for (int i = 0; i < values.size(); i++) {
                  if (values.get(i) != null && StoredValues.isNumeric(types.get(i))) {
                    numbers.get(i).add(StoredValues.number(types.get(i), values.get(i)));
                  }
                }
              } catch (CorruptRowException e) {
                // The comparison reports it.
              }
            });
    return Lists.transform(
        numbers, values -> Bins.of(values.stream().mapToDouble(Double::doubleValue).toArray()));
  }

  private void requireKept(VersionRecord record) {
    if (versions.record(record.getFeatureView(), record.getVersion()).isEmpty()) {
      throw pruned(record.getFeatureView(), record.getVersion());
    }
  }

  private static TarnException pruned(String view, String version) {
    return new TarnException(
        "%s: version %s was pruned while it was verified, so this says nothing of what is released; verify again"
            .formatted(view, version));
  }

  /**
   * The failure of a version without a snapshot. Tarn keeps the snapshot as long as the version.
   */
  private TarnException gone(VersionRecord record) {
    requireKept(record);
    return new TarnException(
        "%s: version %s is of snapshot %d, which was expired by something else than Tarn: there is nothing to compare it with; build and push the view again"
            .formatted(record.getFeatureView(), record.getVersion(), record.getSnapshotId()));
  }
}
