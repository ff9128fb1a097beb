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
import dev.tarn.manifest.Manifest;
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
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import redis.clients.jedis.Jedis;

/**
 * The command {@code bench faults}: pushes are killed, stalled, cut off and started at once, Redis
 * is killed and filled up, in an order that a seed gives, while clients look up without a pause and
 * check every answer. After each fault a push must leave nothing but its version. All of it happens
 * on this machine, in a folder, a catalog, a Redis and a lookup server of its own; docs/faults.md
 * has the details.
 */
public final class BenchFaultsJob {

  private enum Fault {
    KILL("pushes killed"),
    REDIS_KILL("Redis killed and restarted"),
    CUT("connections cut"),
    OUT_OF_MEMORY("Redis full"),
    STALL("pushes stopped beyond their lease"),
    TWO_PUSHES("two pushes at once"),
    ROLLBACK("rollbacks");

    private final String what;

    Fault(String what) {
      this.what = what;
    }
  }

  private static final String AS_OF = "2026-01-05T00:00:00Z";
  private static final Duration LEASE = Duration.ofSeconds(4);
  private static final Duration LONGEST_PUSH = Duration.ofMinutes(2);

  /** Until a server that has found out about a release answers from it, with much to spare. */
  private static final Duration LONGEST_SWITCH = Duration.ofSeconds(15);

  /** How a push may say that it failed. */
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
  private final Path home;
  private final Path folder;
  private final long kills;
  private final long minutes;
  private final Random random;
  private final long seed;
  private final int port = freePort();
  private final List<String> words;
  private final Settings settings;
  private final Truth truth = new Truth();
  private final FaultsReport report = new FaultsReport();
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

