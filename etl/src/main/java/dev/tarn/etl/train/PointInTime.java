package dev.tarn.etl.train;

import dev.tarn.etl.window.EntityColumns;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.expressions.WindowSpec;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Joins each row of a spine with the newest row of its entity up to its moment, of several
 * histories at once.
 *
 * <p>It forms the union of spine and histories, shuffles it by entity, sorts it by time and reads
 * it once, from the oldest to the newest. A row of the spine gets what was last seen of each
 * history. So the cost grows with the number of rows and never with the number of pairs. An entity
 * with a million rows takes a longer read and no more memory. Each row of the spine comes out once,
 * whatever the histories have. At the same time a history's row comes before the spine's.
 */
final class PointInTime {

  /** Field in a struct of a history: the micros at which the row was given, of type bigint. */
  static final String GIVEN_AT = Columns.PREFIX + "given_at";

  private static final String IS_SPINE = Columns.PREFIX + "is_spine";

  /** Prefix of the columns with the structs of a history's own rows. */
  private static final String SEEN = Columns.PREFIX + "seen";

  private PointInTime() {}

  /**
   * Rows of a spine with a struct for each history, null where it has no row; divided by entity.
   *
   * @param asking packed rows; where they have a struct of a history already, that is kept
   * @param histories by number of the view, each with keys, micros and a struct; see {@link
   *     #history}
   * @param partitions of the result
   */
  static Dataset<Row> join(
      Spine spine, Dataset<Row> asking, Map<Integer, Dataset<Row>> histories, int partitions) {
    Dataset<Row> all = asking.withColumn(IS_SPINE, functions.lit(1));
    for (int v : histories.keySet()) {
      Dataset<Row> seen = histories.get(v).withColumnRenamed(Columns.view(v), seen(v));
      all = all.unionByName(seen.withColumn(IS_SPINE, functions.lit(0)), true);
    }
    Column[] keys = EntityColumns.keys(spine.keys());
    WindowSpec untilNow =
        Window.partitionBy(keys)
            .orderBy(functions.col(Columns.MICROS), functions.col(IS_SPINE))
            .rowsBetween(Window.unboundedPreceding(), Window.currentRow());
    List<String> given = List.of(asking.columns());
    Map<String, Column> result = new LinkedHashMap<>();
    given.forEach(name -> result.put(name, functions.col(name)));
    result.put(IS_SPINE, functions.col(IS_SPINE));
    for (int v : histories.keySet()) {
      String view = Columns.view(v);
      Column seen = functions.last(functions.col(seen(v)), true).over(untilNow);
      result.put(
          view,
          (given.contains(view) ? functions.coalesce(functions.col(view), seen) : seen).as(view));
    }
    return all.repartition(partitions, keys)
        .select(result.values().toArray(new Column[0]))
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

  private static String seen(int view) {
    return SEEN + view;
  }

  /** Whether a row got one of a view. */
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
