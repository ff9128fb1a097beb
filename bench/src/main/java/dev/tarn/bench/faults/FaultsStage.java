package dev.tarn.bench.faults;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.Release;
import dev.tarn.redis.TcpProxy;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/**
 * All that a campaign of faults has for itself: a folder, a catalog, a Redis, a lookup server,
 * clients that look up without a pause, and push drivers that wait for their command.
 */
final class FaultsStage implements AutoCloseable {

  /** The lease of pushes, which is short so that a stalled push is soon beyond it. */
  static final Duration LEASE = Duration.ofSeconds(4);

  static final Duration LONGEST_PUSH = Duration.ofMinutes(5);

  private static final String AS_OF = "2026-01-05T00:00:00Z";

  /** Texts of which a push that fails must say one. */
  private static final List<String> REASONS =
      List.of(
          "was lost during the push",
          "is full (maxmemory)",
          "this push stalled for over",
          "is older than the released one",
          "are not in Redis as they were written",
          "something else was released in this moment",
          "can't use Redis at");

  private final Console console;
  private final Path folder;
  private final long seed;
  private final Random random;
  private final int port = freePort();
  private final List<String> words;
  private final Settings settings;
  private final Truth truth = new Truth();
  private final FaultsReport report;
  private final List<Long> snapshots = new ArrayList<>();
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private PrintStream log;
  private Lake lake;
  private FeatureView view;
  private FaultsRedis redis;
  private Drivers drivers;
  private Lookups lookups;
  private long fullBytes;
  private long deltaBytes;

  /**
   * Chooses the settings; {@link #prepare} starts everything.
   *
   * @param seed gives the random numbers
   */
  FaultsStage(Settings given, Console console, long seed, FaultsReport report) {
    this.console = console;
    this.folder = given.state().resolve("bench").resolve("faults");
    this.seed = seed;
    this.random = new Random(seed);
    this.report = report;
    this.words =
        List.of(
            "home=" + given.home(),
            "state=" + folder,
            "definitions=" + folder.resolve("features"),
            "database=features",
            "catalog.type=jdbc",
            "catalog.uri=jdbc:sqlite:" + folder.resolve("catalog.db"),
            "catalog.warehouse=" + folder.resolve("warehouse"),
            "catalog.jdbc.schema-version=V1",
            "redis.host=127.0.0.1",
            "redis.port=" + port,
            "redis.database=0",
            "redis.user=",
            "redis.password=",
            "redis.tls=false",
            "redis.namespace=faults",
            "push.rows-per-bucket=20",
            "push.keep=3",
            "push.grace=1s",
            "push.patience=10s",
            "push.lease=%ds".formatted(LEASE.toSeconds()));
    this.settings = settings(port);
  }