  private BenchFaultsJob(CommandLine line, Settings given, Console console) {
    this.console = console;
    this.home = given.home();
    this.folder = given.state().resolve("bench").resolve("faults");
    this.kills = line.number("kills", 1, 100);
    this.minutes = line.number("minutes", 1, 30);
    this.seed = line.number("seed", 0, 1);
    this.random = new Random(seed);
    this.words =
        List.of(
            "home=" + home,
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

  /** The command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    BenchFaultsJob job = new BenchFaultsJob(line, given, console);
    Thread hook = new Thread(job::close, "end");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      job.prepare();
      job.run();
    } catch (IOException e) {
      throw new TarnException(
          "the faults could not be tried in %s: %s".formatted(job.folder, Causes.reason(e)), e);
    } finally {
      job.close();
    }
    console.result(asJson ? job.report.json().toString() : job.report.table());
    List<String> findings = job.report.findings();
    if (!findings.isEmpty()) {
      throw new TarnException(
          "what must not happen did: %s. %s has the details, and seed=%d the same faults again"
              .formatted(String.join("; ", findings), job.folder.resolve("faults.log"), job.seed));
    }
  }

  /** Everything of its own, and a first version that is served. */
  private void prepare() throws IOException {
    ServerProcess.endLeftOver(folder);
    FaultsRedis.endLeftOver(folder.resolve("redis"));
    if (Files.exists(folder)) {
      MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    Truth.define(folder);
    log = new PrintStream(folder.resolve("faults.log").toFile(), StandardCharsets.UTF_8);
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
    report.did(Fault.KILL.what, 0);
  }

  private void run() throws IOException {
    Instant start = Instant.now();
    Deque<Fault> plan = plan();
    int tried = 0;
    int all = plan.size();
    while (!plan.isEmpty() && tried < 3 * all) {
      if (Duration.between(start, Instant.now()).toMinutes() >= minutes) {
        console.say("%d minutes are over (minutes=…), %d faults are left", minutes, plan.size());
        break;
      }
      Fault fault = plan.remove();
      tried++;
      console.progress("fault %d, %d to go: %s", tried, plan.size(), fault.what);
      if (!round(fault)) {
        // It came too late, when the push was done already.
        plan.add(fault);
      }
    }
    lookups.close();
    report.did("answers checked", lookups.answers());
    report.did("entities in them", lookups.entities());
    report.did("errors while Redis was away", lookups.errorsInOutages());
    report.did("seconds", Duration.between(start, Instant.now()).toSeconds());
    report.mustBeNone("wrong or mixed answers", lookups.wrong());
    report.mustBeNone("errors while Redis was there", lookups.errorsElsewhere());
    report.mustBeNone("served versions lost", 0);
    report.mustBeNone("failures without a reason", 0);
    report.mustBeNone("pushes after a fault that failed", 0);
    report.mustBeNone("keys left", 0);
    report.mustBeNone("leases left", 0);
    report.mustBeNone("tags left", 0);
  }

  /** All kinds of faults, in an order that the seed gives. */
  private Deque<Fault> plan() {
    List<Fault> plan = new ArrayList<>(Collections.nCopies((int) kills, Fault.KILL));
    for (Fault fault : List.of(Fault.REDIS_KILL, Fault.CUT, Fault.TWO_PUSHES)) {
      plan.addAll(Collections.nCopies((int) Math.max(1, kills / 10), fault));
    }
    for (Fault fault : List.of(Fault.OUT_OF_MEMORY, Fault.STALL, Fault.ROLLBACK)) {
      plan.addAll(Collections.nCopies((int) Math.max(1, kills / 20), fault));
    }
    Collections.shuffle(plan, random);
    return new ArrayDeque<>(plan);
  }

  /** One fault, and a push that must put everything right; false: the fault came too late. */
  private boolean round(Fault fault) throws IOException {
    boolean isSmall = random.nextInt(5) < 2;
    long served = serving().getSnapshotId();
    long wanted = build(isSmall ? 0.03 : 1);
    long bytes = isSmall ? deltaBytes : fullBytes;
    Set<Long> allowed = Set.of(served, wanted);
    boolean happened = true;
    switch (fault) {
      case KILL -> {
        if (random.nextInt(12) == 0 && snapshots.size() > 8) {
          long old = snapshots.get(snapshots.size() - 8);
          allowed = new HashSet<>(List.of(served, old));
          happened = kill(fullBytes, "rollback", "view=" + Truth.VIEW, "snapshot=" + old);
        } else {
          happened = kill(bytes, "push", "view=" + Truth.VIEW);
        }
      }
      case REDIS_KILL -> killRedis(bytes);
      case CUT -> cut(bytes);
      case OUT_OF_MEMORY -> fill(bytes);
      case STALL -> allowed = new HashSet<>(List.of(served, wanted, stall(bytes)));
      case TWO_PUSHES -> {
        twoPushes();
        allowed = Set.of(wanted);
      }
      case ROLLBACK -> allowed = rollBack(served, wanted);
    }
    checkServed(fault, allowed);
    putRight();
    if (happened) {
      report.did(fault.what, 1);
    }
    return happened;
  }

  private boolean kill(long bytes, String... words) {
    Driver driver = drivers.take();
    // A third at any byte, a third near the end, where a version is completed, released and pruned,
    // and a third a while after any byte, for what does not go to Redis: tags, the history.
    int kind = random.nextInt(3);
    long at =
        kind == 1
            ? bytes - random.nextInt((int) Math.min(bytes, 12_000))
            : (long) (bytes * random.nextDouble());
    int later = kind == 2 ? random.nextInt(800) : 0;
    try (TcpProxy proxy = new TcpProxy(port)) {
      proxy.after(
          at,
          () -> {
            if (later == 0) {
              driver.kill();
            } else {
              beside(later, driver::kill);
            }
          });
      driver.go(command(proxy.port(), words));
      int status = driver.await(LONGEST_PUSH);
      boolean isKilled = status == 128 + 9;
      note(
          "%s %s after %,d bytes and %d ms"
              .formatted(words[0], isKilled ? "killed" : "not killed", at, later));
      if (!isKilled) {
        explain(driver, status);
      }
      return isKilled;
    }
  }

  private void killRedis(long bytes) {
    Driver driver = drivers.take();
    long at = (long) (bytes * random.nextDouble());
    int away = 100 + random.nextInt(1_500);
    CountDownLatch isBack = new CountDownLatch(1);
    AtomicReference<IOException> failure = new AtomicReference<>();
    Runnable kill =
        () -> {
          lookups.beginOutage();
          redis.kill();
          beside(
              away,
              () -> {
                try {
                  redis.start();
                } catch (IOException e) {
                  failure.set(e);
                } finally {
                  isBack.countDown();
                }
              });
        };
    try (TcpProxy proxy = new TcpProxy(port)) {
      proxy.after(at, kill);
      driver.go(command(proxy.port(), "push", "view=" + Truth.VIEW));
      int status = driver.await(LONGEST_PUSH);
      if (proxy.passed() < at) {
        kill.run();
      }
      await(isBack);
      if (failure.get() != null || !lookups.endOutage(Duration.ofSeconds(30))) {
        note("the lookup server did not find Redis again: " + failure.get());
        report.mustBeNone("served versions lost", 1);
      }
      note("Redis killed after %,d bytes, back after %d ms".formatted(at, away));
      explain(driver, status);
    }
  }

  /** Three times in one push; it must go on by itself. */
  private void cut(long bytes) {
    Driver driver = drivers.take();
    long step = (long) (bytes * random.nextDouble() / 3);
    try (TcpProxy proxy = new TcpProxy(port)) {
      proxy.after(step, () -> cut(proxy, step, 2));
      driver.go(command(proxy.port(), "push", "view=" + Truth.VIEW));
      int status = driver.await(LONGEST_PUSH);
      note("connections cut each %,d bytes".formatted(step));
      explain(driver, status);
      if (status != 0) {
        report.mustBeNone("pushes that a cut connection ended", 1);
      }
    }
  }

  private static void cut(TcpProxy proxy, long step, int more) {
    proxy.cut();
    if (more > 0) {
      proxy.after(step, () -> cut(proxy, step, more - 1));
    }
  }

  private void fill(long bytes) {
    Driver driver = drivers.take();
    long at = (long) (bytes * random.nextDouble());
    try (TcpProxy proxy = new TcpProxy(port)) {
      proxy.after(at, () -> redis.limit(50_000));
      driver.go(command(proxy.port(), "push", "view=" + Truth.VIEW));
      int status = driver.await(LONGEST_PUSH);
      note("Redis full after %,d bytes".formatted(at));
      explain(driver, status);
    } finally {
      redis.unlimit();
    }
  }

  /** The result is the snapshot that another push released meanwhile. */
  private long stall(long bytes) throws IOException {
    Driver driver = drivers.take();
    long at = (long) (bytes * random.nextDouble());
    CountDownLatch isStopped = new CountDownLatch(1);
    try (TcpProxy proxy = new TcpProxy(port)) {
      proxy.after(
          at,
          () -> {
            driver.stop();
            isStopped.countDown();
          });
      driver.go(command(proxy.port(), "push", "view=" + Truth.VIEW));
      while (driver.isAlive() && isStopped.getCount() > 0) {
        pause(20);
      }
      pause(LEASE.toMillis() + 500);
      long wanted =
          random.nextBoolean() ? snapshots.get(snapshots.size() - 1) : build(random.nextDouble());
      push();
      driver.resume();
      int status = driver.await(LONGEST_PUSH);
      note("push stopped after %,d bytes until another one was done".formatted(at));
      explain(driver, status);
      return wanted;
    }
  }

  /** Of one snapshot, or of two with the older one or the newer one first. */
  private void twoPushes() {
    Driver one = drivers.take();
    Driver other = drivers.take();
    String newest = "snapshot=" + snapshots.get(snapshots.size() - 1);
    String before = "snapshot=" + snapshots.get(snapshots.size() - 2);
    int kind = random.nextInt(3);
    String view = "view=" + Truth.VIEW;
    one.go(command(port, "push", view, kind == 1 ? before : newest));
    other.go(command(port, "push", view, kind == 2 ? before : newest));
    int ofOne = one.await(LONGEST_PUSH);
    int ofOther = other.await(LONGEST_PUSH);
    note("two pushes at once, of %s".formatted(kind == 0 ? "one snapshot" : "two snapshots"));
    explain(one, ofOne);
    explain(other, ofOther);
  }

  /** To the version before, in every other round while a push is under way. */
  private Set<Long> rollBack(long served, long wanted) {
    boolean isUnderWay = random.nextBoolean();
    Driver rollback = drivers.take();
    List<Manifest> kept = versions().manifests(Truth.VIEW);
    Set<Long> allowed = new HashSet<>(kept.stream().map(Manifest::getSnapshotId).toList());
    if (isUnderWay) {
      allowed.add(wanted);
      Driver push = drivers.take();
      push.go(command(port, "push", "view=" + Truth.VIEW));
      pause(random.nextInt(2_000));
      rollback.go(command(port, "rollback", "view=" + Truth.VIEW));
      explain(push, push.await(LONGEST_PUSH));
    } else {
      allowed.remove(served);
      rollback.go(command(port, "rollback", "view=" + Truth.VIEW));
    }
    int status = rollback.await(LONGEST_PUSH);
    note("rollback%s".formatted(isUnderWay ? " with a push under way" : ""));
    explain(rollback, status);
    if (status == 0) {
      long pinned = serving().getSnapshotId();
      push();
      if (serving().getSnapshotId() != pinned) {
        note("a push released over a pin");
        report.mustBeNone("served versions lost", 1);
      }
    }
    return allowed;
  }

  /** What is released is one of these snapshots, and the server answers from it, right. */
  private void checkServed(Fault fault, Set<Long> allowed) {
    Manifest serving = serving();
    if (!allowed.contains(serving.getSnapshotId())) {
      note(
          "after %s: snapshot %d is released, not one of %s"
              .formatted(fault, serving.getSnapshotId(), allowed));
      report.mustBeNone("served versions lost", 1);
    }
    awaitAnswersFrom(serving.getVersion());
  }

  private void awaitAnswersFrom(String version) {
    long deadline = System.nanoTime() + LONGEST_SWITCH.toNanos();
    Optional<String> answered = lookups.sweep();
    while (!answered.equals(Optional.of(version))) {
      if (System.nanoTime() > deadline) {
        note("%s is released, and %s answers".formatted(version, answered.orElse("nothing")));
        report.mustBeNone("served versions lost", 1);
        return;
      }
      pause(50);
      answered = lookups.sweep();
    }
  }

  /** Once leases ran out, a push must leave its version and nothing else. */
  private void putRight() {
    versions().unpin(Truth.VIEW);
    awaitLeases();
    push();
    Manifest serving = serving();
    if (serving.getSnapshotId() != snapshots.get(snapshots.size() - 1)) {
      note("the newest snapshot is not released");
      report.mustBeNone("pushes after a fault that failed", 1);
    }
    Leftovers left = Leftovers.NONE;
    // What was pruned stays for push.grace.
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(4);
    try (Jedis jedis = redis.connect()) {
      do {
        pause(200);
        left = Leftovers.count(lake, RedisServers.connect(settings), jedis, Truth.VIEW);
      } while (!left.equals(Leftovers.NONE) && System.nanoTime() < deadline);
    }
    if (!left.equals(Leftovers.NONE)) {
      note("left: " + left);
    }
    report.mustBeNone("keys left", left.keys());
    report.mustBeNone("leases left", left.leases());
    report.mustBeNone("tags left", left.tags());
    awaitAnswersFrom(serving.getVersion());
  }

  /** Of pushes that are dead: none is alive now. */
  private void awaitLeases() {
    String writing = settings.read(RedisSettings::of).keys().writing(Truth.VIEW);
    try (Jedis jedis = redis.connect()) {
      while (true) {
        long now = Long.parseLong(jedis.time().get(0)) * 1_000;
        long last =
            jedis.hvals(writing).stream()
                .mapToLong(entry -> Long.parseLong(entry.substring(entry.indexOf('@') + 1)))
                .max()
                .orElse(0);
        if (last < now) {
          return;
        }
        pause(100);
      }
    }
  }

  /** A push in this process, which must not fail. */
  private void push() {
    try {
      count(push(settings));
    } catch (RuntimeException e) {
      note("a push after a fault failed: " + e.getMessage());
      report.mustBeNone("pushes after a fault that failed", 1);
    }
  }

  private Push.Outcome push(Settings settings) {
    return new Push(lake, RedisServers.connect(settings), settings, new Console(log, log))
        .push(List.of(view), List.of(), Push.Request.NEWEST)
        .get(0);
  }

  private long bytesOfPush() {
    try (TcpProxy proxy = new TcpProxy(port)) {
      push(settings(proxy.port()));
      return proxy.passed();
    }
  }

  private void count(Push.Outcome outcome) {
    if (outcome.pushed()) {
      report.did(outcome.mode().equals("delta") ? "delta pushes" : "full pushes", 1);
    }
  }

  /** A driver that failed must have said why. */
  private void explain(Driver driver, int status) {
    String output = driver.output();
    note("  exit %d: %s".formatted(status, output.strip().replace("\n", "\n    ")));
    if (output.contains(" is released as ")) {
      report.did(output.contains("(delta over ") ? "delta pushes" : "full pushes", 1);
    }
    if (status != 0 && (status != 1 || REASONS.stream().noneMatch(output::contains))) {
      report.mustBeNone("failures without a reason", 1);
    }
  }

  private long build(double share) throws IOException {
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

  private Manifest serving() {
    return versions()
        .serving(Truth.VIEW)
        .orElseThrow(
            () ->
                new TarnException(
                    "nothing is released any more: %s"
                        .formatted(versions().released(Truth.VIEW).map(Release::format))));
  }

  private VersionStore versions() {
    return new VersionStore(RedisServers.connect(settings));
  }

  private List<String> command(int redisPort, String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    all.addAll(this.words);
    all.add("redis.port=" + redisPort);
    return all;
  }

  private Settings settings(int redisPort) {
    return Settings.load(
        CommandLine.parse(command(redisPort, "push").toArray(new String[0])).orElseThrow());
  }

  private synchronized void note(String text) {
    log.println(Instant.now().truncatedTo(java.time.temporal.ChronoUnit.MILLIS) + " " + text);
    log.flush();
  }

  /** Ends everything that was started here. */
  private void close() {
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

  private static void beside(long laterMillis, Runnable work) {
    Thread thread =
        new Thread(
            () -> {
              pause(laterMillis);
              work.run();
            },
            "fault");
    thread.setDaemon(true);
    thread.start();
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(2, TimeUnit.MINUTES)) {
        throw new TarnException("Redis was not started again in two minutes");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  private static void pause(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new TarnException("no port is free on this machine", e);
    }
  }
}
