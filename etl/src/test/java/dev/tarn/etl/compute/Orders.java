package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Row;

/** Two users' orders on two days, and the view {@code spending} over them. */
final class Orders {

  static final String JAN_2 = "2026-01-02T00:00:00Z";
  static final String JAN_3 = "2026-01-03T00:00:00Z";

  static final String ROWS =
      """
      SELECT * FROM VALUES
        (1L, TIMESTAMP '2026-01-01 10:00:00', 10.0D),
        (1L, TIMESTAMP '2026-01-02 10:00:00', 20.0D),
        (2L, TIMESTAMP '2026-01-02 11:00:00', 5.0D)
        AS orders(user_id, at, amount)
      """;

  /** Line numbers matter: they are in what tests expect. */
  private static final String DEFINITION =
      """
      entities { user { keys = [{ name = user_id, type = bigint }] } }
      sources { orders { format = parquet, path = "PATH", timestamp = at } }
      feature-views {
        spending {
          entity = user
          sources = [orders]
          sql = "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id"
          features = [
            { name = orders, type = bigint }
            { name = amount, type = double }
          ]
          checks {}
        }
      }
      """;

  /** The state that a failed build must leave as it was. */
  record State(long snapshotId, List<String> rows, String schema, Set<String> refs) {}

  private final Workbench bench = new Workbench();

  Orders() {
    bench.spark().sql(ROWS).write().parquet(bench.path("orders").toString());
    define();
  }

  Workbench bench() {
    return bench;
  }

  /** The definition with some of its text replaced: from, to, from, to. */
  void define(String... changes) {
    bench.define("users.conf", text(changes));
  }

  String text(String... changes) {
    String text = DEFINITION.replace("PATH", bench.path("orders").toString());
    for (int i = 0; i < changes.length; i += 2) {
      assertThat(text).contains(changes[i]);
      text = text.replace(changes[i], changes[i + 1]);
    }
    return text;
  }

  Build.AsOfOutcome build(String asOf) {
    return bench.build("spending", asOf).get(0);
  }

  Table table() {
    return FeatureTable.find(bench.lake().catalog(), "spending").orElseThrow().iceberg();
  }

  String name() {
    return bench.lake().sqlName("spending");
  }

  State state() {
    Table table = table();
    Snapshot main = table.currentSnapshot();
    return new State(
        main.snapshotId(), rows(), table.schema().toString(), new TreeSet<>(table.refs().keySet()));
  }

  /** Main's rows in order, as text. */
  List<String> rows() {
    return rows("SELECT * FROM " + name());
  }

  List<String> rows(String sql) {
    return bench.spark().sql(sql + " ORDER BY event_timestamp, 1").collectAsList().stream()
        .map(Row::toString)
        .toList();
  }
}
