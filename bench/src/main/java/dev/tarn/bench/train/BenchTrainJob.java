package dev.tarn.bench.train;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.LiveHeap;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.train.Training;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * The command {@code bench train}: the same spine joined to the same tables by Tarn and in two
 * other ways, in turn, in one run. All read the same Iceberg snapshots and give all columns to a
 * sink that drops them. Everything happens in a folder and a catalog of its own; tables that are
 * there from an earlier run of the same sizes are used again. Where something is stopped, since it
 * takes too long, ratios to it are bounds.
 */
public final class BenchTrainJob {

  private static final int VIEWS = 4;

  /** In microseconds. */
  private static final long DAY = 86_400_000_000L;

  private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");

  private final Lake lake;
  private final Settings settings;
  private final Console console;
  private final Path folder;
  private final List<String> words;
  private final long rows;
  private final long entities;
  private final int features;
  private final long hot;
  private final int runs;
  private final boolean hasRivals;
  private final long patience;
  private final List<Integer> asOfs;

  /** Of these, those with all views. */
  private final List<Integer> wideAsOfs;

  /** By view, then by number of as-ofs. */
  private final Map<String, Map<Integer, Long>> snapshots = new TreeMap<>();

  /** By what was measured: the seconds of each run. */
  private final Map<String, List<Double>> seconds = new LinkedHashMap<>();

  /** What took longer than patience lasts; its seconds are those until then. */
  private final Set<String> stopped = new LinkedHashSet<>();

  private long liveHeap;

  private BenchTrainJob(
      Lake lake, Settings settings, Console console, CommandLine line, Path folder) {
    this.lake = lake;
    this.settings = settings;
    this.console = console;
    this.folder = folder;
    this.words = line.settingWords();
    this.rows = line.number("rows", 1_000, 2_000_000);
    this.entities = line.number("entities", 100, 1_000_000);
    this.features = (int) line.number("features", 1, 5);
    this.hot = line.number("hot", 0, 1_000_000);
    this.runs = (int) line.number("runs", 1, 3);
    this.hasRivals = !line.optional("rivals").orElse("true").equals("false");
    this.patience = line.number("patience", 1, 600);
    this.asOfs = asOfs(line, "as-ofs", List.of("5", "20", "100"));
    this.wideAsOfs =
        asOfs(line, "wide", asOfs.stream().filter(n -> n <= 20).map(String::valueOf).toList());
    if (!asOfs.containsAll(wideAsOfs)) {
      throw new UsageException("wide=%s: take some of as-ofs=%s".formatted(wideAsOfs, asOfs));
    }
  }