  /** Starts everything and releases a first version. */
  void prepare() throws IOException {
    ServerProcess.endLeftOver(folder);
    FaultsRedis.endLeftOver(folder.resolve("redis"));
    if (Files.exists(folder)) {
      MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    Truth.define(folder);
    log = new PrintStream(logFile().toFile(), StandardCharsets.UTF_8);
    redis = FaultsRedis.start(settings.read(RedisSettings::of), folder.resolve("redis"));
    open.push(redis);
    lake = Lake.open(settings);
    open.push(lake);
    view = Definitions.load(settings).view(Truth.VIEW);
    build(1);
    build(1);

    // The first push notes which classes a driver loads, which saves the others half of their
    // start.
    Path classes = folder.resolve("classes.jsa");
    Driver first = Driver.start(folder, List.of("-XX:ArchiveClassesAtExit=" + classes), words);
    open.push(first);
    first.go(command(port, "push", "view=" + Truth.VIEW, "snapshot=" + snapshots.get(0)));
    if (first.await(LONGEST_PUSH) != 0) {
      throw new TarnException("the first push failed: " + first.output());
    }
    drivers = new Drivers(folder, List.of("-XX:SharedArchiveFile=" + classes), words);
    open.push(drivers);

    ServerProcess server =
        ServerProcess.small(
            ServingJar.of(settings),
            folder,
            List.of(
                "serving.port=0",
                "serving.http-port=-1",
                "redis.port=" + port,
                "redis.namespace=faults"));
    open.push(server);
    lookups = new Lookups(server.port(), truth, seed, this::note);
    open.push(lookups);
    lookups.start();

    fullBytes = bytesOfPush();
    build(0.03);
    deltaBytes = bytesOfPush();
    note(
        "%,d entities; a full push sends %,d bytes, a delta %,d"
            .formatted(Truth.ENTITIES, fullBytes, deltaBytes));
  }

  /** The random numbers of the campaign, which all its parts share. */
  Random random() {
    return random;
  }

  FaultsReport report() {
    return report;
  }

  FaultsRedis redis() {
    return redis;
  }

  Lookups lookups() {
    return lookups;
  }

  /** The port of Redis itself. */
  int port() {
    return port;
  }

  /** Bytes that a full push sends to Redis. */
  long fullBytes() {
    return fullBytes;
  }

  /** Bytes that the push of a small change sends to Redis. */
  long deltaBytes() {
    return deltaBytes;
  }

  Path folder() {
    return folder;
  }

  Path logFile() {
    return folder.resolve("faults.log");
  }

  /** Gives a snapshot that was built; 0 is the newest, 1 the one before. */
  long snapshot(int back) {
    return snapshots.get(snapshots.size() - 1 - back);
  }

  int snapshots() {
    return snapshots.size();
  }

  /** Takes a push driver that has warmed up. */
  Driver driver() {
    return drivers.take();
  }

  /** Puts the words of a command together, which uses Redis by a port of choice. */
  List<String> command(int redisPort, String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    all.addAll(this.words);
    all.add("redis.port=" + redisPort);
    return all;
  }

  /** Builds a snapshot in which a share of the entities has other values. */
  long build(double share) throws IOException {
    truth.change(random, share);
    truth.write(folder);
    long snapshotId =
        new Build(lake, new Console(log, log))
            .build(view, List.of(Instant.parse(AS_OF)), false)
            .get(0)
            .snapshotId();
    truth.note(snapshotId);
    snapshots.add(snapshotId);
    return snapshotId;
  }

  /** Pushes the newest snapshot in this process, which must not fail. */
  void push() {
    try {
      Push.Outcome outcome = push(settings);
      if (outcome.pushed()) {
        report.did(outcome.mode().equals("delta") ? "delta pushes" : "full pushes", 1);
      }
    } catch (RuntimeException e) {
      note("a push after a fault failed: " + e.getMessage());
      report.mustBeNone("pushes after a fault that failed", 1);
    }
  }

  /** Notes how a driver ended. A driver that failed must have said why. */
  void explain(Driver driver, int status) {
    String output = driver.output();
    note("  exit %d: %s".formatted(status, output.strip().replace("\n", "\n    ")));
    if (output.contains(" is released as ")) {
      report.did(output.contains("(delta over ") ? "delta pushes" : "full pushes", 1);
    }
    if (status != 0 && (status != 1 || REASONS.stream().noneMatch(output::contains))) {
      report.mustBeNone("failures without a reason", 1);
    }
  }

  /** The released version. */
  VersionRecord released() {
    return versions()
        .releasedRecord(Truth.VIEW)
        .orElseThrow(
            () ->
                new TarnException(
                    "nothing is released any more: %s"
                        .formatted(versions().released(Truth.VIEW).map(Release::format))));
  }

  VersionStore versions() {
    return new VersionStore(RedisServers.connect(settings));
  }

  /** Counts what is there and belongs to no complete version. */
  Leftovers leftovers() {
    return Leftovers.count(lake, RedisServers.connect(settings), redis, Truth.VIEW);
  }

  /** The key of the leases of unfinished versions. */
  String leasesKey() {
    return settings.read(RedisSettings::of).keys().writing(Truth.VIEW);
  }

  synchronized void note(String text) {
    log.println(Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + text);
    log.flush();
  }

  /** Ends everything that was started here. */
  @Override
  public void close() {
    synchronized (open) {
      while (!open.isEmpty()) {
        try {
          open.pop().close();
        } catch (Exception e) { // as AutoCloseable says; the others are to be closed still
          console.say("could not be ended: %s", Causes.reason(e));
        }
      }
    }
  }

  private Push.Outcome push(Settings settings) {
    return new Push(lake, RedisServers.connect(settings), settings, new Console(log, log))
        .push(List.of(view), List.of(), Push.Request.NEWEST)
        .get(0);
  }

  private long bytesOfPush() {
    try (TcpProxy proxy = new TcpProxy(port)) {
      var unused = push(settings(proxy.port()));
      return proxy.passed();
    }
  }

  private Settings settings(int redisPort) {
    return Settings.load(
        CommandLine.parse(command(redisPort, "push").toArray(new String[0])).orElseThrow());
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new TarnException("no port is free on this machine", e);
    }
  }
}
