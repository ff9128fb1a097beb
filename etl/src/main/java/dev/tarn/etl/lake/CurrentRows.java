package dev.tarn.etl.lake;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Reads the newest row of every entity in a snapshot, the same for both kinds of history: key
 * columns, event timestamp and features, under the snapshot's schema and in its order.
 *
 * <p>An entity's event timestamp is the newest as-of that has a row of it. Where a table stores
 * changes, that may be later than the as-of of its newest record: a row that stays the same is not
 * stored again.
 */
public final class CurrentRows {

  private CurrentRows() {}

  /** The newest rows of the whole snapshot. */
  public static Dataset<Row> of(
      Lake lake, FeatureView view, FeatureTable table, Snapshot snapshot) {
    return of(lake, view.entity().keyNames(), table, snapshot);
  }

  /** The newest rows of all, by the entity's key columns. */
  public static Dataset<Row> of(
      Lake lake, List<String> keys, FeatureTable table, Snapshot snapshot) {
    Dataset<Row> rows = SnapshotRows.of(lake, table, snapshot.snapshotId());
    return table.storesChanges(snapshot)
        ? effective(keys, rows, table.asOfs(snapshot).newest())
        : NewestRows.of(rows, keys);
  }

  /** The newest rows at a moment: those of as-ofs after it don't count. */
  public static Dataset<Row> asOf(
      Lake lake, FeatureView view, FeatureTable table, Snapshot snapshot, Instant moment) {
    Dataset<Row> rows = SnapshotRows.of(lake, table, snapshot.snapshotId());
    return table.storesChanges(snapshot)
        ? effective(view.entity().keyNames(), rows, table.asOfs(snapshot).newestAt(moment))
        : NewestRows.of(rows.filter(eventTimestamp().leq(at(moment))), view.entity().keyNames());
  }

  /**
   * The newest as-of of a snapshot; empty if there is none. Where every row is stored, an as-of
   * without rows is not seen.
   */
  public static Optional<Instant> newestAsOf(Lake lake, FeatureTable table, Snapshot snapshot) {
    if (table.storesChanges(snapshot)) {
      return table.asOfs(snapshot).newest();
    }
    Row newest =
        SnapshotRows.of(lake, table, snapshot.snapshotId())
            .agg(functions.max(eventTimestamp()))
            .head();
    return newest.isNullAt(0) ? Optional.empty() : Optional.of(newest.getInstant(0));
  }

  private static Dataset<Row> effective(
      List<String> keys, Dataset<Row> records, Optional<Instant> asOf) {
    Column isThere = asOf.map(last -> eventTimestamp().leq(at(last))).orElse(functions.lit(false));
    Column given =
        functions.coalesce(
            functions.col(FeatureView.PRESENT_UNTIL), at(asOf.orElse(Instant.EPOCH)));
    return NewestRows.of(records.filter(isThere), keys)
        .withColumn(FeatureView.EVENT_TIMESTAMP, given)
        .drop(FeatureView.PRESENT_UNTIL);
  }

  private static Column eventTimestamp() {
    return functions.col(FeatureView.EVENT_TIMESTAMP);
  }

  private static Column at(Instant instant) {
    return functions.lit(instant);
  }
}