  /** The command {@code bench train}. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    Path folder = given.state().resolve("bench").resolve("train");
    Settings settings = BenchSettings.of(line, folder, 1);
    try (Lake lake = Lake.open(settings)) {
      BenchTrainJob job = new BenchTrainJob(lake, settings, console, line, folder);
      job.prepare();
      job.measure();
      console.result(asJson ? job.json().toString() : job.table());
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  private static List<Integer> asOfs(CommandLine line, String name, List<String> otherwise) {
    List<String> given = line.has(name) ? line.list(name) : otherwise;
    try {
      return given.stream().map(Integer::parseInt).filter(n -> n > 0).sorted().toList();
    } catch (NumberFormatException e) {
      throw new UsageException("%1$s=%2$s: write %1$s=5,20".formatted(name, given), e);
    }
  }

  private void prepare() throws IOException {
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
        new ArrayList<>(IntStream.rangeClosed(1, VIEWS).mapToObj(v -> "v" + v).toList());
    if (hot > 0) {
      views.add("hot");
    }
    Definitions definitions = Definitions.load(settings);
    for (String view : views) {
      List<Integer> counts = asOfs(view);
      if (counts.isEmpty()) {
        continue;
      }
      String made = "%s %d %d %d".formatted(view, entities, features, hot);
      FeatureTable table = FeatureTable.find(lake.catalog(), view).orElse(null);
      if (table != null
          && made.equals(table.iceberg().properties().get("bench.made"))
          && counts.stream().allMatch(count -> table.iceberg().refs().containsKey(tag(count)))) {
        for (int count : counts) {
          note(view, count, table.iceberg().refs().get(tag(count)).snapshotId());
        }
        continue;
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
    for (int count : asOfs) {
      spine(0, count).write().mode("overwrite").parquet(spinePath("all", count));
      spine(count - 1, count).write().mode("overwrite").parquet(spinePath("last", count));
    }
  }

  private List<Integer> asOfs(String view) {
    return switch (view) {
      case "hot" -> List.of(1);
      case "v1" -> asOfs;
      default -> wideAsOfs;
    };
  }

  private List<Integer> views(int count) {
    return wideAsOfs.contains(count) ? List.of(1, VIEWS) : List.of(1);
  }

  private String definitions(String more) {
    StringBuilder text =
        new StringBuilder("entities { user { keys = [{ name = user_id, type = bigint }] } }\n");
    text.append(
        "sources { none { format = parquet, path = \"%s\" } }\n".formatted(folder.resolve("none")));
    for (int v = 0; v <= VIEWS; v++) {
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
                  names(view).stream()
                      .map(name -> "CAST(0 AS DOUBLE) AS " + name)
                      .collect(Collectors.joining(", ")),
                  names(view).stream()
                      .map("{ name = %s, type = double }"::formatted)
                      .collect(Collectors.joining(", ")),
                  view.equals("hot") ? "hottest" : "one" + v,
                  full(view)));
    }
    text.append(
        "feature-services { four { features = [%s] } }\n"
            .formatted(
                IntStream.rangeClosed(1, VIEWS)
                    .mapToObj(v -> full("v" + v))
                    .collect(Collectors.joining(", "))));
    return text.toString();
  }

  private List<String> names(String view) {
    return IntStream.range(0, features).mapToObj(f -> view + "_f" + f).toList();
  }

  private String full(String view) {
    return names(view).stream().map(name -> view + "." + name).collect(Collectors.joining(", "));
  }

  /** A row of every entity. */
  private Dataset<Row> rowsOf(String view, int day) {
    List<Column> columns = new ArrayList<>();
    columns.add(functions.col("id").as("user_id"));
    columns.add(
        functions.lit(Timestamp.from(FIRST.plus(Duration.ofDays(day)))).as("event_timestamp"));
    return withFeatures(lake.spark().range(entities).toDF(), view, columns, day);
  }

  /** All of one entity, ten seconds apart. */
  private Dataset<Row> hotRows() {
    List<Column> columns = new ArrayList<>();
    columns.add(functions.lit(1L).as("user_id"));
    columns.add(
        functions
            .timestamp_micros(
                functions.col("id").multiply(10_000_000L).plus(FIRST.getEpochSecond() * 1_000_000))
            .as("event_timestamp"));
    return withFeatures(lake.spark().range(0, hot, 1, 1).toDF(), "hot", columns, 0);
  }

