package dev.tarn.etl.train;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.Scores;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** {@link Scores} with a feature service {@code ranking}, for training sets in tests. */
public final class TrainingScores {

  static final String MONDAY = "2026-01-05T00:00:00Z";
  static final String TUESDAY = "2026-01-06T00:00:00Z";

  private TrainingScores() {}

  /** Nothing is built yet. */
  public static Workbench bench(String features, String more) {
    Workbench bench = new Workbench();
    define(bench, features, more);
    return bench;
  }

  static void define(Workbench bench, String features, String more) {
    Scores.define(bench, features, more);
    service(bench, "score.points, score.level");
  }

  public static void service(Workbench bench, String features) {
    bench.define(
        "service.conf", "feature-services { ranking { features = [%s] } }".formatted(features));
  }

  /** Builds an as-of of rows {@code (user_id, points, level)}; the result is the snapshot. */
  static long build(Workbench bench, String asOf, String... rows) {
    List<String> all = new ArrayList<>();
    for (String row : rows) {
      String[] values = row.split(", ", -1);
      all.add("(%s, '%s', %s, %s)".formatted(values[0], asOf, values[1], values[2]));
    }
    Scores.write(bench, String.join(", ", all));
    return bench.build("score", asOf).get(0).snapshotId();
  }

  /** Rows {@code (user_id, time)} in SQL. */
  static Dataset<Row> spine(Workbench bench, String rows) {
    return bench
        .spark()
        .sql(
            "SELECT CAST(id AS BIGINT) AS user_id, CAST(at AS TIMESTAMP) AS event_timestamp FROM VALUES %s AS rows(id, at)"
                .formatted(rows));
  }

  /** Joins the service's features to the rows, as text, by options {@code name=value}. */
  static List<String> join(Workbench bench, Dataset<Row> spine, String... options) {
    return Training.join(bench.spark(), spine, "ranking", settings(bench, options))
        .rows()
        .collectAsList()
        .stream()
        .map(row -> row.toString().replace("2026-01-0", "").replace("T00:00:00Z", ""))
        .sorted()
        .toList();
  }

  /** The workbench's settings, as a notebook would give them, and more options. */
  public static Map<String, String> settings(Workbench bench, String... options) {
    Map<String, String> settings = new TreeMap<>();
    List<String> words = new ArrayList<>(bench.settingWords());
    words.addAll(List.of(options));
    for (String word : words) {
      settings.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
    }
    return settings;
  }
}
