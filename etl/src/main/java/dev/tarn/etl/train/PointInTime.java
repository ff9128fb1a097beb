package dev.tarn.etl.train;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.expressions.WindowSpec;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Joins each row of a spine with the newest row of its entity up to its moment, of several
 * histories at once.
 *
 * <p>Spine and histories are put under each other, brought together by entity in one shuffle,
 * sorted by time in one sort, and read once from the oldest to the newest: what was last seen of
 * each history is what a row of the spine gets. So the cost grows with the rows that there are and
 * never with their pairs, an entity of a million rows is a longer read and no larger memory, and
 * each row of the spine comes out once, whatever the histories have. At one time a history's row
 * comes before the spine's.
 */
final class PointInTime {

  /** In a struct of a history: the micros at which it was given, of type bigint. */
  static final String GIVEN_AT = Columns.PREFIX + "given_at";

  private static final String IS_SPINE = Columns.PREFIX + "is_spine";

  private PointInTime() {}

  /**
   * The spine's packed rows with a struct for each history, null where it has no row; in order of
   * entity, time and then all that a row has.
   *
   * @param histories each with keys, micros and a struct; see {@link #history}
   * @param partitions of the result
   */
  static Dataset<Row> join(Spine spine, List<Dataset<Row>> histories, int partitions) {
    List<Column> ofSpine = spine.packed();
    ofSpine.add(functions.lit(1).as(IS_SPINE));
    for (int v = 0; v < histories.size(); v++) {
      ofSpine.add(none(histories.get(v), v));
    }
    Dataset<Row> all = spine.rows().select(ofSpine.toArray(new Column[0]));
    StructType spineType = (StructType) all.schema().apply(Columns.SPINE).dataType();
    for (int h = 0; h < histories.size(); h++) {
      List<Column> columns = new ArrayList<>(List.of(Columns.keys(spine.keys())));
      columns.add(functions.col(Columns.MICROS));
      columns.add(functions.lit(null).cast(spineType).as(Columns.SPINE));
      columns.add(functions.lit(0).as(IS_SPINE));
      for (int v = 0; v < histories.size(); v++) {
        columns.add(v == h ? functions.col(Columns.view(v)) : none(histories.get(v), v));
      }
      all = all.union(histories.get(h).select(columns.toArray(new Column[0])));
    }
    Column[] keys = Columns.keys(spine.keys());
    List<Column> order = new ArrayList<>();
    order.add(functions.col(Columns.MICROS));
    order.add(functions.col(IS_SPINE));
    order.addAll(List.of(spine.order()));
    WindowSpec untilNow =
        Window.partitionBy(keys)
            .orderBy(order.toArray(new Column[0]))
            .rowsBetween(Window.unboundedPreceding(), Window.currentRow());
    List<Column> result = new ArrayList<>(List.of(keys));
    result.add(functions.col(Columns.MICROS));
    result.add(functions.col(Columns.SPINE));
    result.add(functions.col(IS_SPINE));
    for (int v = 0; v < histories.size(); v++) {
      String view = Columns.view(v);
      result.add(functions.last(functions.col(view), true).over(untilNow).as(view));
    }
    return all.repartition(partitions, keys)
        .select(result.toArray(new Column[0]))
        .filter(functions.col(IS_SPINE).equalTo(1))
        .drop(IS_SPINE);
  }

  /** A history to join: its rows' keys and micros, and the columns to get as one struct. */
  static Dataset<Row> history(
      Dataset<Row> rows, List<Column> keys, Column micros, int view, List<Column> columns) {
    List<Column> all = new ArrayList<>(keys);
    all.add(micros.as(Columns.MICROS));
    all.add(functions.struct(columns.toArray(new Column[0])).as(Columns.view(view)));
    return rows.select(all.toArray(new Column[0]));
  }

  private static Column none(Dataset<Row> history, int view) {
    String name = Columns.view(view);
    return functions.lit(null).cast(history.schema().apply(name).dataType()).as(name);
  }

  /** For those who need no more than that a row is there. */
  static Column isThere(int view) {
    return functions.col(Columns.view(view)).isNotNull();
  }

  static Column of(int view, String field) {
    return functions.col(Columns.view(view)).getField(field);
  }

  static Column noTime() {
    return functions.lit(null).cast(DataTypes.LongType);
  }
}