  private Dataset<Row> withFeatures(Dataset<Row> ids, String view, List<Column> columns, int seed) {
    List<String> names = names(view);
    for (int f = 0; f < features; f++) {
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
          // They come in the table's order, and each as-of is one partition.
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

  /** Rows of any entity at any time from one as-of on until the day of another one is over. */
  private Dataset<Row> spine(int first, int end) {
    Column micros =
        functions
            .pmod(
                functions.xxhash64(functions.col("id"), functions.lit("at")),
                functions.lit((end - first) * DAY))
            .plus(FIRST.getEpochSecond() * 1_000_000 + first * DAY);
    return lake.spark()
        .range(0, rows, 1, 4)
        .select(
            functions
                .pmod(functions.xxhash64(functions.col("id")), functions.lit(entities))
                .as("user_id"),
            functions.timestamp_micros(micros).as("event_timestamp"),
            functions.col("id").mod(2).as("label"));
  }

  private void measure() {
    for (int run = 0; run <= runs; run++) {
      boolean isWarmUp = run == 0;
      console.say(isWarmUp ? "warm-up" : "run %d of %d", run, runs);
      for (int count : isWarmUp ? asOfs.subList(0, 1) : asOfs) {
        for (int views : isWarmUp ? List.of(1) : views(count)) {
          String service = views == 1 ? "one1" : "four";
          take("Tarn", views, count, isWarmUp, () -> tarn(service, views, count, "features"));
          take(
              "Tarn, rows of the last day, max age 2 d",
              views,
              count,
              isWarmUp,
              () -> tarn(service, views, count, "limited"));
          if (hasRivals) {
            take("union and one window", views, count, isWarmUp, () -> union(views, count));
            take(
                "join on entity and time, row_number",
                views,
                count,
                isWarmUp,
                () -> joinAndRank(views, count));
          }
        }
      }
    }
    if (hot > 0) {
      console.say("one entity: %,d rows of its history, as many of the spine", hot);
      LiveHeap heap = new LiveHeap();
      Dataset<Row> spine =
          lake.spark()
              .range(0, hot, 1, 4)
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
      take(
          "Tarn, one entity of %,d rows".formatted(hot),
          1,
          1,
          false,
          () -> drop(Training.join(lake.spark(), spine, "hottest", options("features")).rows()));
      liveHeap = heap.peak();
    }
  }

  private void take(String name, int views, int count, boolean isWarmUp, Runnable work) {
    String what = name(name, views, count);
    if (stopped.contains(what)) {
      return;
    }
    long start = System.nanoTime();
    boolean isDone = isDoneInTime(work);
    double took = (System.nanoTime() - start) / 1e9;
    console.say(isDone ? "  %s: %.1f s" : "  %s: stopped after %.1f s", what, took);
    if (!isDone) {
      stopped.add(what);
    }
    if (!isWarmUp || !isDone) {
      seconds.computeIfAbsent(what, key -> new ArrayList<>()).add(took);
    }
  }

  /** Whether the work was done before patience ended; if not, it is stopped. */
  private boolean isDoneInTime(Runnable work) {
    SparkContext context = lake.spark().sparkContext();
    AtomicBoolean isLate = new AtomicBoolean();
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    try {
      var unused =
          clock.scheduleWithFixedDelay(
              () -> {
                isLate.set(true);
                context.cancelAllJobs();
              },
              patience,
              1,
              TimeUnit.SECONDS);
      work.run();
      return true;
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare SparkException
      if (isLate.get()) {
        return false;
      }
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    } finally {
      clock.shutdownNow();
    }
  }

  private static String name(String name, int views, int count) {
    return "%s; %d %s, %d as-ofs".formatted(name, views, views == 1 ? "view" : "views", count);
  }

  private void tarn(String service, int views, int count, String definitions) {
    Map<String, String> options = options(definitions);
    for (int v = 1; v <= views; v++) {
      options.put("at.v" + v, Long.toString(snapshots.get("v" + v).get(count)));
    }
    drop(
        Training.join(
                lake.spark(),
                lake.spark()
                    .read()
                    .parquet(spinePath(definitions.equals("limited") ? "last" : "all", count)),
                service,
                options)
            .rows());
  }

  private Map<String, String> options(String definitions) {
    Map<String, String> options = new TreeMap<>();
    words.forEach(
        word ->
            options.put(
                word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1)));
    options.put("definitions", folder.resolve(definitions).toString());
    return options;
  }

  /** As Feast's Spark store publishes it: each pair of a row and an older one, then the newest. */
  private void joinAndRank(int views, int count) {
    lake.spark().read().parquet(spinePath("all", count)).createOrReplaceTempView("bench_spine");
    StringBuilder sql =
        new StringBuilder(
            "WITH spine AS (SELECT *, concat(user_id, ' ', event_timestamp) AS row_id FROM bench_spine)");
    StringBuilder select = new StringBuilder(" SELECT s.user_id, s.event_timestamp, s.label");
    StringBuilder joins = new StringBuilder(" FROM spine s");
    for (int v = 1; v <= views; v++) {
      String columns = String.join(", ", names("v" + v));
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
              .formatted(v, columns, lake.sqlName("v" + v), snapshots.get("v" + v).get(count)));
      select.append(", ").append(columns);
      joins.append(" LEFT JOIN latest%1$d ON latest%1$d.row_id = s.row_id".formatted(v));
    }
    drop(lake.spark().sql(sql.append(select).append(joins).toString()));
  }

