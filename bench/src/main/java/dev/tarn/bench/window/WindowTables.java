package dev.tarn.bench.window;

import dev.tarn.bench.window.WindowSizes.Window;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The event tables, spines and definitions, in a folder and a catalog of their own. */
final class WindowTables {

  static final String EVENTS = "events";
  static final String SHORT_EVENTS = "events_short";
  static final String HOT_EVENTS = "events_hot";

  private final Lake lake;
  private final Console console;
  private final Path folder;
  private final WindowSizes sizes;

  WindowTables(Lake lake, Console console, Path folder, WindowSizes sizes) {
    this.lake = lake;
    this.console = console;
    this.folder = folder;
    this.sizes = sizes;
  }

  /** Makes everything; tables of the same sizes from an earlier run are used again. */
  void prepare() throws IOException {
    Files.createDirectories(definitions());
    Files.writeString(definitions().resolve("bench.conf"), hocon());
    write(EVENTS, sizes.events(), sizes.entities(), WindowSizes.DAYS);
    write(
        SHORT_EVENTS,
        sizes.events() * WindowSizes.SHORT_DAYS / WindowSizes.DAYS,
        sizes.entities(),
        WindowSizes.SHORT_DAYS);
    writeSpine("rows", sizes.rows(), sizes.entities());
    if (sizes.hot() > 0) {
      write(HOT_EVENTS, sizes.hot(), 1, WindowSizes.DAYS);
      writeSpine("hot", sizes.hot(), 1);
    }
  }

  /** The folder of definitions. */
  Path definitions() {
    return folder.resolve("features");
  }

  /** The name of an event table in SQL. */
  String sqlName(String table) {
    return lake.sqlName(table);
  }

  /** The rows that ask: id, user_id, event_timestamp, label. */
  Dataset<Row> spine() {
    return lake.spark().read().parquet(spinePath("rows"));
  }

  /** The first rows of the spine by their ids, which say nothing of their times. */
  Dataset<Row> spine(long count) {
    return count == sizes.rows() ? spine() : spine().filter("id < " + count);
  }

  /** Those within the days of the shorter history: a quarter of them. */
  Dataset<Row> shortSpine() {
    return spine()
        .filter(
            "event_timestamp < TIMESTAMP '%s' + INTERVAL '%d' DAY"
                .formatted(WindowSizes.FIRST, WindowSizes.SHORT_DAYS));
  }

  /** Rows of one entity. */
  Dataset<Row> hotSpine() {
    return lake.spark().read().parquet(spinePath("hot"));
  }

  private String spinePath(String which) {
    return folder.resolve("spine-" + which).toString();
  }

  /** Makes rows of any entity at any whole second. */
  private void writeSpine(String which, long count, long entities) {
    lake.spark()
        .range(0, count, 1, 4)
        .selectExpr(
            "id",
            entity("row of", entities) + " AS user_id",
            "timestamp_seconds(%d + pmod(xxhash64(id, 'row at'), %d)) AS event_timestamp"
                .formatted(WindowSizes.FIRST.getEpochSecond(), WindowSizes.DAYS * 86_400),
            "id % 2 AS label")
        .write()
        .mode("overwrite")
        .parquet(spinePath(which));
  }

  /** Makes an event table, divided by day as archived events are. */
  private void write(String name, long count, long entities, int days) {
    String made =
        "%d events of %d entities in %d days, skew %d"
            .formatted(count, entities, days, sizes.skew());
    Table there = lake.catalog().find(name).orElse(null);
    if (there != null) {
      if (made.equals(there.properties().get("bench.made"))) {
        return;
      }
      lake.catalog().drop(name);
    }
    console.say("making %,d events in table %s", count, name);
    events(count, entities, days).createOrReplaceTempView("bench_events");
    try {
      lake.spark()
          .sql(
              """
              CREATE TABLE %s USING iceberg PARTITIONED BY (days(event_time))
              TBLPROPERTIES ('bench.made' = '%s') AS SELECT * FROM bench_events
              """
                  .formatted(lake.sqlName(name), made));
    } catch (Exception e) { // Scala does not declare AnalysisException
      throw new TarnException("the benchmark's tables can't be written: " + e.getMessage(), e);
    }
  }

