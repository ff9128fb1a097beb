package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/** Builds of several views over calendar steps in one run. */
class TestBackfill {

  @Test
  void allViewsAreBuiltForEachMonthFromSourcesThatAreOpenedOnce() throws IOException {
    Workbench bench = bench("");
    assertThat(
            bench.run(
                "build",
                "views=all",
                "from=2026-01-31",
                "to=2026-03-31",
                "every=1mo",
                "format=json"))
        .isZero();

    JsonArray views = result(bench).getAsJsonArray("feature_views");
    assertThat(texts(views, "feature_view")).containsExactly("spending", "visits");
    for (JsonElement view : views) {
      assertThat(texts(view.getAsJsonObject().getAsJsonArray("as_ofs"), "as_of"))
          .containsExactly("2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z");
    }
    // By hand: 10 on 5 January, 20 on 28 February at noon, 5 on 30 March; the last one has no time.
    assertThat(rows(bench, "spending", "amount"))
        .containsExactly("2026-01-31 10.0 null", "2026-02-28 10.0 null", "2026-03-31 30.0 5.0");
    assertThat(rows(bench, "visits", "orders"))
        .containsExactly("2026-01-31 1 null", "2026-02-28 1 null", "2026-03-31 2 1");
    assertThat(sources(bench, "spending")).hasSize(3).containsOnly(sources(bench, "visits").get(0));

    // What is up to date is passed over, for each view.
    assertThat(bench.run("build", "views=visits,spending", "from=2026-03-31", "to=2026-03-31"))
        .isZero();
    assertThat(bench.output())
        .contains("visits as of 2026-03-31T00:00:00Z is up to date")
        .contains("spending as of 2026-03-31T00:00:00Z is up to date");
  }

  @Test
  void aViewThatFailsLeavesTheOthersAsTheyAre() throws IOException {
    Workbench bench = bench("checks { min-rows = 2 }");
    assertThat(
            bench.run(
                "build",
                "views=spending,visits",
                "from=2026-02-28",
                "to=2026-03-31",
                "every=1mo",
                "format=json"))
        .isEqualTo(1);
    String printed = bench.output();
    assertThat(printed)
        .contains("tarn: 1 of 2 feature views failed; the other is built\n")
        .contains("build of spending as of 2026-02-28T00:00:00Z: 1 check failed");
    JsonArray views = json(printed).getAsJsonArray("feature_views");
    assertThat(views.get(0).getAsJsonObject().getAsJsonArray("as_ofs")).isEmpty();
    assertThat(views.get(1).getAsJsonObject().getAsJsonArray("as_ofs")).hasSize(2);

    assertThat(bench.run("build", "views=visits,spendin", "as-of=2026-02-28")).isEqualTo(2);
    assertThat(bench.output()).contains("there is no feature view 'spendin'; did you mean");
    for (List<String> words :
        List.of(List.of("build", "as-of=2026-02-28"), List.of("build", "view=a", "views=b"))) {
      assertThat(bench.run(words.toArray(new String[0]))).isEqualTo(2);
      assertThat(bench.output())
          .contains("build needs view=… or views=…,… (or views=all): the feature views to build");
    }
  }

  @Test
  void aSourceThatCannotBeOpenedStopsItsOwnViewsAlone() throws IOException {
    Workbench bench = bench("");
    bench.define(
        "others.conf",
        """
        sources { gone { format = csv, path = "/no/such/folder", schema = "user_id BIGINT" } }
        feature-views {
          one { entity = user, sources = [gone], sql = "SELECT user_id, 1 AS a FROM gone", features = [{ name = a, type = int }] }
          two { entity = user, sources = [gone, orders], sql = "SELECT user_id, 1 AS b FROM gone", features = [{ name = b, type = int }] }
        }
        """);
    assertThat(bench.run("build", "views=all", "as-of=2026-03-31")).isEqualTo(1);
    assertThat(bench.output())
        .contains(
            "spending as of 2026-03-31T00:00:00Z: 2 rows",
            "visits as of 2026-03-31T00:00:00Z: 2 rows")
        .contains("one: stopped; on with the next view\n")
        .endsWith(
            """
            tarn: 2 of 4 feature views failed; the others are built
            features/others.conf:1: source 'gone' can't be read at /no/such/folder: there is no such file or folder
            """);
  }

  /** Two views over one source, whose time is in two columns. */
  private static Workbench bench(String more) throws IOException {
    Workbench bench = new Workbench();
    Files.writeString(
        bench.path("orders.csv"),
        """
        user_id,d,t,amount
        1,2026-01-05,10:00:00,10
        1,2026-02-28,12:00:00,20
        2,2026-03-30,23:59:59,5
        """);
    return bench.define(
        "users.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources {
          orders {
            format = csv
            path = "%s"
            schema = "user_id BIGINT, d DATE, t STRING, amount DOUBLE"
            timestamp = "to_timestamp(concat(d, ' ', t))"
          }
        }
        feature-views {
          spending {
            entity = user, sources = [orders]
            sql = "SELECT user_id, sum(amount) AS amount FROM orders GROUP BY user_id"
            features = [{ name = amount, type = double }]
            %s
          }
          visits {
            entity = user, sources = [orders]
            sql = "SELECT user_id, count(*) AS orders FROM orders GROUP BY user_id"
            features = [{ name = orders, type = bigint }]
          }
        }
        """
            .formatted(bench.path("orders.csv"), more));
  }

  /** Of each as-of the feature of users 1 and 2. */
  private static List<String> rows(Workbench bench, String view, String feature) {
    return bench
        .spark()
        .sql(
            """
            SELECT date(event_timestamp), max(%2$s) FILTER (WHERE user_id = 1),
              max(%2$s) FILTER (WHERE user_id = 2)
            FROM %1$s GROUP BY 1 ORDER BY 1
            """
                .formatted(bench.lake().sqlName(view), feature))
        .collectAsList()
        .stream()
        .map(TestBackfill::text)
        .toList();
  }

  private static String text(Row row) {
    return "%s %s %s".formatted(row.get(0), row.get(1), row.get(2));
  }

  private static List<String> sources(Workbench bench, String view) {
    return StreamSupport.stream(
            FeatureTable.find(bench.lake().catalog(), view)
                .orElseThrow()
                .iceberg()
                .snapshots()
                .spliterator(),
            false)
        .flatMap(
            snapshot -> Optional.ofNullable(snapshot.summary().get(FeatureTable.SOURCES)).stream())
        .toList();
  }

  private static List<String> texts(JsonArray objects, String field) {
    return StreamSupport.stream(objects.spliterator(), false)
        .map(object -> object.getAsJsonObject().get(field).getAsString())
        .toList();
  }

  private static JsonObject result(Workbench bench) {
    return json(bench.output());
  }

  private static JsonObject json(String printed) {
    return JsonParser.parseString(
            printed.lines().filter(line -> line.startsWith("{")).findFirst().orElseThrow())
        .getAsJsonObject();
  }
}