  /** The spine and whole histories under each other, and what was last seen of each. */
  private void union(int views, int count) {
    lake.spark().read().parquet(spinePath("all", count)).createOrReplaceTempView("bench_spine");
    StringBuilder all = new StringBuilder("SELECT user_id, event_timestamp, 1 AS kind, label");
    for (int v = 1; v <= views; v++) {
      all.append(", CAST(NULL AS %s) AS s%d".formatted(structType(v), v));
    }
    all.append(" FROM bench_spine");
    for (int h = 1; h <= views; h++) {
      all.append(" UNION ALL SELECT user_id, event_timestamp, 0, NULL");
      for (int v = 1; v <= views; v++) {
        all.append(v == h ? ", struct(%s)".formatted(String.join(", ", names("v" + v))) : ", NULL");
      }
      all.append(
          " FROM %s VERSION AS OF %d"
              .formatted(lake.sqlName("v" + h), snapshots.get("v" + h).get(count)));
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
    return names("v" + view).stream()
        .map(name -> name + ": DOUBLE")
        .collect(Collectors.joining(", ", "STRUCT<", ">"));
  }

  private static void drop(Dataset<Row> rowsOfSet) {
    rowsOfSet.write().format("noop").mode("overwrite").save();
  }

  private double median(String what) {
    List<Double> sorted = seconds.get(what).stream().sorted().toList();
    return sorted.get((sorted.size() - 1) / 2);
  }

  private Map<String, Double> ratios() {
    Map<String, Double> ratios = new LinkedHashMap<>();
    for (int count : asOfs) {
      for (int views : views(count)) {
        double tarn = median(name("Tarn", views, count));
        for (String rival :
            hasRivals
                ? List.of("join on entity and time, row_number", "union and one window")
                : List.<String>of()) {
          String what = name(rival, views, count);
          ratios.put(
              name(rival + " ÷ Tarn", views, count)
                  + (stopped.contains(what) ? " (at least: it was stopped)" : ""),
              median(what) / tarn);
        }
      }
      if (wideAsOfs.contains(count)) {
        ratios.put(
            "Tarn, %d views ÷ one; %d as-ofs".formatted(VIEWS, count),
            median(name("Tarn", VIEWS, count)) / median(name("Tarn", 1, count)));
      }
    }
    return ratios;
  }

  private String table() {
    TextTable table = new TextTable("median of " + runs, "s", "spine rows/s");
    seconds
        .keySet()
        .forEach(
            what ->
                table.row(
                    what,
                    (stopped.contains(what) ? "stopped after %.1f" : "%.1f")
                        .formatted(median(what)),
                    stopped.contains(what)
                        ? ""
                        : "%,.0f"
                            .formatted((what.contains("one entity") ? hot : rows) / median(what))));
    TextTable figures = new TextTable("ratio (medians)", "is");
    ratios().forEach((name, value) -> figures.row(name, "%.2f".formatted(value)));
    if (hot > 0) {
      figures.row("live heap with one entity, MB", Long.toString(liveHeap >> 20));
    }
    return table + "\n\n" + figures;
  }

  private JsonObject json() {
    JsonObject whole = new JsonObject();
    whole.addProperty("rows", rows);
    whole.addProperty("entities", entities);
    whole.addProperty("features", features);
    whole.addProperty("runs", runs);
    JsonObject medians = new JsonObject();
    seconds.keySet().forEach(what -> medians.addProperty(what, rounded(median(what))));
    whole.add("median_seconds", medians);
    JsonArray ended = new JsonArray();
    stopped.forEach(ended::add);
    whole.add("stopped", ended);
    JsonObject ratios = new JsonObject();
    ratios().forEach((name, value) -> ratios.addProperty(name, rounded(value)));
    whole.add("ratios", ratios);
    if (hot > 0) {
      whole.addProperty("hot_rows", hot);
      whole.addProperty("hot_live_heap_bytes", liveHeap);
    }
    return whole;
  }

  private static double rounded(double value) {
    return Double.parseDouble(String.format(Locale.ROOT, "%.3f", value));
  }
}
