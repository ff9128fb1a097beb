package dev.tarn.etl.train;

import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.row.Values;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Joins each row of a spine with the newest row of its entity up to its moment, of each view's
 * snapshot.
 *
 * <p>Which as-ofs a snapshot has is known from its metadata, so most rows are found by {@link
 * AsOfJoin}. What is lacking then is looked for in the whole histories of these entities by {@link
 * PointInTime}, as is all of a view whose as-ofs are not known or that stores changes.
 */
final class ByEventTime {

  private final Lake lake;
  private final Spine spine;
  private final SortedMap<Integer, ViewTable> tables;
  private final List<Rules> rules;

  ByEventTime(Lake lake, Spine spine, SortedMap<Integer, ViewTable> tables, List<Rules> rules) {
    this.lake = lake;
    this.spine = spine;
    this.tables = tables;
    this.rules = rules;
  }

  /**
   * The spine's packed rows with a struct of each of these views, null where it has no row; divided
   * by entity, if there are views.
   *
   * @param isAbsentAlike whether a row that is too old counts for nothing at all
   */
  Dataset<Row> join(int partitions, boolean isAbsentAlike) {
    if (tables.isEmpty()) {
      return packed();
    }
    // What a default stands in for depends on whether a row is there, too old as it may be.
    boolean mayLeaveOut = isAbsentAlike || rules.stream().noneMatch(Rules::hasDefaults);
    Map<Integer, Dataset<Row>> whole = new TreeMap<>();
    List<AsOfJoin.AsOfHistory> byAsOf = new ArrayList<>();
    for (int v : tables.keySet()) {
      ViewTable table = tables.get(v);
      Snapshot snapshot = snapshot(table);
      boolean storesChanges = table.table().storesChanges(snapshot);
      // A row that changed long ago is as new as the last as-of, so there age leaves out none.
      long oldest =
          mayLeaveOut && !storesChanges
              ? rules.get(v).maxAgeMicros().orElse(Long.MAX_VALUE)
              : Long.MAX_VALUE;
      long from =
          oldest == Long.MAX_VALUE ? Long.MIN_VALUE : Math.subtractExact(spine.earliest(), oldest);
      whole.put(v, history(v, snapshot, from));
      StoredAsOfs stored = StoredAsOfs.of(table.table().iceberg(), snapshot.snapshotId());
      if (!storesChanges && stored.asOfs().isPresent()) {
        Long floor = AsOfFloor.of(stored.asOfs().get(), spine.earliest());
        long first = floor == null ? Long.MIN_VALUE : floor;
        // Only these as-ofs matter: views that share them share a shuffle.
        long[] asOfs =
            Arrays.stream(stored.asOfs().get())
                .filter(asOf -> asOf >= first && asOf <= spine.latest())
                .toArray();
        byAsOf.add(
            new AsOfJoin.AsOfHistory(
                v, history(v, snapshot, Math.max(from, first)), stored.rows(), asOfs, oldest));
      }
    }
    return byAsOf.isEmpty()
        ? PointInTime.join(spine, packed(), whole, partitions)
        : join(byAsOf, whole, partitions);
  }

  private Dataset<Row> join(
      List<AsOfJoin.AsOfHistory> byAsOf, Map<Integer, Dataset<Row>> whole, int partitions) {
    AsOfJoin join = new AsOfJoin(spine, byAsOf);
    Dataset<Row> joined = Shuffled.of(join.rows(partitions));
    Column[] counts =
        byAsOf.stream()
            .map(history -> functions.count_if(join.lacks(history)))
            .toArray(Column[]::new);
    Row counted = joined.agg(functions.count(functions.lit(1)), counts).head();
    if (counted.getLong(0) != spine.count()) {
      // No build writes an entity twice into an as-of, but a person may have.
      return PointInTime.join(spine, packed(), whole, partitions);
    }
    Column[] keys = EntityColumns.keys(spine.keys());
    Map<Integer, Dataset<Row>> older = new TreeMap<>(whole);
    boolean isAny = byAsOf.size() < tables.size();
    Column isLacking = functions.lit(isAny);
    for (int h = 0; h < byAsOf.size(); h++) {
      int view = byAsOf.get(h).view();
      Column lacks = join.lacks(byAsOf.get(h));
      long lacking = counted.getLong(h + 1);
      if (lacking == 0) {
        older.remove(view);
      } else {
        isLacking = isLacking.or(lacks);
        Column all = functions.lit(0L);
        Column isOfThese = IsOneOf.of(joined.filter(lacks), keys, all, keys, all);
        older.put(view, whole.get(view).filter(isOfThese));
      }
    }
    if (older.isEmpty()) {
      return joined;
    }
    Dataset<Row> found = PointInTime.join(spine, joined.filter(isLacking), older, partitions);
    return isAny
        ? found
        : found.unionByName(joined.filter(functions.not(isLacking))).repartition(partitions, keys);
  }

  private Dataset<Row> packed() {
    return spine.rows().select(spine.packed().toArray(new Column[0]));
  }

  /** A view's rows from a moment on, up to the spine's last. */
  private Dataset<Row> history(int v, Snapshot snapshot, long from) {
    ViewTable table = tables.get(v);
    Column eventTimestamp = functions.col(FeatureView.EVENT_TIMESTAMP);
    Dataset<Row> rows =
        SnapshotRows.of(lake, table.table(), snapshot.snapshotId())
            .filter(eventTimestamp.leq(at(spine.latest())));
    if (from != Long.MIN_VALUE) {
      rows = rows.filter(eventTimestamp.geq(at(from)));
    }
    Column givenAt =
        table.table().storesChanges(snapshot)
            ? functions.col(FeatureView.PRESENT_UNTIL)
            : eventTimestamp;
    List<Column> columns = new ArrayList<>();
    columns.add(functions.unix_micros(givenAt).as(PointInTime.GIVEN_AT));
    columns.addAll(table.features(snapshot));
    return PointInTime.history(
        rows, table.keys(), functions.unix_micros(eventTimestamp), v, columns);
  }

  /** The snapshot that a view is read from, by event time. */
  static Snapshot snapshot(ViewTable table) {
    return table.snapshot(table.view().getReadings(0).getSnapshotId());
  }

  private static Column at(long micros) {
    return functions.lit(Values.instant(micros));
  }
}
