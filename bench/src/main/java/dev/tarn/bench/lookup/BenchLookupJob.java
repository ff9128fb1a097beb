package dev.tarn.bench.lookup;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.bench.lookup.JvmMeter.Used;
import dev.tarn.bench.lookup.LoadGenerators.Latency;
import dev.tarn.bench.lookup.LoadGenerators.Saturation;
import dev.tarn.bench.process.RivalServer;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.fit.Fit;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;
import redis.clients.jedis.Jedis;

/**
 * The command {@code bench lookup}: Tarn's server beside the least that a server can do and beside
 * the ordinary way to build an answer, under the same load, in turn, in one run. Servers, Redis and
 * what sends the requests are processes of their own, on this machine.
 */
public final class BenchLookupJob {

  private static final String AS_OF = "2026-01-01T00:00:00Z";
  private static final int WARM_UP_SECONDS = 5;

  /** Of each of these two servers; the others have been warmed with all other requests by then. */
  private static final int SKEWED_WARM_UP_SECONDS = 25;

  private static final int ROUNDS = 3;
  private static final int ROUND_SECONDS = 3;

  /** Skewed requests that are sent in turn. */
  private static final int REQUESTS = 10_000;

  private static final int WIDTH = 10;
  private static final String TARN = "Tarn";
  private static final String FLOOR = "floor";
  private static final String OBJECTS = "objects";

  /** Of the near cache that holds a tenth of the entities: what it takes for one. */
  private static final int NEAR_BYTES = 320;

  /** Enough young generation that a collection is rare; the same for all servers. */
  private static final List<String> JVM =
      List.of("-Xms512m", "-Xmx512m", "-Xmn384m", "-XX:+UseSerialGC");

  private final Lake lake;
  private final Settings settings;
  private final Console console;
  private final BenchRedis redis;
  private final Path folder;
  private final LoadGenerators load;
  private final long entities;
  private final int seconds;
  private final int minutes;
  private final NearCachePart nearCachePart;
  private final List<Integer> widths;
  private final List<LookupShape> shapes;
  private final List<Outcome> outcomes = new ArrayList<>();
  private Optional<Latency> quarter = Optional.empty();
  private Optional<Latency> soak = Optional.empty();

  /** Without and with the near cache; empty if they were not measured. */
  private List<Skewed> zipf = List.of();

  /** Which share of the rows were in the near cache. */
  private double nearShare;

  /** Whether the near cache is measured, and whether anything else is. */
  private enum NearCachePart {
    TRUE,
    FALSE,
    ONLY
  }

  /** One server under one kind of request; what a request costs is at half of saturation. */
  private record Outcome(
      LookupShape shape,
      String server,
      double perSecond,
      Latency latency,
      double cpuMicros,
      double allocatedBytes,
      long failed) {}

  /**
   * Skewed requests at saturation.
   *
   * @param cpuMicros of the server and Redis together, a request: the load generator takes its part
   *     of the processors, so the rate alone does not say it
   */
  private record Skewed(double perSecond, double cpuMicros) {}

  /** A server, as the load generator and the meter find it. */
  private record Target(String name, ServerProcess server, String method) {}

  private BenchLookupJob(
      Lake lake,
      Settings settings,
      Console console,
      BenchRedis redis,
      CommandLine line,
      Path folder) {
    this.lake = lake;
    this.settings = settings;
    this.console = console;
    this.redis = redis;
    this.folder = folder;
    this.load = new LoadGenerators(folder);
    this.entities = line.number("entities", 1_000, 100_000);
    this.seconds = (int) line.number("seconds", 1, 10);
    this.minutes = (int) line.number("minutes", 0, 1);
    this.nearCachePart = line.choice("near-cache", NearCachePart.class, NearCachePart.TRUE);
    this.widths = widths(line.list("features"));
    this.shapes = LookupShape.all(widths);
  }