  /** Makes events at whole seconds, evenly spread; every tenth arrives up to three days late. */
  private Dataset<Row> events(long count, long entities, int days) {
    return lake.spark()
        .range(0, count, 1, 4)
        .selectExpr(
            "id",
            entity("event of", entities) + " AS user_id",
            "concat('merchant ', pmod(xxhash64(id, 'merchant'), 5000)) AS merchant",
            "CAST(pmod(xxhash64(id, 'amount'), 100000) * 0.01BD AS DECIMAL(12,2)) AS amount",
            "pmod(xxhash64(id, 'score'), 1000000) / 1e6 AS score",
            "timestamp_seconds(%d + pmod(xxhash64(id, 'at'), %d)) AS event_time"
                .formatted(WindowSizes.FIRST.getEpochSecond(), days * 86_400))
        .selectExpr(
            "user_id",
            "merchant",
            "amount",
            "score",
            "event_time",
            """
            timestamp_seconds(unix_seconds(event_time)
              + IF(id % 10 = 0, pmod(xxhash64(id, 'late'), 259200), 1)) AS arrived_at
            """);
  }

  /** Makes messages of a topic: events as JSON. */
  Dataset<Row> messages() {
    return events(sizes.messages(), sizes.entities(), WindowSizes.DAYS)
        .selectExpr("to_json(struct(user_id, merchant, amount, score, event_time)) AS value");
  }

  /** Chooses an entity: the k-th takes a share that falls with k as {@code skew} says. */
  private String entity(String what, long entities) {
    return "CAST(%d * pow(pmod(xxhash64(id, '%s'), 1000000000) / 1e9, %d) AS BIGINT)"
        .formatted(entities, what, sizes.skew());
  }

  private String hocon() {
    return """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources {
          events { format = iceberg, table = "%s", timestamp = event_time }
          short { format = iceberg, table = "%s", timestamp = event_time }
          hot { format = iceberg, table = "%s", timestamp = event_time }
          stream {
            format = kafka, topic = events, value = json, timestamp = event_time
            schema = "user_id BIGINT, merchant STRING, amount DECIMAL(12,2), score DOUBLE, event_time TIMESTAMP"
            table = "bench.archived"
          }
        }
        """
            .formatted(sqlName(EVENTS), sqlName(SHORT_EVENTS), sqlName(HOT_EVENTS))
        + view(WindowSizes.FIVE, "events", sums(WindowSizes.FIVE))
        + view("hour", "events", sum("hour", WindowSizes.HOUR))
        + view("month", "events", sum("month", WindowSizes.MONTH))
        + view(
            "mixed",
            "events",
            """
                { name = payments_1m, aggregate = count, window = 1m }
                { name = spend_1h, aggregate = sum, of = amount, window = 1h, type = "decimal(22,2)" }
                { name = spend_avg_30d, aggregate = avg, of = amount, window = 30d, resolution = 1h, type = "decimal(16,6)" }
                { name = merchants_7d, aggregate = count-distinct, of = merchant, window = 7d, type = bigint }
                { name = last_5, aggregate = { last = 5 }, of = merchant, window = 7d, type = "array<string>" }
                { name = idle_seconds, aggregate = seconds-since-last }
            """)
        + view("fewer_days", "short", sums("fewer_days"))
        + (sizes.hot() > 0 ? view("one_entity", "hot", sums("one_entity")) : "");
  }

  private static String view(String name, String source, String features) {
    List<String> names =
        features
            .lines()
            .map(line -> name + "." + line.replaceAll(".*name = (\\w+),.*", "$1"))
            .toList();
    return """
        feature-views { %1$s { entity = user, source = %2$s, features = [
        %3$s] } }
        feature-services { %1$s { features = [%4$s] } }
        """
        .formatted(name, source, features, String.join(", ", names));
  }

  private static String sums(String view) {
    return WindowSizes.WINDOWS.stream()
        .map(window -> sum(view, window))
        .collect(Collectors.joining());
  }

  private static String sum(String view, Window window) {
    return """
            { name = %s, aggregate = sum, of = amount, window = %s, resolution = %ds, type = "decimal(22,2)" }
        """
        .formatted(window.feature(view), window.word(), window.resolution().toSeconds());
  }
}
