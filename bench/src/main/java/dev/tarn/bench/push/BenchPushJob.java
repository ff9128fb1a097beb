package dev.tarn.bench.push;

import dev.tarn.bench.process.PacedLookups;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.Jvm;
import dev.tarn.bench.testbed.LiveHeap;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;

/**
 * The command {@code bench push}: writes the same rows to Redis with Tarn and in other ways, in
 * turn, in one run, so that the ratios also hold on a busy machine. Everything happens in a folder,
 * a catalog and a Redis of its own.
 */
public final class BenchPushJob {

  private static final String VIEW = "bench";
  private static final String[] AS_OFS = {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"};
  private static final double CHANGED = 0.01;

  /**
   * Rows from which on a delta push is to take a tenth of the time; few rows take no time at all.
   */
  private static final long ROWS_OF_DELTA_AIM = 10_000_000;

  private static final int LOOKUPS_A_SECOND = 500;
  private static final int LOOKUP_SECONDS = 20;
  private static final String AT_REST = "at rest";
  private static final String DURING_PUSHES = "during full pushes";
  private static final String SPARK_GIVES_WAY = "during full pushes, Spark at nice 19";

  private final Lake lake;
  private final Settings settings;
  private final Console console;
  private final BenchRedis server;
  private final long rows;
  private final int features;
  private final int width;
  private final int runs;
  private final Path folder;

  /** Latencies of lookups, in milliseconds. */
  private record Latency(double p50, double p99) {}

  /** Latencies of lookups, by when they were made. */
  private final Map<String, Latency> latencies = new LinkedHashMap<>();

  /** Snapshots of the two as-ofs. */
  private final List<Long> snapshots = new ArrayList<>();

  /** Measures of all runs, by the way to write, in the order in which they were taken. */
  private final Map<String, List<Measure>> measures = new LinkedHashMap<>();

  private BenchPushJob(
      Lake lake,
      Settings settings,
      Console console,
      BenchRedis server,
      CommandLine line,
      Path folder) {
    this.lake = lake;
    this.settings = settings;
    this.console = console;
    this.server = server;
    this.rows = line.number("rows", 1_000, 1_000_000);
    this.features = (int) line.number("features", 1, 10);
    this.width = (int) line.number("width", 0, 0);
    this.runs = (int) line.number("runs", 1, 5);
    this.folder = folder;
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    boolean hasRivals = !line.optional("rivals").orElse("true").equals("false");
    try (BenchRedis server = BenchRedis.start(given.state().resolve("bench"))) {
      Path folder = given.state().resolve("bench").resolve("push");
      Settings settings = BenchSettings.of(line, folder, server.port());
      try (Lake lake = Lake.open(settings)) {
        BenchPushJob job = new BenchPushJob(lake, settings, console, server, line, folder);
        job.prepare();
        job.measure(hasRivals);
        job.figures().print(console, asJson, job.tables().toArray(new String[0]));
      }
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  private void prepare() throws IOException {
    console.say(
        "%,d rows of %d features, %,d of them changed in the second as-of",
        rows, features, (long) (rows * CHANGED));
    if (lake.catalog().find(VIEW).isPresent()) {
      lake.catalog().drop(VIEW);
    }
    StringBuilder definition = new StringBuilder();
    for (int i = 0; i < features; i++) {
      definition.append("{ name = f%d, type = %s }\n".formatted(i, type(i)));
    }
    Path definitions = Files.createDirectories(folder.resolve("features"));
    Files.writeString(
        definitions.resolve("bench.conf"),
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { users { format = parquet, path = "%s" } }
        feature-views {
          bench {
            entity = user
            sources = [users]
            history = changes
            sql = "SELECT * FROM users WHERE day = CAST(:as_of AS DATE)"
            features = [%s]
          }
        }
        """
            .formatted(folder.resolve("users"), definition));
    for (int day = 0; day < AS_OFS.length; day++) {
      users(day).write().mode(SaveMode.Overwrite).parquet(folder.resolve("users").toString());
      List<Build.AsOfOutcome> built =
          new Build(lake, console).build(view(), List.of(Instant.parse(AS_OFS[day])), false);
      snapshots.add(built.get(0).snapshotId());
    }
  }

  private String type(int feature) {
    if (width > 0 && feature % 5 == 4) {
      return "string";
    }
    return feature % 5 == 3 ? "bigint" : "double";
  }

  /** Makes a row for each user; one user in a hundred has other features on the second day. */
  private Dataset<org.apache.spark.sql.Row> users(int day) {
    List<Column> columns = new ArrayList<>();
    columns.add(functions.col("id").as("user_id"));
    columns.add(functions.lit(AS_OFS[day].substring(0, 10)).cast("date").as("day"));
    Column seed =
        functions.when(functions.col("id").mod((long) (1 / CHANGED)).equalTo(0), day).otherwise(0);
    for (int i = 0; i < features; i++) {
      Column hash = functions.xxhash64(functions.col("id"), functions.lit(i), seed);
      Column value =
          switch (type(i)) {
            case "string" ->
                functions.substring(
                    functions.repeat(functions.hex(hash), 1 + width / 16), 1, width);
            case "bigint" -> functions.abs(hash).mod(100_000L);
            default -> hash.divide(1e15);
          };
      columns.add(value.as("f" + i));
    }
    return lake.spark().range(rows).select(columns.toArray(new Column[0]));
  }

  private FeatureView view() {
    return Definitions.load(settings).view(VIEW);
  }

  private void measure(boolean hasRivals) throws IOException {
    RowFile file = new RowFile(folder.resolve("rows.bin"));
    Rivals rivals = new Rivals(lake, server, ServingJar.of(settings), view(), snapshots.get(0));
    for (int run = 0; run <= runs; run++) {
      boolean isWarmUp = run == 0;
      console.say(isWarmUp ? "warm-up" : "run %d of %d", run, runs);
      tarn(isWarmUp);
      if (hasRivals) {
        if (isWarmUp) {
          file.write(server, VIEW);
        }
        take("spark-redis DataFrame writer, hash", isWarmUp, rivals::sparkRedis);
        take("Lettuce pipelined SET", isWarmUp, () -> rivals.lettuce(file));
        take("SETs from a plain socket (redis-cli --pipe)", isWarmUp, () -> rivals.socket(file));
      }
    }
    Files.deleteIfExists(file.path());
    if (hasRivals) {
      lookUpMeanwhile();
    }
  }

  /** Measures lookups at rest, then while full pushes follow one another. */
  private void lookUpMeanwhile() throws IOException {
    console.say("lookups at rest and during pushes");
    server.flush();
    Push.Outcome unused = push(snapshots.get(0), Push.Mode.FULL, true);
    try (ServerProcess lookups =
        ServerProcess.small(
            ServingJar.of(settings),
            folder,
            List.of(
                "serving.port=0",
                "serving.http-port=-1",
                "redis.port=" + server.port(),
                "redis.namespace=" + settings.read(tarn -> tarn.getString("redis.namespace"))))) {
      // The first ones do not count: a server that has just started would be slow at rest.
      var unusedCold = lookUp(lookups.port()).join();
      latencies.put(AT_REST, lookUp(lookups.port()).join());
      latencies.put(DURING_PUSHES, lookUpDuringPushes(lookups.port()));
      giveWay();
      latencies.put(SPARK_GIVES_WAY, lookUpDuringPushes(lookups.port()));
    }
  }

  private Latency lookUpDuringPushes(int port) throws IOException {
    CompletableFuture<Latency> underLoad = lookUp(port);
    for (int i = 0; !underLoad.isDone(); i++) {
      Push.Outcome unused = push(snapshots.get(1 - i % 2), Push.Mode.FULL, true);
    }
    return underLoad.join();
  }

  /**
   * Leaves the processors to other processes from now on. Spark usually runs on other machines than
   * the server. So this tells apart how a push slows lookups down through Redis, and how Spark does
   * when it shares their processors.
   */
  private static void giveWay() throws IOException {
    List<String> command = new ArrayList<>(List.of("renice", "-n", "19", "-p"));
    try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
      threads.forEach(thread -> command.add(thread.getFileName().toString()));
    }
    // A thread may have ended by now; those that are left count.
    var unused = new ProcessBuilder(command).redirectErrorStream(true).start().onExit().join();
  }

  /** Measures a full push of the first as-of, and a delta of the second over it. */
  private void tarn(boolean isWarmUp) {
    server.flush();
    long before = server.usedMemory();
    LiveHeap heap = new LiveHeap();
    Push.Outcome full = push(snapshots.get(0), Push.Mode.FULL, false);
    long bytes = server.usedMemory() - before;
    double write = full.writing().toNanos() / 1e9;
    double readBack = full.readingBack().toNanos() / 1e9;
    long payload = full.bytes();
    Push.Outcome delta = push(snapshots.get(1), Push.Mode.DELTA, false);
    if (!isWarmUp) {
      long live = heap.peak();
      add("Tarn, scan to last answer", new Measure(write, rows, bytes, payload, live));
      add("Tarn, reading back", new Measure(readBack, rows, bytes, payload, live));
      add("Tarn, full push, all steps", new Measure(seconds(full), rows, bytes, payload, live));
      add("Tarn, delta of 1 %, all steps", new Measure(seconds(delta), rows, 0, 0, live));
    }
  }

  /** Looks up single entities at a steady rate, in a process of its own. */
  private CompletableFuture<Latency> lookUp(int port) throws IOException {
    Process process =
        new ProcessBuilder(
                Jvm.command(
                    List.of(),
                    ServingJar.of(settings)
                        .program(
                            PacedLookups.class,
                            Integer.toString(port),
                            Long.toString(rows),
                            Integer.toString(LOOKUPS_A_SECOND),
                            Integer.toString(LOOKUP_SECONDS))))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    return CompletableFuture.supplyAsync(
        () -> {
          try (BufferedReader answer = process.inputReader()) {
            String[] micros = String.valueOf(answer.readLine()).split(" ", -1);
            return new Latency(Long.parseLong(micros[0]) / 1e3, Long.parseLong(micros[1]) / 1e3);
          } catch (IOException | NumberFormatException e) {
            throw new TarnException("lookups failed: " + e.getMessage(), e);
          }
        });
  }

  private static double seconds(Push.Outcome outcome) {
    return outcome.took().toNanos() / 1e9;
  }

  private Push.Outcome push(long snapshot, Push.Mode mode, boolean isRollback) {
    return new Push(lake, RedisServers.connect(settings), settings, Console.silent())
        .push(
            List.of(view()),
            List.of(),
            new Push.Request(Optional.of(Long.toString(snapshot)), mode, isRollback))
        .get(0);
  }

  /** A way to write all rows, which gives the seconds that it took. */
  private interface Writing {
    double seconds() throws IOException;
  }

  private void take(String name, boolean isWarmUp, Writing writing) throws IOException {
    server.flush();
    long before = server.usedMemory();
    double seconds = writing.seconds();
    if (!isWarmUp) {
      add(name, new Measure(seconds, rows, server.usedMemory() - before, 0, 0));
    }
    server.flush();
  }

  private void add(String name, Measure measure) {
    measures.computeIfAbsent(name, key -> new ArrayList<>()).add(measure);
  }

  private Measure median(String name) {
    return Measure.median(measures.get(name));
  }

  private List<String> tables() {
    TextTable table =
        new TextTable("median of " + runs, "s", "rows/s", "Redis bytes/row", "live heap MB");
    measures.forEach(
        (name, all) -> {
          Measure median = Measure.median(all);
          table.row(
              name,
              "%.2f".formatted(median.seconds()),
              "%,.0f".formatted(median.rows() / median.seconds()),
              median.redisBytes() == 0 ? "-" : "%.1f".formatted(median.redisBytesPerRow()),
              median.liveHeap() == 0 ? "-" : "%,d".formatted(median.liveHeap() >> 20));
        });
    if (latencies.isEmpty()) {
      return List.of(table.toString());
    }
    TextTable lookups =
        new TextTable("%d lookups/s of one entity".formatted(LOOKUPS_A_SECOND), "p50 ms", "p99 ms");
    latencies.forEach(
        (when, latency) ->
            lookups.row(when, "%.2f".formatted(latency.p50()), "%.2f".formatted(latency.p99())));
    return List.of(table.toString(), lookups.toString());
  }

  private Figures figures() {
    Figures figures = new Figures();
    measures.forEach((name, all) -> Measure.median(all).addTo(figures, name));
    latencies.forEach(
        (when, latency) -> {
          figures.addOfTables("lookups %s: p50 ms".formatted(when), latency.p50());
          figures.addOfTables("lookups %s: p99 ms".formatted(when), latency.p99());
        });
    Measure write = median("Tarn, scan to last answer");
    Measure full = median("Tarn, full push, all steps");
    if (measures.containsKey("Lettuce pipelined SET")) {
      Measure spark = median("spark-redis DataFrame writer, hash");
      Measure socket = median("SETs from a plain socket (redis-cli --pipe)");
      figures.add("write ÷ spark-redis's writer", spark.seconds() / write.seconds(), ">= 6");
      figures.add(
          "full push with read-back ÷ spark-redis's writer", spark.seconds() / full.seconds());
      figures.add("write ÷ Lettuce", median("Lettuce pipelined SET").seconds() / write.seconds());
      figures.add("write ÷ plain socket", socket.seconds() / write.seconds(), ">= 0.8");
      figures.add(
          "Redis bytes ÷ spark-redis hash",
          (double) write.redisBytes() / spark.redisBytes(),
          "<= 0.35");
    }
    figures.add(
        "read-back ÷ write, seconds",
        median("Tarn, reading back").seconds() / write.seconds(),
        "<= 0.30");
    figures.add(
        "Redis bytes ÷ (id + encoded values)",
        (double) write.redisBytes() / write.payloadBytes(),
        features >= 50 ? "<= 1.2" : "<= 1.3");
    double delta = median("Tarn, delta of 1 %, all steps").seconds() / full.seconds();
    if (rows >= ROWS_OF_DELTA_AIM) {
      figures.add("delta of 1 % ÷ full push, seconds", delta, "<= 0.1");
    } else {
      figures.add("delta of 1 % ÷ full push, seconds", delta);
    }
    if (!latencies.isEmpty()) {
      for (String when : List.of(DURING_PUSHES, SPARK_GIVES_WAY)) {
        figures.add(
            "lookup p99 %s ÷ %s".formatted(when, AT_REST),
            latencies.get(when).p99() / latencies.get(AT_REST).p99(),
            "<= 2");
      }
    }
    return figures;
  }
}