  /** The command {@code bench lookup}. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    if (!LoadGenerators.has("h2load")) {
      throw new TarnException(
          "h2load is not on the PATH: install nghttp2's clients (Debian: nghttp2-client)");
    }
    Path folder = given.state().resolve("bench").resolve("lookup");
    try (BenchRedis redis = BenchRedis.start(folder)) {
      Settings settings = BenchSettings.of(line, folder, redis.port());
      try (Lake lake = Lake.open(settings)) {
        BenchLookupJob job = new BenchLookupJob(lake, settings, console, redis, line, folder);
        job.prepare();
        if (job.nearCachePart != NearCachePart.ONLY) {
          job.measure();
        }
        if (job.nearCachePart != NearCachePart.FALSE) {
          job.zipf();
        }
        console.result(asJson ? job.json().toString() : job.table());
      }
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  /** The aims are for ten, so ten are always among them. */
  private static List<Integer> widths(List<String> given) {
    List<Integer> widths = new ArrayList<>();
    for (String word : given.isEmpty() ? List.of("10", "50") : given) {
      if (!word.matches("[1-9][0-9]{0,2}")) {
        throw new UsageException(
            "features=%s: expected numbers from 1 to 999, separated by commas".formatted(word));
      }
      widths.add(Integer.parseInt(word));
    }
    if (!widths.contains(WIDTH)) {
      widths.add(WIDTH);
    }
    return List.copyOf(widths);
  }

  private void prepare() throws IOException {
    console.say("%,d entities of %s features", entities, list(widths));
    StringBuilder definitions = new StringBuilder();
    for (int features : widths) {
      definitions.append(definition(features));
      List<Column> columns = new ArrayList<>();
      columns.add(functions.col("id"));
      for (int i = 0; i < features; i++) {
        columns.add(
            functions.xxhash64(functions.col("id"), functions.lit(i)).divide(1e15).as("f" + i));
      }
      lake.spark()
          .range(entities)
          .select(columns.toArray(new Column[0]))
          .write()
          .mode(SaveMode.Overwrite)
          .parquet(source(features).toString());
    }
    Path conf = Files.createDirectories(folder.resolve("features")).resolve("bench.conf");
    Files.writeString(conf, definitions);
    Definitions defined = Definitions.load(settings);
    RedisServers servers = RedisServers.connect(settings);
    for (int features : widths) {
      String view = LookupShape.view(features);
      if (lake.catalog().find(view).isPresent()) {
        lake.catalog().drop(view);
      }
      var unusedBuilt =
          new Build(lake, Console.silent())
              .build(defined.view(view), List.of(Instant.parse(AS_OF)), false);
    }
    var unusedPushed =
        new Push(lake, servers, settings, Console.silent())
            .push(
                widths.stream().map(features -> defined.view(LookupShape.view(features))).toList(),
                List.of(),
                new Push.Request(Optional.empty(), Push.Mode.FULL, false));
    for (int features : widths) {
      var unusedFitted =
          new Fit(lake, new VersionStore(servers))
              .fit(defined, defined.service(LookupShape.service(features)), List.of());
    }
  }

  private Path source(int features) {
    return folder.resolve("source" + features);
  }

  private String definition(int features) {
    String view = LookupShape.view(features);
    return """
        entities { %1$s { keys = [{ name = id, type = bigint }] } }
        sources { source%2$d { format = parquet, path = "%3$s" } }
        feature-views {
          %1$s {
            entity = %1$s
            sources = [source%2$d]
            sql = "SELECT * FROM source%2$d"
            features = [%4$s]
          }
        }
        feature-services { %5$s { features = [%6$s] } }
        """
        .formatted(
            view,
            features,
            source(features),
            each(features, "{ name = f%d, type = double }"),
            LookupShape.service(features),
            each(
                features,
                "{ feature = " + view + ".f%d, transform = [{ fill = 0 }, standardize] }"));
  }

  private static String each(int features, String pattern) {
    return IntStream.range(0, features)
        .mapToObj(pattern::formatted)
        .collect(Collectors.joining(", "));
  }

