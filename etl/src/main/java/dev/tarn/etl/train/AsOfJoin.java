package dev.tarn.etl.train;

import dev.tarn.etl.window.EntityColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import scala.collection.JavaConverters;

/**
 * Joins each row of a spine with the row that its entity has in the last as-of up to its moment, of
 * several histories at once.
 *
 * <p>Where there is such a row it is the newest one that the moment may see, so this is the answer,
 * found by a join on equal values that sorts nothing. Where the as-of lacks the entity, an older
 * row may be the answer; see {@link #lacks}.
 */
final class AsOfJoin {

  private static final String AS_OF = Columns.PREFIX + "as_of";

  /** Rows for each row of the spine from which on a filter saves more than it costs. */
  private static final int WORTH_FILTERING = 2;

  /** Bytes of one side of the join in one task's memory. */
  private static final long BYTES_AT_ONCE = 16 << 20;

  /** A history whose as-ofs are known. */
  static final class AsOfHistory {
    private final int view;
    private final Dataset<Row> rows;
    private final long count;
    private final long[] asOfs;
    private final long oldest;

    /**
     * A history.
     *
     * @param view its number
     * @param rows with keys and micros; see {@link PointInTime#history}
     * @param count of the rows, or more
     * @param asOfs all that the rows have, ascending; there may be others before them
     * @param oldest age in microseconds from which on a row counts for nothing; Long.MAX_VALUE:
     *     none
     */
    AsOfHistory(int view, Dataset<Row> rows, long count, long[] asOfs, long oldest) {
      this.view = view;
      this.rows = rows;
      this.count = count;
      this.asOfs = asOfs;
      this.oldest = oldest;
    }

    int view() {
      return view;
    }

    private boolean asksLike(AsOfHistory other) {
      return Arrays.equals(asOfs, other.asOfs);
    }

    private String asOf() {
      return AS_OF + view;
    }
  }

  private final Spine spine;
  private final List<AsOfHistory> histories;

  AsOfJoin(Spine spine, List<AsOfHistory> histories) {
    this.spine = spine;
    this.histories = histories;
  }

  /**
   * The spine's packed rows with a struct for each history, null where its as-of has no row;
   * divided by entity.
   */
  Dataset<Row> rows(int partitions) {
    Column[] keys = EntityColumns.keys(spine.keys());
    List<Column> columns = spine.packed();
    Dataset<Row> asking = spine.rows().select(columns.toArray(new Column[0]));
    for (AsOfHistory first : firstOfEach()) {
      asking = asking.withColumn(first.asOf(), asOf(first));
      List<String> names = new ArrayList<>(EntityColumns.keyNames(spine.keys()));
      names.add(first.asOf());
      Column[] pair = names.stream().map(functions::col).toArray(Column[]::new);
      List<AsOfHistory> alike = histories.stream().filter(first::asksLike).toList();
      int tasks = alike.stream().mapToInt(history -> tasks(history, partitions)).max().getAsInt();
      asking = asking.repartition(tasks, pair);
      Column isAsked =
          alike.stream().anyMatch(this::isLong)
              ? IsOneOf.of(
                  spine.keysAndTimes().withColumn(first.asOf(), asOf(first)),
                  keys,
                  functions.col(first.asOf()),
                  keys,
                  functions.col(Columns.MICROS))
              : functions.lit(true);
      for (AsOfHistory history : alike) {
        Dataset<Row> rows = isLong(history) ? history.rows.filter(isAsked) : history.rows;
        asking =
            asking.join(
                rows.withColumnRenamed(Columns.MICROS, first.asOf())
                    .repartition(tasks, pair)
                    // One row for each pair, divided evenly: it never outgrows a task.
                    .hint("shuffle_hash"),
                JavaConverters.asScalaBuffer(names).toSeq(),
                "left_outer");
      }
    }
    return asking.repartition(partitions, keys);
  }

  /** Whether a joined row might get an older row of a history. */
  Column lacks(AsOfHistory history) {
    AsOfHistory first = histories.stream().filter(history::asksLike).findFirst().orElseThrow();
    Column asOf = functions.col(first.asOf());
    Column isAbsent = asOf.isNotNull().and(functions.not(PointInTime.isThere(history.view)));
    return history.oldest == Long.MAX_VALUE
        ? isAbsent
        : isAbsent.and(functions.col(Columns.MICROS).minus(asOf).leq(history.oldest));
  }

  /** One history for each set of as-ofs: those with the same as-ofs share a shuffle. */
  private List<AsOfHistory> firstOfEach() {
    List<AsOfHistory> firsts = new ArrayList<>();
    for (AsOfHistory history : histories) {
      if (firsts.stream().noneMatch(history::asksLike)) {
        firsts.add(history);
      }
    }
    return firsts;
  }

  private boolean isLong(AsOfHistory history) {
    return history.count / WORTH_FILTERING > spine.count();
  }

  private static Column asOf(AsOfHistory history) {
    return AsOfFloor.of(history.asOfs, functions.col(Columns.MICROS));
  }

  private int tasks(AsOfHistory history, int atLeast) {
    long rows = isLong(history) ? spine.count() : history.count;
    long bytes = rows * history.rows.schema().defaultSize();
    return (int) Math.max(atLeast, Math.min(Short.MAX_VALUE, bytes / BYTES_AT_ONCE));
  }
}
