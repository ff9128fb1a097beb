package dev.tarn.etl.compute;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;
import scala.collection.JavaConverters;

/**
 * Two views that are the same but for their history: {@code every} stores every row, {@code
 * changed} what changes. A build of either gives just the rows that were written last.
 */
final class TwoHistories {

  static final String EVERY = "every";
  static final String CHANGED = "changed";

  private final Workbench bench = new Workbench();
  private final String keys;

  /**
   * Nothing written or built yet.
   *
   * @param keys of the entity, as definitions have them
   */
  TwoHistories(String keys) {
    this.keys = keys;
  }

  Workbench bench() {
    return bench;
  }

  /** Both definitions: what is selected, the features, and what else a view may have. */
  void define(String select, String features, String more) {
    bench.define(
        "views.conf",
        """
        entities { user { keys = [KEYS] }, client { keys = [KEYS] } }
        sources { given { format = parquet, path = "PATH" } }
        feature-views {
          every {
            entity = user, sources = [given], sql = "SELECT SELECTED FROM given"
            features = [FEATURES]
            MORE
          }
          changed {
            entity = client, sources = [given], sql = "SELECT SELECTED FROM given"
            features = [FEATURES]
            MORE
            history = changes
          }
        }
        """
            .replace("KEYS", keys)
            .replace("PATH", bench.path("given").toString())
            .replace("SELECTED", select)
            .replace("FEATURES", features)
            .replace("MORE", more));
  }

  /** Sets the rows that builds give from now on. */
  void write(Dataset<Row> rows) {
    rows.coalesce(1).write().mode(SaveMode.Overwrite).parquet(bench.path("given").toString());
  }

  /** Builds both; the outcome is that of the view that stores changes. */
  Build.AsOfOutcome build(String asOf) {
    bench.build(EVERY, asOf);
    return bench.build(CHANGED, asOf).get(0);
  }

  FeatureTable table(String view) {
    return FeatureTable.find(bench.lake().catalog(), view).orElseThrow();
  }

  Snapshot newest(String view) {
    return table(view).main().orElseThrow();
  }

  /** A state of a view to be compared with the other's. */
  Dataset<Row> rows(String view, Snapshot snapshot) {
    return CurrentRows.of(bench.lake(), definition(view), table(view), snapshot);
  }

  /** The newest snapshot's rows as of a moment. */
  Dataset<Row> rows(String view, Instant moment) {
    Lake lake = bench.lake();
    return CurrentRows.asOf(lake, definition(view), table(view), newest(view), moment);
  }

  /** The records of the table as it is, in order, without the spelling of midnight. */
  List<String> stored(String view) {
    return bench
        .spark()
        .sql("SELECT * FROM %s ORDER BY 2, 1".formatted(bench.lake().sqlName(view)))
        .collectAsList()
        .stream()
        .map(row -> row.toString().replace("T00:00:00Z", ""))
        .toList();
  }

  /** Rows as text, in order, by the name that each dataset is given; all in one job of Spark. */
  static Map<String, List<String>> text(Map<String, Dataset<Row>> datasets) {
    Dataset<Row> all =
        datasets.entrySet().stream()
            .map(entry -> entry.getValue().withColumn("_name", functions.lit(entry.getKey())))
            .reduce(Dataset::union)
            .orElseThrow();
    Map<String, List<String>> text = new TreeMap<>();
    datasets.keySet().forEach(name -> text.put(name, new ArrayList<>()));
    for (Row row : all.collectAsList()) {
      List<String> values = new ArrayList<>();
      for (int i = 0; i < row.size() - 1; i++) {
        values.add(text(row.get(i)));
      }
      text.get(row.getString(row.size() - 1)).add(String.join(" ", values));
    }
    text.values().forEach(rows -> rows.sort(null));
    return text;
  }

  /** A value such that two have the same text only if they are the same, bit for bit. */
  static String text(Object value) {
    if (value instanceof Double number) {
      return "%s:%x".formatted(number, Double.doubleToRawLongBits(number));
    }
    if (value instanceof Float number) {
      return "%s:%x".formatted(number, Float.floatToRawIntBits(number));
    }
    if (value instanceof Row row) {
      List<String> fields = new ArrayList<>();
      for (int i = 0; i < row.size(); i++) {
        fields.add(text(row.get(i)));
      }
      return "{" + String.join(",", fields) + "}";
    }
    if (value instanceof scala.collection.Seq<?> sequence) {
      return JavaConverters.seqAsJavaList(sequence).stream().map(TwoHistories::text).toList() + "";
    }
    return String.valueOf(value);
  }

  private FeatureView definition(String view) {
    return bench.definitions().view(view);
  }
}