  private void measure() throws IOException {
    try (ServerProcess tarn = tarn("tarn", List.of())) {
      Path answers = Files.createDirectories(folder.resolve("answers"));
      for (LookupShape shape : shapes) {
        Files.write(answers.resolve(shape.fileName()), checked(shape, tarn));
      }
      giveRivals();
      try (ServerProcess floor = rival("floor", answers.toString());
          ServerProcess objects = rival("objects", list(widths))) {
        Map<LookupShape, List<Target>> targets = new LinkedHashMap<>();
        for (LookupShape shape : shapes) {
          List<Target> of = new ArrayList<>();
          of.add(new Target(TARN, tarn, shape.method()));
          of.add(new Target(FLOOR, floor, "rival/get-" + shape.fileName()));
          if (shape.entities() > 1) {
            of.add(new Target("floor, MGET", floor, "rival/mget-" + shape.fileName()));
          }
          if (!shape.isVectors()) {
            of.add(new Target(OBJECTS, objects, "rival/objects-" + shape.features()));
          }
          targets.put(shape, of);
        }
        console.say("warm-up");
        for (LookupShape shape : targets.keySet()) {
          for (Target target : targets.get(shape)) {
            var unused = saturate(shape, target, WARM_UP_SECONDS);
          }
        }
        for (LookupShape shape : targets.keySet()) {
          console.say("%s", shape);
          measure(shape, targets.get(shape));
        }
      }
      for (LookupShape shape : shapes) {
        if (!Arrays.equals(
            Files.readAllBytes(answers.resolve(shape.fileName())), checked(shape, tarn))) {
          throw new TarnException("%s: Tarn's answer has changed during the run".formatted(shape));
        }
      }
      quarter(tarn);
      if (minutes > 0) {
        soak(tarn);
      }
    }
  }

  private double saturate(LookupShape shape, Target target, int seconds) throws IOException {
    return load.saturate(target.server().port(), target.method(), shape.request(), seconds);
  }

  private void measure(LookupShape shape, List<Target> targets) throws IOException {
    byte[] request = shape.request();
    Map<Target, List<Double>> rates = new LinkedHashMap<>();
    for (int round = 0; round < ROUNDS; round++) {
      for (Target target : targets) {
        rates
            .computeIfAbsent(target, key -> new ArrayList<>())
            .add(saturate(shape, target, ROUND_SECONDS));
      }
    }
    for (Target target : targets) {
      double perSecond = median(rates.get(target).stream());
      try (JvmMeter meter = JvmMeter.of(target.server().pid())) {
        long failedBefore = failed(target.server());
        Used before = meter.used();
        Latency latency =
            load.pace(target.server().port(), target.method(), request, perSecond / 2, seconds);
        Used used = meter.used().since(before);
        long requests = latency.requests();
        console.say("  %s: %,.0f requests/s; at half of that", target.name(), perSecond);
        say(latency);
        outcomes.add(
            new Outcome(
                shape,
                target.name(),
                perSecond,
                latency,
                used.cpuNanos() / 1e3 / requests,
                (double) used.allocatedBytes() / requests,
                failed(target.server()) - failedBefore));
      }
    }
  }

  private void say(Latency latency) {
    console.say(
        "    p50 %s ms, p99 %s ms, p99.9 %s ms",
        millis(latency.p50()), millis(latency.p99()), millis(latency.p999()));
  }

  /** One entity at a quarter of saturation: where the processors still have time. */
  private void quarter(ServerProcess tarn) throws IOException {
    LookupShape shape = new LookupShape(false, 1, WIDTH);
    double perSecond = outcome(shape, TARN).perSecond() / 4;
    quarter =
        Optional.of(load.pace(tarn.port(), shape.method(), shape.request(), perSecond, seconds));
  }

  /** Half of saturation for minutes. */
  private void soak(ServerProcess tarn) throws IOException {
    LookupShape shape = new LookupShape(false, 1, WIDTH);
    double half = outcome(shape, TARN).perSecond() / 2;
    console.say("%d minutes of %s at half load, %,.0f a second", minutes, shape, half);
    Latency latency = load.pace(tarn.port(), shape.method(), shape.request(), half, 60 * minutes);
    say(latency);
    soak = Optional.of(latency);
  }

