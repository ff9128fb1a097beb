package dev.tarn.etl.window;

import static dev.tarn.etl.train.TrainingScores.settings;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.train.Training;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Window views as users have them: defined, built, trained on and pushed. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestWindowViews {

  private static final String FEATURES =
      """
      { name = payments_1m, aggregate = count, window = 1m }
      { name = spend_1h, aggregate = sum, of = "amount", window = 1h, type = "decimal(22,2)" }
      { name = merchants_7d, aggregate = count-distinct, of = "merchant", window = 7d, type = bigint }
      { name = last_2, aggregate = { last = 2 }, of = "merchant", window = 7d, type = "array<string>" }
      { name = idle, aggregate = seconds-since-last }
      """;

  private Workbench bench;

  @BeforeAll
  void write() {
    bench = new Workbench();
    bench
        .spark()
        .sql(
            """
            CREATE TABLE %s (user_id BIGINT, at TIMESTAMP, merchant STRING, amount DECIMAL(12,2), status STRING)
            USING iceberg"""
                .formatted(table()));
    insert(
        "(1, '2026-01-01T00:00:00Z', 'a', 1.00, 'ok')",
        "(1, '2026-01-01T11:30:00Z', 'b', 2.00, 'ok')",
        "(1, '2026-01-01T11:59:30Z', 'a', 4.00, 'ok')",
        "(1, '2026-01-01T12:00:00Z', 'c', 8.00, 'ok')",
        "(1, '2026-01-01T12:00:00.000001Z', 'd', 16.00, 'ok')",
        "(1, '2026-01-01T11:59:59Z', 'z', 1000.00, 'declined')",
        "(2, '2026-01-01T10:00:00Z', null, null, 'ok')",
        "(3, '2026-01-02T00:00:00Z', 'a', 5.00, 'ok')",
        "(null, '2026-01-01T00:00:00Z', 'a', 5.00, 'ok')");
    define(bench, "recent", FEATURES, "where = \"status <> 'declined'\"");
  }

  @Test
  void aBuildHasTheWindowsThatEndAtItsAsOf() {
    bench.output();
    bench.build("recent", "2026-01-01T12:00:00Z", "2026-01-08T00:00:00Z", "2026-03-01T00:00:00Z");
    assertThat(bench.output())
        .contains("recent: 1 event of source 'payments' without user_id belongs to no entity");
    assertThat(rows("recent"))
        .containsExactly(
            // The event at the very as-of counts, and one a microsecond later does not. The cell of
            // 11:00 is out of the hour, the one of 11:01 in it.
            "[1,2026-01-01T12:00:00Z,2,14.00,3,[c, a],0]",
            "[2,2026-01-01T12:00:00Z,0,null,0,null,7200]",
            "[1,2026-01-08T00:00:00Z,0,null,4,[d, c],561599]",
            "[2,2026-01-08T00:00:00Z,0,null,0,null,568800]",
            "[3,2026-01-08T00:00:00Z,0,null,1,[a],518400]",
            // Without a window all events count, so the entities stay.
            "[1,2026-03-01T00:00:00Z,0,null,0,null,5054399]",
            "[2,2026-03-01T00:00:00Z,0,null,0,null,5061600]",
            "[3,2026-03-01T00:00:00Z,0,null,0,null,5011200]");
  }

  @Test
  void anEntityWithoutEventsInAnyWindowHasNoRow() {
    define(
        bench,
        "short",
        """
        { name = hour, aggregate = count, window = 1h }
        { name = day, aggregate = sum, of = "amount", window = 1d, type = "decimal(22,2)" }
        """,
        "history = changes");
    bench.build(
        "short",
        "2026-01-01T12:00:00Z",
        "2026-01-02T11:00:00Z",
        "2026-01-02T12:10:00Z",
        "2026-01-05T00:00:00Z");
    assertThat(bench.output()).contains("as of 2026-01-05T00:00:00Z: 0 rows, 1 changed");
    Dataset<Row> rows =
        bench
            .spark()
            .sql(
                "SELECT user_id, event_timestamp, present_until, hour, day FROM %s ORDER BY event_timestamp, user_id"
                    .formatted(bench.lake().sqlName("short")));
    assertThat(rows.collectAsList().stream().map(Row::toString))
        .containsExactly(
            "[1,2026-01-01T12:00:00Z,null,4,1015.00]",
            "[2,2026-01-01T12:00:00Z,null,0,null]",
            "[1,2026-01-02T11:00:00Z,null,0,1030.00]",
            "[2,2026-01-02T11:00:00Z,2026-01-01T12:00:00Z,0,null]",
            "[3,2026-01-02T11:00:00Z,null,0,5.00]",
            "[1,2026-01-02T12:10:00Z,2026-01-02T11:00:00Z,0,1030.00]",
            "[3,2026-01-05T00:00:00Z,2026-01-02T12:10:00Z,0,5.00]");
  }

  @Test
  void aTrainingRowHasTheWindowsThatEndAtItsOwnTime() {
    assertThat(
            train(
                "(1, '2026-01-01T11:59:59.999999Z')",
                "(1, '2026-01-01T12:00:00Z')",
                "(1, '2026-01-01T12:00:00Z')",
                "(1, '2026-01-01T12:00:00.000001Z')",
                "(2, '2026-01-01T09:59:59Z')",
                "(2, '2026-01-01T12:00:00Z')",
                "(9, '2026-01-01T12:00:00Z')"))
        .containsExactly(
            "[1,2026-01-01T11:59:59.999999Z,1,6.00,2,[a, b],29]",
            "[1,2026-01-01T12:00:00.000001Z,3,30.00,4,[d, c],0]",
            "[1,2026-01-01T12:00:00Z,2,14.00,3,[c, a],0]",
            "[1,2026-01-01T12:00:00Z,2,14.00,3,[c, a],0]",
            "[2,2026-01-01T09:59:59Z,null,null,null,null,null]",
            "[2,2026-01-01T12:00:00Z,0,null,0,null,7200]",
            "[9,2026-01-01T12:00:00Z,null,null,null,null,null]");
  }

  @Test
  void aSetIsMadeAgainFromTheSnapshotThatItNames() {
    Workbench other = new Workbench();
    String table = other.lake().sqlName("events");
    other
        .spark()
        .sql(
            "CREATE TABLE %s (user_id BIGINT, at TIMESTAMP, amount INT) USING iceberg"
                .formatted(table));
    other
        .spark()
        .sql("INSERT INTO %s VALUES (1, TIMESTAMP '2026-01-01T00:00:00Z', 5)".formatted(table));
    other.define(
        "w.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events { format = iceberg, table = "%s", timestamp = at } }
        feature-views { w { entity = user, source = events, features = [
          { name = total, aggregate = sum, of = amount, type = bigint, default = -1 } ] } }
        feature-services { s { features = [w.total] } }
        """
            .formatted(table));
    String spine = "SELECT 1L AS user_id, TIMESTAMP '2026-01-02T00:00:00Z' AS event_timestamp";
    String out = other.path("set").toString();
    var set = Training.join(other.spark(), other.spark().sql(spine), "s", settings(other));
    set.save(out);
    // A late event, and another definition: neither is in a set that is made again.
    other
        .spark()
        .sql("INSERT INTO %s VALUES (1, TIMESTAMP '2026-01-01T12:00:00Z', 7)".formatted(table));
    assertThat(
            total(
                Training.join(other.spark(), other.spark().sql(spine), "s", settings(other))
                    .rows()))
        .isEqualTo(12);
    String first = set.manifest();
    String snapshot = first.replaceAll("(?s).*\"snapshotId\": *\"(\\d+)\".*", "$1");
    assertThat(
            total(
                Training.join(
                        other.spark(),
                        other.spark().sql(spine),
                        "s",
                        settings(other, "at=" + snapshot))
                    .rows()))
        .isEqualTo(5);
    other.define("w.conf", Files.definition(table));
    other.spark().sql(spine).write().parquet(other.path("spine").toString());
    assertThat(
            total(
                Training.again(other.spark(), out, settings(other, "spine=" + other.path("spine")))
                    .rows()))
        .isEqualTo(5);
  }

  @Test
  void asBuiltARowHasTheNewestBuildUpToItsTime() {
    define(bench, "daily", FEATURES, "where = \"status <> 'declined'\"");
    bench.build("daily", "2026-01-01T12:00:00Z");
    assertThat(
            trainOn(
                "daily",
                List.of("as=built"),
                "(1, '2026-01-01T12:00:00.000001Z')",
                "(1, '2026-01-01T11:00:00Z')"))
        .containsExactly(
            "[1,2026-01-01T11:00:00Z,null,null,null,null,null]",
            "[1,2026-01-01T12:00:00.000001Z,2,14.00,3,[c, a],0]");
    assertThatThrownBy(() -> trainOn("daily", List.of("as=known"), "(1, '2026-01-01T11:00:00Z')"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "as=known: source 'payments' of view 'daily' does not say when its events arrived");
  }

  @Test
  void repeatedEventsDoNotCountAndLateOnesAreNotKnownBefore() {
    Workbench other = new Workbench();
    String table = other.lake().sqlName("events");
    other
        .spark()
        .sql(
            "CREATE TABLE %s (user_id BIGINT, at TIMESTAMP, id STRING, amount INT, kafka_partition INT, kafka_offset BIGINT, arrived_at TIMESTAMP) USING iceberg"
                .formatted(table));
    other
        .spark()
        .sql(
            """
            INSERT INTO %s SELECT 1L, CAST(concat('2026-01-01T', a, 'Z') AS TIMESTAMP), b, c, d, CAST(e AS BIGINT),
              CAST(concat('2026-01-01T', f, 'Z') AS TIMESTAMP)
            FROM VALUES
              ('00:00:00', 'a', 1, 0, 0, '00:00:01'),
              ('00:10:00', 'b', 10, 0, 1, '02:00:00'),
              -- Within an hour of the first, and long after both; in another partition.
              ('00:00:00', 'a', 7, 0, 2, '00:30:00'),
              ('00:00:00', 'a', 100, 0, 3, '03:00:00'),
              ('00:00:00', 'a', 1000, 1, 0, '00:40:00'),
              ('00:20:00', null, 10000, 0, 4, '00:20:00'),
              ('00:20:00', null, 100000, 0, 5, '00:20:00') AS rows(a, b, c, d, e, f)"""
                .formatted(table));
    other.define(
        "w.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events {
          format = iceberg, table = "%s", timestamp = at, event-id = id, event-id-horizon = 1h
        } }
        feature-views { w { entity = user, source = events, features = [
          { name = total, aggregate = sum, of = amount, type = bigint } ] } }
        feature-services { s { features = [w.total] } }
        """
            .formatted(table));
    assertThat(known(other, "04:00:00")).isEqualTo(111_111);
    assertThat(known(other, "01:00:00", "as=known")).isEqualTo(111_001);
    assertThat(known(other, "02:30:00", "as=known")).isEqualTo(111_011);
    assertThat(known(other, "04:00:00", "as=known")).isEqualTo(111_111);
  }

  private static Object known(Workbench bench, String time, String... options) {
    String spine =
        "SELECT 1L AS user_id, TIMESTAMP '2026-01-01T%sZ' AS event_timestamp".formatted(time);
    return total(
        Training.join(bench.spark(), bench.spark().sql(spine), "s", settings(bench, options))
            .rows());
  }

  @Test
  void aSumThatDoesNotFitNamesItsFeature() {
    Workbench other = new Workbench();
    String table = other.lake().sqlName("events");
    other
        .spark()
        .sql(
            "CREATE TABLE %s (user_id BIGINT, at TIMESTAMP, n BIGINT) USING iceberg"
                .formatted(table));
    other
        .spark()
        .sql(
            "INSERT INTO %s VALUES (1, TIMESTAMP '2026-01-01T00:00:00Z', 9223372036854775807), (1, TIMESTAMP '2026-01-01T00:00:01Z', 1)"
                .formatted(table));
    other.define(
        "w.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events { format = iceberg, table = "%s", timestamp = at } }
        feature-views { w { entity = user, source = events, features = [
          { name = total, aggregate = sum, of = n, type = bigint } ] } }
        """
            .formatted(table));
    other.build("w", "2026-01-01T00:00:00Z");
    assertThatThrownBy(() -> other.build("w", "2026-01-02T00:00:00Z"))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("feature 'total' of user_id=1 at 2026-01-02T00:00:00Z: ")
        .hasMessageContaining("9223372036854775808");
  }

  @Test
  void orderAndPartitionsOfEventsChangeNoBit() {
    Dataset<Row> events =
        bench
            .spark()
            .sql(
                """
                SELECT id % 7 AS user_id,
                  timestamp_seconds(1767225600 + CAST(pmod(xxhash64(id), 200000) / 100 AS BIGINT) * 100) AS at,
                  CASE WHEN id % 91 = 0 THEN double('NaN') WHEN id % 17 = 0 THEN 1e308
                    WHEN id % 13 = 0 THEN -1e308 WHEN id % 11 = 0 THEN double('-0.0')
                    ELSE pow(1.7, pmod(xxhash64(id, 1), 400) - 200) END AS x
                FROM range(3000)""");
    List<List<String>> built = new ArrayList<>();
    for (int way = 0; way < 3; way++) {
      Workbench other = new Workbench();
      Dataset<Row> ordered =
          way == 0
              ? events.orderBy("at").coalesce(1)
              : events.repartition(
                  1 + 3 * way, functions.xxhash64(functions.col("x"), functions.lit(way)));
      ordered.write().parquet(other.path("events").toString());
      other.define(
          "w.conf",
          """
          entities { user { keys = [{ name = user_id, type = bigint }] } }
          sources { events {
            format = parquet, path = "%s", timestamp = at
            schema = "user_id BIGINT, at TIMESTAMP, x DOUBLE"
          } }
          feature-views { w { entity = user, source = events, features = [
            { name = a, aggregate = sum, of = x, window = 1h }, { name = b, aggregate = avg, of = x, window = 1d }
            { name = c, aggregate = variance, of = x, window = 1d }, { name = d, aggregate = stddev, of = "x / 3", window = 1h }
            { name = e, aggregate = min, of = x, window = 1d }, { name = f, aggregate = last, of = x, window = 1d }
            { name = g, aggregate = { last = 9 }, of = x }, { name = h, aggregate = first, of = x }
            { name = i, aggregate = count-distinct, of = x } ] } }
          """
              .formatted(other.path("events")));
      other.build("w", "2026-01-01T06:00:00Z", "2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z");
      built.add(
          other
              .spark()
              .sql(
                  "SELECT * FROM %s ORDER BY event_timestamp, user_id"
                      .formatted(other.lake().sqlName("w")))
              .collectAsList()
              .stream()
              .map(Row::toString)
              .toList());
    }
    assertThat(built.get(0)).hasSize(21).isEqualTo(built.get(1)).isEqualTo(built.get(2));
    assertThat(built.get(0).toString()).contains("NaN").contains("-0.0").contains("E");
  }

  @Test
  void whatTheSourceDoesNotHaveIsRefused() {
    define(bench, "wrong", "{ name = x, aggregate = sum, of = \"amount\", type = double }", "");
    assertThatThrownBy(() -> bench.build("wrong", "2026-01-02T00:00:00Z"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "feature 'x' is double, but sum of decimal(12,2) gives decimal(22,2)");
    define(bench, "wrong", "{ name = x, aggregate = sum, of = \"amuont\", type = double }", "");
    assertThatThrownBy(() -> bench.build("wrong", "2026-01-02T00:00:00Z"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("of = amuont does not resolve");
  }

  /** Definitions of another text, so that a manifest is seen to be enough. */
  private static final class Files {

    static String definition(String table) {
      return """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events { format = iceberg, table = "%s", timestamp = at } }
        feature-views { w { entity = user, source = events, features = [
          { name = total, aggregate = count, default = -1 } ] } }
        feature-services { s { features = [w.total] } }
        """
          .formatted(table);
    }
  }

  private static Object total(Dataset<Row> rows) {
    return ((Number) rows.select("total").head().get(0)).intValue();
  }

  private String table() {
    return bench.lake().sqlName("payments");
  }

  private void insert(String... rows) {
    bench
        .spark()
        .sql(
            "INSERT INTO %s SELECT CAST(a AS BIGINT), CAST(b AS TIMESTAMP), c, CAST(d AS DECIMAL(12,2)), e FROM VALUES %s AS rows(a, b, c, d, e)"
                .formatted(table(), String.join(", ", rows)));
  }

  private void define(Workbench bench, String view, String features, String more) {
    bench.define(
        view + ".conf",
        """
        entities { user_of_%1$s { keys = [{ name = user_id, type = bigint }] } }
        feature-views { %1$s { entity = user_of_%1$s, source = payments, %3$s, features = [
          %2$s
        ] } }
        feature-services { service_of_%1$s { features = [%4$s] } }
        """
            .formatted(view, features, more.isEmpty() ? "tags = []" : more, names(view, features)));
    bench.define(
        "source.conf",
        "sources { payments { format = iceberg, table = \"%s\", timestamp = at } }"
            .formatted(table()));
  }

  private static String names(String view, String features) {
    List<String> names = new ArrayList<>();
    for (String line : features.lines().toList()) {
      if (line.contains("name = ")) {
        names.add(view + "." + line.replaceAll(".*?name = (\\w+).*", "$1"));
      }
    }
    return String.join(", ", names);
  }

  private List<String> rows(String view) {
    return bench
        .spark()
        .sql(
            "SELECT * FROM %s ORDER BY event_timestamp, user_id"
                .formatted(bench.lake().sqlName(view)))
        .collectAsList()
        .stream()
        .map(TestWindowViews::text)
        .toList();
  }

  private List<String> train(String... rows) {
    return trainOn("recent", List.of(), rows);
  }

  private List<String> trainOn(String view, List<String> options, String... rows) {
    Dataset<Row> spine =
        bench
            .spark()
            .sql(
                "SELECT CAST(id AS BIGINT) AS user_id, CAST(at AS TIMESTAMP) AS event_timestamp FROM VALUES %s AS rows(id, at)"
                    .formatted(String.join(", ", rows)));
    return Training.join(
            bench.spark(),
            spine,
            "service_of_" + view,
            settings(bench, options.toArray(new String[0])))
        .rows()
        .collectAsList()
        .stream()
        .map(TestWindowViews::text)
        .sorted()
        .toList();
  }

  private static String text(Row row) {
    return row.toString().replaceAll("ArraySeq\\(|WrappedArray\\(", "[").replaceAll("\\)", "]");
  }
}
