package dev.tarn.bench.train;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** The tables and spines that are read, in a folder and a catalog of their own. */
final class TrainTables {

  /** A day in microseconds. */
  private static final long DAY = 86_400_000_000L;

  private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");

  private final Lake lake;
  private final Settings settings;
  private final Console console;
  private final Path folder;
  private final TrainSizes sizes;

  /** Snapshots by view and number of as-ofs. */
  private final Map<String, Map<Integer, Long>> snapshots = new TreeMap<>();

  TrainTables(Lake lake, Settings settings, Console console, Path folder, TrainSizes sizes) {
    this.lake = lake;
    this.settings = settings;
    this.console = console;
    this.folder = folder;
    this.sizes = sizes;
  }

  /** Makes everything; tables of the same sizes from an earlier run are used again. */
  void prepare() throws IOException {
    Files.createDirectories(folder.resolve("features"));
    Files.createDirectories(folder.resolve("limited"));
    Files.writeString(folder.resolve("features/bench.conf"), definitions(""));
    Files.writeString(folder.resolve("limited/bench.conf"), definitions("max-age = 2d"));
    lake.spark()
        .range(1)
        .select(functions.lit(0L).as("user_id"), functions.lit(Timestamp.from(FIRST)).as("at"))
        .write()
        .mode("overwrite")
        .parquet(folder.resolve("none").toString());
    List<String> views =
        new ArrayList<>(IntStream.rangeClosed(1, TrainSizes.VIEWS).mapToObj(v -> "v" + v).toList());
    if (sizes.hot() > 0) {
      views.add("hot");
    }
    Definitions definitions = Definitions.load(settings);
    for (String view : views) {
      prepare(view, definitions);
    }
    for (int count : sizes.asOfs()) {
      newSpine(0, count).write().mode("overwrite").parquet(spinePath("all", count));
      newSpine(count - 1, count).write().mode("overwrite").parquet(spinePath("last", count));
    }
  }

  private void prepare(String view, Definitions definitions) {
    List<Integer> counts = asOfs(view);
    if (counts.isEmpty()) {
      return;
    }
    String made = "%s %d %d %d".formatted(view, sizes.entities(), sizes.features(), sizes.hot());
    FeatureTable table = FeatureTable.find(lake.catalog(), view).orElse(null);
    if (table != null
        && made.equals(table.iceberg().properties().get("bench.made"))
        && counts.stream().allMatch(count -> table.iceberg().refs().containsKey(tag(count)))) {
      for (int count : counts) {
        note(view, count, table.iceberg().refs().get(tag(count)).snapshotId());
      }
      return;
    }
    if (table != null) {
      lake.catalog().drop(view);
    }
    console.say("making table %s", view);
    // A build makes the table as builds do; the rows are written past it, as that is quicker.
    var unused =
        new Build(lake, Console.silent()).build(definitions.view(view), List.of(FIRST), false);
    if (view.equals("hot")) {
      write(view, hotRows());
      counts.forEach(count -> tag(view, count));
    } else {
      for (int day = 0; day < counts.get(counts.size() - 1); day++) {
        write(view, rowsOf(view, day));
        if (counts.contains(day + 1)) {
          tag(view, day + 1);
        }
      }
    }
    FeatureTable written = FeatureTable.find(lake.catalog(), view).orElseThrow();
    written.iceberg().updateProperties().set("bench.made", made).commit();
  }

  /** The folder of definitions: {@code features}, or {@code limited} with a max age. */
  Path folderOf(String which) {
    return folder.resolve(which);
  }

  /** The snapshot of a view with a number of as-ofs. */
  long snapshot(String view, int count) {
    return snapshots.get(view).get(count);
  }

  /** Reads a spine: {@code all}, or {@code last} with rows of the last day only. */
  Dataset<Row> spine(String which, int count) {
    return lake.spark().read().parquet(spinePath(which, count));
  }

  /** Makes a spine of one entity, each row just behind one of its history. */
  Dataset<Row> hotSpine() {
    return lake.spark()
        .range(0, sizes.hot(), 1, 4)
        .select(
            functions.lit(1L).as("user_id"),
            functions
                .timestamp_micros(
                    functions
                        .col("id")
                        .multiply(10_000_000L)
                        .plus(FIRST.getEpochSecond() * 1_000_000 + 1))
                .as("event_timestamp"),
            functions.col("id").as("label"));
  }

  private List<Integer> asOfs(String view) {
    return switch (view) {
      case "hot" -> List.of(1);
      case "v1" -> sizes.asOfs();
      default -> sizes.wideAsOfs();
    };
  }