  /**
   * Vectors of a hundred entities a request, of which the k-th most frequent comes 1/k as often as
   * the first.
   */
  private void zipf() throws IOException {
    LookupShape shape = new LookupShape(true, 100, WIDTH);
    // Ids of as many digits each, so that requests are of one length.
    int first = 1;
    while (10L * first < entities) {
      first *= 10;
    }
    int offset = first;
    double[] sums = new double[Math.toIntExact(entities) - offset];
    for (int k = 0; k < sums.length; k++) {
      sums[k] = (k == 0 ? 0 : sums[k - 1]) + 1.0 / (k + 1);
    }
    Random random = new Random(1);
    List<byte[]> requests =
        IntStream.range(0, REQUESTS)
            .mapToObj(
                i ->
                    shape.request(
                        random
                            .doubles(shape.entities(), 0, sums[sums.length - 1])
                            .mapToInt(sum -> Arrays.binarySearch(sums, sum))
                            .map(at -> offset + (at < 0 ? -at - 1 : at))))
            .toList();
    long bytes = sums.length / 10L * NEAR_BYTES;
    console.say(
        "%s, Zipf 1.0 over %,d entities, near cache for a tenth of them", shape, sums.length);
    try (ServerProcess without = tarn("without", List.of());
        ServerProcess with = tarn("with", List.of("serving.near-cache-bytes=" + bytes))) {
      List<List<Skewed>> rounds = List.of(new ArrayList<>(), new ArrayList<>());
      for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < 2; i++) {
          Skewed skewed =
              skewed(
                  i == 0 ? without : with,
                  shape.method(),
                  requests,
                  round == 0 ? SKEWED_WARM_UP_SECONDS : ROUND_SECONDS);
          if (round > 0) {
            rounds.get(i).add(skewed);
          }
        }
      }
      // The end of a round cuts off what each client waits for.
      if (Math.max(failed(without), failed(with)) > (ROUNDS + 1L) * LoadGenerators.CLIENTS) {
        throw new TarnException("skewed requests failed");
      }
      double hits = counted(with, line -> line.startsWith("tarn_near_cache_hits_total"));
      double misses = counted(with, line -> line.startsWith("tarn_near_cache_misses_total"));
      nearShare = hits / (hits + misses);
      zipf =
          rounds.stream()
              .map(
                  of ->
                      new Skewed(
                          median(of.stream().map(Skewed::perSecond)),
                          median(of.stream().map(Skewed::cpuMicros))))
              .toList();
    }
  }

  private Skewed skewed(ServerProcess server, String method, List<byte[]> requests, int seconds)
      throws IOException {
    try (JvmMeter meter = JvmMeter.of(server.pid())) {
      Used before = meter.used();
      double redisBefore = redis.cpuMicros();
      Saturation saturation = load.saturateWithMany(server.port(), method, requests, seconds);
      double micros = redis.cpuMicros() - redisBefore + meter.used().since(before).cpuNanos() / 1e3;
      return new Skewed(saturation.perSecond(), micros / saturation.requests());
    }
  }

  private static double median(Stream<Double> of) {
    List<Double> sorted = of.sorted().toList();
    return sorted.get(sorted.size() / 2);
  }

  private ServerProcess tarn(String name, List<String> more) throws IOException {
    List<String> words = new ArrayList<>();
    words.addAll(
        List.of(
            "serving.port=0",
            "serving.http-port=0",
            "redis.port=" + redis.port(),
            "redis.namespace=" + settings.read(config -> config.getString("redis.namespace"))));
    words.addAll(more);
    return ServerProcess.start(folder.resolve(name), JVM, ServingJar.of(settings).server(words));
  }

  private ServerProcess rival(String kind, String argument) throws IOException {
    return ServerProcess.start(
        folder.resolve(kind),
        JVM,
        ServingJar.of(settings)
            .program(RivalServer.class, kind, Integer.toString(redis.port()), argument));
  }

  private static String list(List<Integer> numbers) {
    return numbers.stream()
        .map(number -> Integer.toString(number))
        .collect(Collectors.joining(","));
  }

  /** Rows for the rivals: as many doubles as there are features. */
  private void giveRivals() {
    try (Jedis jedis = redis.connect()) {
      for (LookupShape shape : shapes) {
        for (int id = 0; id < shape.entities(); id++) {
          ByteBuffer row = ByteBuffer.allocate(Double.BYTES * shape.features());
          for (int i = 0; i < shape.features(); i++) {
            row.putDouble(id + i / 100.0);
          }
          String key = shape.features() + ":" + id;
          jedis.set(key.getBytes(StandardCharsets.UTF_8), row.array());
        }
      }
    }
  }

  /** Tarn's answer, which has all entities. */
  private static byte[] checked(LookupShape shape, ServerProcess tarn)
      throws InvalidProtocolBufferException {
    byte[] answer = RawCall.of(tarn.port(), shape.method(), shape.request());
    long found;
    if (shape.isVectors()) {
      GetFeatureVectorsResponse vectors = GetFeatureVectorsResponse.parseFrom(answer);
      found = vectors.getFoundList().stream().filter(is -> is).count();
    } else {
      found =
          GetOnlineFeaturesResponse.parseFrom(answer).getResultsMap().values().stream()
              .filter(features -> features.getFeaturesCount() == shape.features())
              .count();
    }
    if (found != shape.entities()) {
      throw new TarnException("%s: Tarn's answer has %d entities".formatted(shape, found));
    }
    return answer;
  }

  /**
   * Calls that did not end well so far, if the server tells. h2load takes every answer of HTTP for
   * a success.
   */
  private static long failed(ServerProcess server) throws IOException {
    return server.metrics().isEmpty()
        ? 0
        : counted(
            server,
            line -> line.startsWith("tarn_requests_total{") && !line.contains("status=\"OK\""));
  }

  /** The sum of some of a server's counters. */
  private static long counted(ServerProcess server, Predicate<String> isMeant) throws IOException {
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(server.metrics().orElseThrow()).build(),
              HttpResponse.BodyHandlers.ofString())
          .body()
          .lines()
          .filter(isMeant)
          .mapToLong(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' '))))
          .sum();
    } catch (InterruptedException e) {
      throw new TarnException("interrupted", e);
    }
  }

  private Outcome outcome(LookupShape shape, String server) {
    return outcomes.stream()
        .filter(outcome -> outcome.shape().equals(shape) && outcome.server().equals(server))
        .findFirst()
        .orElseThrow();
  }

  private String table() {
    TextTable table =
        new TextTable(
            "entities × features",
            "server",
            "requests/s",
            "paced",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU µs",
            "allocated bytes",
            "failed");
    for (Outcome outcome : outcomes) {
      table.row(
          outcome.shape().toString(),
          outcome.server(),
          "%,.0f".formatted(outcome.perSecond()),
          "%,.0f".formatted(outcome.latency().perSecond()),
          millis(outcome.latency().p50()),
          millis(outcome.latency().p99()),
          millis(outcome.latency().p999()),
          "%.1f".formatted(outcome.cpuMicros()),
          "%,.0f".formatted(outcome.allocatedBytes()),
          Long.toString(outcome.failed()));
    }
    TextTable figures = new TextTable("figure", "is", "aim");
    for (Figure figure : figures()) {
      figures.row(figure.name(), "%.2f".formatted(figure.value()), figure.aim());
    }
    return outcomes.isEmpty() ? figures.toString() : table + "\n\n" + figures;
  }

  private static String millis(double micros) {
    return "%.2f".formatted(micros / 1e3);
  }

  private record Figure(String name, double value, String aim) {}

  private List<Figure> figures() {
    LookupShape one = new LookupShape(false, 1, WIDTH);
    LookupShape hundred = new LookupShape(false, 100, WIDTH);
    LookupShape vectors = new LookupShape(true, 100, WIDTH);
    List<Figure> figures = new ArrayList<>();
    if (!outcomes.isEmpty()) {
      figures.add(new Figure(one + ": Tarn ÷ floor", ratio(one, FLOOR), ">= 0.85"));
      figures.add(new Figure(hundred + ": Tarn ÷ objects", ratio(hundred, OBJECTS), ">= 3"));
      figures.add(new Figure(vectors + ": Tarn ÷ floor", ratio(vectors, FLOOR), ">= 0.8"));
      figures.add(new Figure(one + ": p99 ms", outcome(one, TARN).latency().p99() / 1e3, "< 1"));
      figures.add(
          new Figure(hundred + ": p99 ms", outcome(hundred, TARN).latency().p99() / 1e3, "< 5"));
    }
    quarter.ifPresent(
        latency ->
            figures.add(new Figure(one + " at a quarter: p99 ms", latency.p99() / 1e3, "-")));
    soak.ifPresent(
        latency -> {
          figures.add(
              new Figure("p50 ms over %d min".formatted(minutes), latency.p50() / 1e3, "-"));
          figures.add(
              new Figure("p99.9 ms over %d min".formatted(minutes), latency.p999() / 1e3, "-"));
          figures.add(
              new Figure(
                  "p99.9 ÷ p50 over %d min".formatted(minutes),
                  latency.p999() / latency.p50(),
                  "<= 10 over 10 min"));
        });
    if (!zipf.isEmpty()) {
      Skewed without = zipf.get(0);
      Skewed with = zipf.get(1);
      figures.add(new Figure("Zipf 1.0, no near cache: requests/s", without.perSecond(), "-"));
      figures.add(new Figure("Zipf 1.0, near cache: requests/s", with.perSecond(), "-"));
      figures.add(new Figure("Zipf 1.0, near cache: share of rows in it", nearShare, "-"));
      figures.add(
          new Figure(
              "Zipf 1.0: near cache ÷ without", with.perSecond() / without.perSecond(), ">= 1.8"));
      figures.add(
          new Figure("Zipf 1.0, no near cache: CPU µs, Redis's too", without.cpuMicros(), "-"));
      figures.add(new Figure("Zipf 1.0, near cache: CPU µs, Redis's too", with.cpuMicros(), "-"));
      figures.add(
          new Figure(
              "Zipf 1.0: CPU without near cache ÷ with",
              without.cpuMicros() / with.cpuMicros(),
              "-"));
    }
    return figures;
  }

  private double ratio(LookupShape shape, String rival) {
    return outcome(shape, TARN).perSecond() / outcome(shape, rival).perSecond();
  }

  private JsonObject json() {
    JsonObject whole = new JsonObject();
    whole.addProperty("entities", entities);
    JsonArray all = new JsonArray();
    for (Outcome outcome : outcomes) {
      JsonObject one = new JsonObject();
      one.addProperty("rpc", outcome.shape().method());
      one.addProperty("entities", outcome.shape().entities());
      one.addProperty("features", outcome.shape().features());
      one.addProperty("server", outcome.server());
      one.addProperty("requests_per_second", outcome.perSecond());
      one.addProperty("paced_per_second", outcome.latency().perSecond());
      one.addProperty("p50_us", outcome.latency().p50());
      one.addProperty("p99_us", outcome.latency().p99());
      one.addProperty("p999_us", outcome.latency().p999());
      one.addProperty("cpu_us_per_request", outcome.cpuMicros());
      one.addProperty("allocated_bytes_per_request", outcome.allocatedBytes());
      one.addProperty("failed", outcome.failed());
      all.add(one);
    }
    whole.add("servers", all);
    JsonObject figures = new JsonObject();
    figures().forEach(figure -> figures.addProperty(figure.name(), figure.value()));
    whole.add("figures", figures);
    return whole;
  }
}
