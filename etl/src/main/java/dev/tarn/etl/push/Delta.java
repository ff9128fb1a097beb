package dev.tarn.etl.push;

import com.google.common.collect.Streams;
import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.FileAsOfs;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DataOperations;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotChanges;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Finds the rows of an overlay: the entities whose newest row differs between the new snapshot and
 * the base. It reads what was committed in between. It asks the table itself for the newest rows
 * only of entities that had rows deleted, or rows added to an as-of that the base had already.
 */
final class Delta {

  private static final String CHANGE_TYPE = "_change_type";

  private final Lake lake;
  private final FeatureView view;
  private final FeatureTable table;
  private final VersionRecord base;
  private final Snapshot to;
  private final boolean appendsOnly;
  private final long records;

  private Delta(
      Lake lake,
      FeatureView view,
      FeatureTable table,
      VersionRecord base,
      Snapshot to,
      boolean appendsOnly,
      long records) {
    this.lake = lake;
    this.view = view;
    this.table = table;
    this.base = base;
    this.to = to;
    this.appendsOnly = appendsOnly;
    this.records = records;
  }

  /** A delta, or the reason why there can't be one. */
  record Choice(Optional<Delta> delta, String refusal) {}

  /** Plans a delta from a base to a snapshot. */
  static Choice of(
      Lake lake,
      FeatureView view,
      FeatureTable table,
      VersionRecord base,
      Snapshot to,
      VersionRecord wanted) {
    Table iceberg = table.iceberg();
    Snapshot from = iceberg.snapshot(base.getSnapshotId());
    if (from == null) {
      return refused("its snapshot %d is no longer in the table", base.getSnapshotId());
    }
    if (!isSameRow(base, wanted)) {
      return refused("features, their types or keys have changed since");
    }
    if (to.schemaId() == null || to.schemaId() != iceberg.schema().schemaId()) {
      return refused("the table's schema has changed since snapshot %d", to.snapshotId());
    }
    boolean appendsOnly = true;
    Optional<Snapshot> withDeleteFiles = Optional.empty();
    long records = 0;
    long next = to.snapshotId();
    while (next != from.snapshotId()) {
      Snapshot step = iceberg.snapshot(next);
      if (step == null) {
        return refused(
            "of the snapshots between %d and %d some are expired",
            from.snapshotId(), to.snapshotId());
      }
      if (step.parentId() == null) {
        return refused("its snapshot %d is not behind %d", from.snapshotId(), to.snapshotId());
      }
      if (!DataOperations.REPLACE.equals(step.operation())) {
        appendsOnly &= DataOperations.APPEND.equals(step.operation());
        if (!step.deleteManifests(iceberg.io()).isEmpty()) {
          withDeleteFiles = Optional.of(step);
        }
        records += records(iceberg, step);
      }
      next = step.parentId();
    }
    // Delete files apply to older rows only, so rows that are appended can be read beside them. A
    // changelog refuses them, those from before the base among them.
    if (!appendsOnly && withDeleteFiles.isPresent()) {
      return refused(
          "snapshot %d has delete files (merge-on-read), and Iceberg reads no changes beside them",
          withDeleteFiles.get().snapshotId());
    }
    return new Choice(
        Optional.of(new Delta(lake, view, table, base, to, appendsOnly, records)), "");
  }

  VersionRecord base() {
    return base;
  }

  /** Number of rows written and deleted in between, which is the largest size of the overlay. */
  long records() {
    return records;
  }

