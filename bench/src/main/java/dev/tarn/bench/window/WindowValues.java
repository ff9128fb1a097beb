package dev.tarn.bench.window;

import dev.tarn.bench.window.WindowSizes.Window;
import dev.tarn.cli.TarnException;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Compares the values of all ways, on the rows of some entities. */
final class WindowValues {

  /** Rows to compare, about. */
  private static final long ROWS = 1_000;

  private final WindowWays ways;
  private final WindowTables tables;
  private final WindowSizes sizes;

  WindowValues(WindowWays ways, WindowTables tables, WindowSizes sizes) {
    this.ways = ways;
    this.tables = tables;
    this.sizes = sizes;
  }

  /**
   * Compares Tarn's sums with those over cells, in all windows, and with the rivals', in the
   * shortest: its cells are of one second, as are the times, so it slides as theirs do.
   *
   * @return the number of rows
   * @throws TarnException if any value differs
   */
  int compare(boolean hasRivals) {
    long part = Math.max(1, sizes.rows() / ROWS);
    // Not the first entity, which may have many events.
    String isInSample = "user_id %% %d = %d".formatted(part, part - 1);
    Dataset<Row> sample = tables.spine().filter(isInSample);
    Map<Long, Row> tarn = byId(ways.tarn(WindowSizes.FIVE, sample));
    compare(tarn, ways.cells(sample), "the sum over cells", WindowSizes.WINDOWS);
    if (hasRivals) {
      List<Window> shortest = WindowSizes.WINDOWS.subList(0, 1);
      compare(tarn, ways.rangeJoin(sample), "Spark's range join", shortest);
      compare(tarn, ways.windowFunctions(sample, isInSample), "Spark's window functions", shortest);
    }
    return tarn.size();
  }

  private static void compare(
      Map<Long, Row> tarn, Dataset<Row> others, String name, List<Window> windows) {
    Map<Long, Row> rows = byId(others);
    if (!rows.keySet().equals(tarn.keySet())) {
      throw new TarnException(
          "Tarn gives %,d rows, and %s %,d".formatted(tarn.size(), name, rows.size()));
    }
    tarn.forEach(
        (id, row) -> {
          for (Window window : windows) {
            Optional<BigDecimal> value = value(row, window);
            Optional<BigDecimal> other = value(rows.get(id), window);
            if (!value.equals(other)) {
              throw new TarnException(
                  "%s of row %d, %s: Tarn gives %s, and %s %s"
                      .formatted(window.feature(WindowSizes.FIVE), id, row, value, name, other));
            }
          }
        });
  }

  private static Optional<BigDecimal> value(Row row, Window window) {
    return Optional.ofNullable(row.getAs(window.feature(WindowSizes.FIVE)));
  }

  private static Map<Long, Row> byId(Dataset<Row> rows) {
    Map<Long, Row> byId = new TreeMap<>();
    rows.collectAsList().forEach(row -> byId.put(row.<Long>getAs("id"), row));
    return byId;
  }
}