  private String definitions(String more) {
    StringBuilder text =
        new StringBuilder("entities { user { keys = [{ name = user_id, type = bigint }] } }\n");
    text.append(
        "sources { none { format = parquet, path = \"%s\" } }\n".formatted(folder.resolve("none")));
    for (int v = 0; v <= TrainSizes.VIEWS; v++) {
      String view = v == 0 ? "hot" : "v" + v;
      text.append(
          """
          feature-views { %s {
            entity = user, sources = [none]
            %s
            sql = "SELECT user_id, %s FROM none WHERE at < :as_of"
            features = [%s]
          } }
          feature-services { %s { features = [%s] } }
          """
              .formatted(
                  view,
                  more,
                  sizes.names(view).stream()
                      .map(name -> "CAST(0 AS DOUBLE) AS " + name)
                      .collect(Collectors.joining(", ")),
                  sizes.names(view).stream()
                      .map("{ name = %s, type = double }"::formatted)
                      .collect(Collectors.joining(", ")),
                  view.equals("hot") ? "hottest" : "one" + v,
                  full(view)));
    }
    text.append(
        "feature-services { four { features = [%s] } }\n"
            .formatted(
                IntStream.rangeClosed(1, TrainSizes.VIEWS)
                    .mapToObj(v -> full("v" + v))
                    .collect(Collectors.joining(", "))));
    return text.toString();
  }

  private String full(String view) {
    return sizes.names(view).stream()
        .map(name -> view + "." + name)
        .collect(Collectors.joining(", "));
  }

  /** Makes a row of every entity. */
  private Dataset<Row> rowsOf(String view, int day) {
    List<Column> columns = new ArrayList<>();
    columns.add(functions.col("id").as("user_id"));
    columns.add(
        functions.lit(Timestamp.from(FIRST.plus(Duration.ofDays(day)))).as("event_timestamp"));
    return withFeatures(lake.spark().range(sizes.entities()).toDF(), view, columns, day);
  }

  /** Makes rows of one entity, ten seconds apart. */
  private Dataset<Row> hotRows() {
    List<Column> columns = new ArrayList<>();
    columns.add(functions.lit(1L).as("user_id"));
    columns.add(
        functions
            .timestamp_micros(
                functions.col("id").multiply(10_000_000L).plus(FIRST.getEpochSecond() * 1_000_000))
            .as("event_timestamp"));
    return withFeatures(lake.spark().range(0, sizes.hot(), 1, 1).toDF(), "hot", columns, 0);
  }

  private Dataset<Row> withFeatures(Dataset<Row> ids, String view, List<Column> columns, int seed) {
    List<String> names = sizes.names(view);
    for (int f = 0; f < sizes.features(); f++) {
      columns.add(
          functions
              .xxhash64(functions.col("id"), functions.lit(seed), functions.lit(f))
              .divide(1e15)
              .as(names.get(f)));
    }
    return ids.select(columns.toArray(new Column[0]));
  }

  private void write(String view, Dataset<Row> rowsOfView) {
    try {
      rowsOfView
          .writeTo(lake.sqlName(view))
          // The rows come in the table's order, and each as-of is one partition.
          .option("use-table-distribution-and-ordering", "false")
          .append();
    } catch (Exception e) { // Scala does not declare NoSuchTableException
      throw new TarnException("the benchmark's tables can't be written: " + e.getMessage(), e);
    }
  }

  private void tag(String view, int count) {
    FeatureTable table = FeatureTable.find(lake.catalog(), view).orElseThrow();
    long snapshot = table.main().orElseThrow().snapshotId();
    table.refs().change(refs -> refs.createTag(tag(count), snapshot));
    note(view, count, snapshot);
  }

  private static String tag(int count) {
    return "as-ofs-" + count;
  }

  private void note(String view, int count, long snapshot) {
    snapshots.computeIfAbsent(view, name -> new TreeMap<>()).put(count, snapshot);
  }

  private String spinePath(String which, int count) {
    return folder.resolve("spine-%s-%d".formatted(which, count)).toString();
  }

  /** Makes rows of any entity at any time, from one as-of until the day of another is over. */
  private Dataset<Row> newSpine(int first, int end) {
    Column micros =
        functions
            .pmod(
                functions.xxhash64(functions.col("id"), functions.lit("at")),
                functions.lit((end - first) * DAY))
            .plus(FIRST.getEpochSecond() * 1_000_000 + first * DAY);
    return lake.spark()
        .range(0, sizes.rows(), 1, 4)
        .select(
            functions
                .pmod(functions.xxhash64(functions.col("id")), functions.lit(sizes.entities()))
                .as("user_id"),
            functions.timestamp_micros(micros).as("event_timestamp"),
            functions.col("id").mod(2).as("label"));
  }
}
