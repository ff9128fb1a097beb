package dev.tarn.etl.build;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import java.util.List;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

class TestBuildJob {

  /** Two users' orders on three days. */
  static Workbench orders() {
    Workbench bench = new Workbench();
    bench
        .spark()
        .sql(
            """
            SELECT * FROM VALUES
              (1L, TIMESTAMP '2026-01-01 10:00:00', 10.0D),
              (1L, TIMESTAMP '2026-01-02 10:00:00', 20.0D),
              (2L, TIMESTAMP '2026-01-02 11:00:00', 5.0D)
              AS orders(user_id, at, amount)
            """)
        .write()
        .parquet(bench.path("orders").toString());
    return bench.define(
        "users.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { orders { format = parquet, path = "%s", timestamp = at } }
        feature-views {
          spending {
            entity = user
            sources = [orders]
            sql = "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id"
            features = [
              { name = orders, type = bigint }
              { name = amount, type = double }
            ]
          }
        }
        """
            .formatted(bench.path("orders")));
  }

  @Test
  void buildingAnAsOfAgainReplacesItsRowsAndNoOthers() {
    Workbench bench = orders();
    bench.build("spending", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
    bench.build("spending", "2026-01-03T00:00:00Z");

    List<Row> rows =
        bench
            .spark()
            .sql("SELECT * FROM %s ORDER BY event_timestamp, user_id".formatted(table(bench)))
            .collectAsList();
    assertThat(rows)
        .extracting(Row::toString)
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,1,10.0]",
            "[1,2026-01-03T00:00:00Z,2,30.0]",
            "[2,2026-01-03T00:00:00Z,1,5.0]");
  }

  private static String table(Workbench bench) {
    return bench.lake().sqlName("spending");
  }
}
