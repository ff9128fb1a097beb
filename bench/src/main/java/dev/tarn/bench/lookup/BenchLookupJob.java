package dev.tarn.bench.lookup;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.bench.lookup.JvmMeter.Used;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.LoadGenerators;
import dev.tarn.bench.testbed.LoadGenerators.Latency;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import redis.clients.jedis.Jedis;

/**
 * The command {@code bench lookup}: compares Tarn's server with one that does the least that a
 * server can do and with one that builds its answers in the ordinary way. All get the same load, in
 * turn, in one run. The servers, Redis and the senders of requests are processes of their own, on
 * this machine.
 */
public final class BenchLookupJob {

  private static final int WARM_UP_SECONDS = 5;
  private static final int ROUNDS = 3;
  private static final int ROUND_SECONDS = 3;

  private final Console console;
  private final BenchRedis redis;
  private final LookupServers servers;
  private final Path folder;
  private final LoadGenerators load;
  private final int seconds;
  private final int minutes;
  private final List<Integer> widths;
  private final List<LookupShape> shapes;
  private final LookupReport report;

  /** Says whether a part of the benchmark is measured, and whether anything else is. */
  private enum Part {
    TRUE,
    FALSE,
    ONLY
  }

  /** A server with the method that is called. */
  private record Target(String name, ServerProcess server, String method) {}

  private BenchLookupJob(
      Console console,
      BenchRedis redis,
      LookupServers servers,
      LoadGenerators load,
      LookupReport report,
      CommandLine line,
      Path folder) {
    this.console = console;
    this.redis = redis;
    this.servers = servers;
    this.folder = folder;
    this.load = load;
    this.seconds = (int) line.number("seconds", 1, 10);
    this.minutes = minutes(line);
    this.widths = widths(line);
    this.shapes = LookupShape.all(widths);
    this.report = report;
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    if (!LoadGenerators.has("h2load")) {
      throw new TarnException(
          "h2load is not on the PATH: install nghttp2's clients (Debian: nghttp2-client)");
    }
    Path folder = given.state().resolve("bench").resolve("lookup");
    Part live = line.choice("live", Part.class, Part.TRUE);
    LookupReport report = new LookupReport(minutes(line));
    try (BenchRedis redis = BenchRedis.start(folder)) {
      Settings settings = BenchSettings.of(line, folder, redis.port());
      long entities = line.number("entities", 1_000, 100_000);
      LookupServers servers = new LookupServers(settings, redis, folder);
      if (live != Part.FALSE) {
        report.live(
            LiveLookups.measure(settings, redis, folder, console, Math.toIntExact(entities)));
      }
      if (live == Part.ONLY) {
        report.print(console, asJson);
        return;
      }
      try (Lake lake = Lake.open(settings)) {
        Part nearCache = line.choice("near-cache", Part.class, Part.TRUE);
        LoadGenerators load = new LoadGenerators(folder);
        BenchLookupJob job =
            new BenchLookupJob(console, redis, servers, load, report, line, folder);
        console.say("%,d entities of %s features", entities, list(job.widths));
        new WideViews(lake, settings, folder, entities, job.widths).release();
        if (nearCache != Part.ONLY) {
          job.measure();
        }
        if (nearCache != Part.FALSE) {
          report.skewed(new SkewedLookups(servers, redis, load, console, entities).measure());
        }
        report.print(console, asJson);
      }
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  private static int minutes(CommandLine line) {
    return (int) line.number("minutes", 0, 1);
  }

  /** Reads the numbers of features, and adds ten, because the aims are for ten. */
  private static List<Integer> widths(CommandLine line) {
    List<String> given = line.list("features");
    List<Integer> widths = new ArrayList<>();
    for (String word : given.isEmpty() ? List.of("10", "50") : given) {
      if (!word.matches("[1-9][0-9]{0,2}")) {
        throw new UsageException(
            "features=%s: expected numbers from 1 to 999, separated by commas".formatted(word));
      }
      widths.add(Integer.parseInt(word));
    }
    if (!widths.contains(LookupShape.WIDTH)) {
      widths.add(LookupShape.WIDTH);
    }
    return List.copyOf(widths);
  }

  private void measure() throws IOException {
    try (ServerProcess tarn = servers.tarn("tarn", List.of())) {
      Path answers = Files.createDirectories(folder.resolve("answers"));
      for (LookupShape shape : shapes) {
        Files.write(answers.resolve(shape.fileName()), checked(shape, tarn));
      }
      giveRivals();
      try (ServerProcess floor = servers.rival("floor", answers.toString());
          ServerProcess objects = servers.rival("objects", list(widths))) {
        Map<LookupShape, List<Target>> targets = new LinkedHashMap<>();
        for (LookupShape shape : shapes) {
          List<Target> of = new ArrayList<>();
          of.add(new Target(LookupReport.TARN, tarn, shape.method()));
          of.add(new Target(LookupReport.FLOOR, floor, "rival/get-" + shape.fileName()));
          if (shape.entities() > 1) {
            of.add(new Target("floor, MGET", floor, "rival/mget-" + shape.fileName()));
          }
          if (!shape.isVectors()) {
            of.add(new Target(LookupReport.OBJECTS, objects, "rival/objects-" + shape.features()));
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
      double perSecond = Medians.of(rates.get(target).stream());
      try (JvmMeter meter = JvmMeter.of(target.server().pid())) {
        long failedBefore = ServerCounters.failed(target.server());
        Used before = meter.used();
        Latency latency =
            load.pace(target.server().port(), target.method(), request, perSecond / 2, seconds);
        Used used = meter.used().since(before);
        long requests = latency.requests();
        console.say("  %s: %,.0f requests/s; at half of that", target.name(), perSecond);
        say(latency);
        report.add(
            new LookupReport.Outcome(
                shape,
                target.name(),
                perSecond,
                latency,
                used.cpuNanos() / 1e3 / requests,
                (double) used.allocatedBytes() / requests,
                ServerCounters.failed(target.server()) - failedBefore));
      }
    }
  }

  private void say(Latency latency) {
    console.say(
        "    p50 %s ms, p99 %s ms, p99.9 %s ms",
        LookupReport.millis(latency.p50()),
        LookupReport.millis(latency.p99()),
        LookupReport.millis(latency.p999()));
  }

  /** Measures single entities at a quarter of saturation, where the processors still have time. */
  private void quarter(ServerProcess tarn) throws IOException {
    LookupShape shape = new LookupShape(false, 1, LookupShape.WIDTH);
    double perSecond = report.outcome(shape, LookupReport.TARN).perSecond() / 4;
    report.quarter(load.pace(tarn.port(), shape.method(), shape.request(), perSecond, seconds));
  }

  /** Measures single entities at half of saturation for minutes. */
  private void soak(ServerProcess tarn) throws IOException {
    LookupShape shape = new LookupShape(false, 1, LookupShape.WIDTH);
    double half = report.outcome(shape, LookupReport.TARN).perSecond() / 2;
    console.say("%d minutes of %s at half load, %,.0f a second", minutes, shape, half);
    Latency latency = load.pace(tarn.port(), shape.method(), shape.request(), half, 60 * minutes);
    say(latency);
    report.soak(latency);
  }

  private static String list(List<Integer> numbers) {
    return numbers.stream()
        .map(number -> Integer.toString(number))
        .collect(Collectors.joining(","));
  }

  /** Writes rows for the rivals: as many doubles as there are features. */
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

  /** Gets Tarn's answer and checks that it has all entities. */
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
}