  /** The overlay's rows. */
  Dataset<Row> rows(Column eventTimestamp, VersionRecord record) {
    if (records == 0) {
      Dataset<Row> none = lake.spark().sql("SELECT '' AS id").limit(0);
      return EncodedRows.tombstones(none);
    }
    Dataset<Row> changes = changes();
    Column isOfBase =
        functions
            .col(FeatureView.EVENT_TIMESTAMP)
            .leq(functions.lit(Values.instant(Timestamps.toMicros(base.getAsOf()))));
    Column isDelete = functions.col(CHANGE_TYPE).equalTo("DELETE");
    Dataset<Row> newer = changes.filter(functions.not(isDelete).and(functions.not(isOfBase)));
    Dataset<Row> rows = EncodedRows.of(newer, view, eventTimestamp, record);
    if (appendsOnly && isAllNewer()) {
      return rows;
    }
    Column[] keys =
        view.entity().keyNames().stream()
            .map(key -> functions.col("`" + key + "`"))
            .toArray(Column[]::new);
    Dataset<Row> unclear = changes.filter(isDelete.or(isOfBase)).select(keys).distinct().persist();
    if (unclear.isEmpty()) {
      return rows;
    }
    scala.collection.Seq<String> names =
        scala.collection.JavaConverters.asScalaBuffer(view.entity().keyNames()).toSeq();
    Dataset<Row> now =
        SnapshotRows.of(lake, table, to.snapshotId()).join(unclear, names, "left_semi");
    Dataset<Row> gone = unclear.join(now.select(keys), names, "left_anti");
    Dataset<Row> goneIds = gone.select(EntityIds.of(view.entity()).as("id"));
    return rows.union(EncodedRows.of(now, view, eventTimestamp, record))
        .union(EncodedRows.tombstones(goneIds));
  }

  /** Rows that were inserted and deleted, with {@link #CHANGE_TYPE}. */
  private Dataset<Row> changes() {
    Map<String, String> range =
        Map.of(
            "start-snapshot-id", Long.toString(base.getSnapshotId()),
            "end-snapshot-id", Long.toString(to.snapshotId()));
    if (appendsOnly) {
      return lake.spark()
          .read()
          .format("iceberg")
          .options(range)
          .load(table.sqlName())
          .withColumn(CHANGE_TYPE, functions.lit("INSERT"));
    }
    String name = "tarn_changes_" + view.name();
    lake.spark()
        .sql(
            String.format(
                Locale.ROOT,
                "CALL %s.system.create_changelog_view(table => '%s', changelog_view => '%s',"
                    + " options => map('start-snapshot-id', '%d', 'end-snapshot-id', '%d'),"
                    + " net_changes => true)",
                IcebergCatalog.NAME,
                table.sqlName().substring(IcebergCatalog.NAME.length() + 1),
                name,
                base.getSnapshotId(),
                to.snapshotId()));
    return lake.spark().table(name);
  }

  /** Whether all files that were added have only as-ofs after the base's. */
  private boolean isAllNewer() {
    Instant newest = Values.instant(Timestamps.toMicros(base.getAsOf()));
    return FileAsOfs.appended(table.iceberg(), base.getSnapshotId(), to.snapshotId()).stream()
        .allMatch(file -> file.first().filter(newest::isBefore).isPresent());
  }

  /** Whether the rows of both have the same layout. */
  private static boolean isSameRow(VersionRecord one, VersionRecord other) {
    return one.getRowFormat() == other.getRowFormat()
        && one.getLive().getGeneration().equals(other.getLive().getGeneration())
        && one.getEntity().equals(other.getEntity())
        && one.getEntityKeysList().equals(other.getEntityKeysList())
        && one.getCarriesForward() == other.getCarriesForward()
        && fields(one).equals(fields(other));
  }

  private static List<StoredFeature> fields(VersionRecord record) {
    return record.getFeaturesList().stream()
        .map(
            feature ->
                StoredFeature.newBuilder()
                    .setFieldId(feature.getFieldId())
                    .setType(feature.getType())
                    .build())
        .toList();
  }

  /** Rows that a snapshot wrote and removed, by its files: engines may leave them out of it. */
  private static long records(Table table, Snapshot snapshot) {
    SnapshotChanges changes = SnapshotChanges.builderFor(table).snapshot(snapshot).build();
    return Streams.concat(
            Streams.stream(changes.addedDataFiles()), Streams.stream(changes.removedDataFiles()))
        .mapToLong(DataFile::recordCount)
        .sum();
  }

  private static Choice refused(String reason, Object... values) {
    return new Choice(Optional.empty(), String.format(Locale.ROOT, reason, values));
  }
}
