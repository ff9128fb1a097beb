package dev.tarn.bench.window;

import dev.tarn.bench.window.WindowSizes.Window;
import dev.tarn.cli.Settings;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.train.Training;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Ways to compute windows over events. The rivals give the same columns as Tarn's five sums. */
final class WindowWays {

  private final Lake lake;
  private final Settings settings;
  private final List<String> words;
  private final WindowTables tables;

  /**
   * Takes what is computed from.
   *
   * @param words settings as they were typed, for Tarn's way
   */
  WindowWays(Lake lake, Settings settings, List<String> words, WindowTables tables) {
    this.lake = lake;
    this.settings = settings;
    this.words = words;
    this.tables = tables;
  }

  /** Gives each row the features of a service, as training does. */
  Dataset<Row> tarn(String service, Dataset<Row> spine) {
    Map<String, String> options = new TreeMap<>();
    words.forEach(
        word ->
            options.put(
                word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1)));
    options.put("definitions", tables.definitions().toString());
    return Training.join(lake.spark(), spine, service, options).rows();
  }

  /** Joins each row with the events of the longest window, once, and sums those of each window. */
  Dataset<Row> rangeJoin(Dataset<Row> spine) {
    spine.createOrReplaceTempView("bench_spine");
    String sums =
        WindowSizes.WINDOWS.stream()
            .map(
                window ->
                    "sum(e.amount) FILTER (WHERE e.event_time > s.event_timestamp - %s) AS %s"
                        .formatted(interval(window), window.feature(WindowSizes.FIVE)))
            .collect(Collectors.joining(", "));
    return lake.spark()
        .sql(
            """
            SELECT s.id, s.user_id, s.event_timestamp, s.label, %s
            FROM bench_spine s LEFT JOIN %s e
              ON e.user_id = s.user_id
              AND e.event_time > s.event_timestamp - %s AND e.event_time <= s.event_timestamp
            GROUP BY s.id, s.user_id, s.event_timestamp, s.label
            """
                .formatted(sums, tables.sqlName(WindowTables.EVENTS), interval(WindowSizes.MONTH)));
  }

  /** Puts events and rows under each other, and sums over ranges of seconds. */
  Dataset<Row> windowFunctions(Dataset<Row> spine, String where) {
    spine.createOrReplaceTempView("bench_spine");
    String sums =
        WindowSizes.WINDOWS.stream()
            .map(
                window ->
                    """
                    sum(amount) OVER (PARTITION BY user_id ORDER BY at
                      RANGE BETWEEN %d PRECEDING AND CURRENT ROW) AS %s
                    """
                        .formatted(
                            window.length().toSeconds() - 1, window.feature(WindowSizes.FIVE)))
            .collect(Collectors.joining(", "));
    return lake.spark()
        .sql(
            """
            SELECT id, user_id, event_timestamp, label, %s FROM (
              SELECT *, %s FROM (
                SELECT id, user_id, event_timestamp, label, unix_seconds(event_timestamp) AS at,
                  CAST(NULL AS DECIMAL(12,2)) AS amount
                FROM bench_spine
                UNION ALL
                SELECT NULL, user_id, NULL, NULL, unix_seconds(event_time), amount
                FROM %s WHERE %s))
            WHERE id IS NOT NULL
            """
                .formatted(
                    WindowSizes.WINDOWS.stream()
                        .map(window -> window.feature(WindowSizes.FIVE))
                        .collect(Collectors.joining(", ")),
                    sums,
                    tables.sqlName(WindowTables.EVENTS),
                    where));
  }

  /** Sums over cells, as docs define windows: pairs of each row with all events before it. */
  Dataset<Row> cells(Dataset<Row> spine) {
    spine.createOrReplaceTempView("bench_spine");
    String sums =
        WindowSizes.WINDOWS.stream()
            .map(
                window ->
                    """
                    sum(e.amount) FILTER (WHERE floor(unix_seconds(e.event_time) / %2$d)
                      > floor(unix_seconds(s.event_timestamp) / %2$d) - %3$d) AS %1$s
                    """
                        .formatted(
                            window.feature(WindowSizes.FIVE),
                            window.resolution().toSeconds(),
                            window.length().dividedBy(window.resolution())))
            .collect(Collectors.joining(", "));
    return lake.spark()
        .sql(
            """
            SELECT s.id, %s
            FROM bench_spine s LEFT JOIN %s e
              ON e.user_id = s.user_id AND e.event_time <= s.event_timestamp
            GROUP BY s.id
            """
                .formatted(sums, tables.sqlName(WindowTables.EVENTS)));
  }

  /** Builds the five sums for the last days, from nothing, in one run. */
  void build(int days) {
    List<Instant> asOfs =
        IntStream.range(0, days)
            .mapToObj(
                day -> WindowSizes.FIRST.plus(Duration.ofDays(WindowSizes.DAYS - days + 1L + day)))
            .toList();
    var unused =
        new Build(lake, Console.silent())
            .build(Definitions.load(settings).view(WindowSizes.FIVE), asOfs, false);
  }

  /** Removes what was built. */
  void unbuild() {
    lake.catalog().drop(WindowSizes.FIVE);
  }

  /** Gives every column to a sink that drops it. */
  static void drop(Dataset<Row> rows) {
    rows.write().format("noop").mode("overwrite").save();
  }

  private static String interval(Window window) {
    return "INTERVAL '%d' SECOND".formatted(window.length().toSeconds());
  }
}
