package dev.tarn.bench.train;

import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.train.Training;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Ways to join a spine to features. All give every column to a sink that drops it. */
final class TrainWays {

  private final Lake lake;
  private final List<String> words;
  private final TrainTables tables;
  private final TrainSizes sizes;

  /**
   * Takes what is joined.
   *
   * @param words settings as they were typed, for Tarn's way
   */
  TrainWays(Lake lake, List<String> words, TrainTables tables, TrainSizes sizes) {
    this.lake = lake;
    this.words = words;
    this.tables = tables;
    this.sizes = sizes;
  }

  /** Joins as Tarn does, with one folder of definitions. */
  void tarn(String service, int views, int count, String definitions) {
    Map<String, String> options = options(definitions);
    for (int v = 1; v <= views; v++) {
      options.put("at.v" + v, Long.toString(tables.snapshot("v" + v, count)));
    }
    drop(
        Training.join(
                lake.spark(),
                tables.spine(definitions.equals("limited") ? "last" : "all", count),
                service,
                options)
            .rows());
  }

  /** Joins one entity with a long history as Tarn does. */
  void tarnHot() {
    drop(Training.join(lake.spark(), tables.hotSpine(), "hottest", options("features")).rows());
  }

  private Map<String, String> options(String definitions) {
    Map<String, String> options = new TreeMap<>();
    words.forEach(
        word ->
            options.put(
                word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1)));
    options.put("definitions", tables.folderOf(definitions).toString());
    return options;
  }

  /** Joins each row with all older ones and takes the newest, as Feast's Spark store does. */
  void joinAndRank(int views, int count) {
    tables.spine("all", count).createOrReplaceTempView("bench_spine");
    StringBuilder sql =
        new StringBuilder(
            "WITH spine AS (SELECT *, concat(user_id, ' ', event_timestamp) AS row_id FROM bench_spine)");
    StringBuilder select = new StringBuilder(" SELECT s.user_id, s.event_timestamp, s.label");
    StringBuilder joins = new StringBuilder(" FROM spine s");
    for (int v = 1; v <= views; v++) {
      String columns = String.join(", ", sizes.names("v" + v));
      sql.append(
          """
          , pairs%1$d AS (
            SELECT e.row_id, f.event_timestamp AS feature_time, %2$s
            FROM (SELECT DISTINCT row_id, user_id, event_timestamp FROM spine) e
            JOIN %3$s VERSION AS OF %4$d f
              ON f.user_id = e.user_id AND f.event_timestamp <= e.event_timestamp
          ), latest%1$d AS (
            SELECT * FROM (
              SELECT *, row_number() OVER (PARTITION BY row_id ORDER BY feature_time DESC) AS place
              FROM pairs%1$d
            ) WHERE place = 1
          )
          """
              .formatted(v, columns, lake.sqlName("v" + v), tables.snapshot("v" + v, count)));
      select.append(", ").append(columns);
      joins.append(" LEFT JOIN latest%1$d ON latest%1$d.row_id = s.row_id".formatted(v));
    }
    drop(lake.spark().sql(sql.append(select).append(joins).toString()));
  }

  /** Puts the spine and whole histories under each other and takes what was seen last of each. */
  void union(int views, int count) {
    tables.spine("all", count).createOrReplaceTempView("bench_spine");
    StringBuilder all = new StringBuilder("SELECT user_id, event_timestamp, 1 AS kind, label");
    for (int v = 1; v <= views; v++) {
      all.append(", CAST(NULL AS %s) AS s%d".formatted(structType(v), v));
    }
    all.append(" FROM bench_spine");
    for (int h = 1; h <= views; h++) {
      all.append(" UNION ALL SELECT user_id, event_timestamp, 0, NULL");
      for (int v = 1; v <= views; v++) {
        all.append(
            v == h ? ", struct(%s)".formatted(String.join(", ", sizes.names("v" + v))) : ", NULL");
      }
      all.append(
          " FROM %s VERSION AS OF %d"
              .formatted(lake.sqlName("v" + h), tables.snapshot("v" + h, count)));
    }
    String seen =
        IntStream.rangeClosed(1, views)
            .mapToObj("last(s%1$d, true) OVER w AS s%1$d"::formatted)
            .collect(Collectors.joining(", "));
    String columns =
        IntStream.rangeClosed(1, views)
            .mapToObj(v -> "s%d.*".formatted(v))
            .collect(Collectors.joining(", "));
    drop(
        lake.spark()
            .sql(
                """
                SELECT user_id, event_timestamp, label, %s FROM (
                  SELECT user_id, event_timestamp, kind, label, %s FROM (%s)
                  WINDOW w AS (PARTITION BY user_id ORDER BY event_timestamp, kind
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
                ) WHERE kind = 1
                """
                    .formatted(columns, seen, all)));
  }

  private String structType(int view) {
    return sizes.names("v" + view).stream()
        .map(name -> name + ": DOUBLE")
        .collect(Collectors.joining(", ", "STRUCT<", ">"));
  }

  private static void drop(Dataset<Row> rowsOfSet) {
    rowsOfSet.write().format("noop").mode("overwrite").save();
  }
}
