package dev.tarn.bench.faults;

import dev.tarn.bench.stream.AskedAgain;
import dev.tarn.bench.stream.Askers;
import dev.tarn.bench.stream.Checker;
import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.stream.Oracle;
import dev.tarn.bench.stream.PaymentStream;
import dev.tarn.bench.stream.Payments;
import dev.tarn.bench.stream.StampedAnswer;
import dev.tarn.bench.stream.StampedClient;
import dev.tarn.bench.stream.Traffic;
import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.JobProcess;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.EventTableCheck;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.redis.RedisSettings;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The live part of {@code bench faults}: payments flow, two live jobs and an archive follow them,
 * clients ask without a pause, and again and again one of the processes is killed at a random
 * moment and started again. Each answer is compared with what its stamp says. In the end every user
 * has exactly the payments that the topic has, and Iceberg gives the same answers again.
 */
final class LiveFaults {

  private static final int USERS = 500;
  private static final int PARTITIONS = 3;
  private static final int RATE = 200;
  private static final Duration RECOVERY = Duration.ofMinutes(5);

  /** What a client is told while the server, or Redis behind it, is away. */
  private static final Set<Status.Code> AWAY =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED);

  private static final String VIEW = "view=" + LiveViews.LAWS;

  private final Console console;
  private final Random random;
  private final FaultsReport report;
  private final Path folder;
  private final PrintStream log;
  private final FaultsRedis redis;
  private final LivePlace place;
  private final Drivers pushes;
  private final int serverPort;
  private final JobProcess[] live = new JobProcess[2];
  private final AtomicLong away = new AtomicLong();
  private JobProcess archive;
  private ServerProcess server;
  private volatile boolean isOutage;

  private LiveFaults(
      Console console,
      Random random,
      FaultsReport report,
      Path folder,
      PrintStream log,
      FaultsRedis redis,
      LivePlace place,
      int serverPort)
      throws IOException {
    this.console = console;
    this.random = random;
    this.report = report;
    this.folder = folder;
    this.log = log;
    this.redis = redis;
    this.place = place;
    this.serverPort = serverPort;
    this.pushes = place.opened(new Drivers(folder, List.of(), place.words()));
  }

  /** Runs the campaign in a folder of its own. */
  static void run(
      CommandLine line, Settings given, Console console, FaultsReport report, Path folder)
      throws IOException {
    long kills = line.number("kills", 1, 200);
    long minutes = line.number("minutes", 1, 60);
    Random random = new Random(line.number("seed", 0, 1));
    FaultsRedis.endLeftOver(folder.resolve("redis"));
    LivePlace.clear(folder);
    LiveViews.defineLaws(folder.resolve("features"));
    int redisPort = freePort();
    RedisSettings settings = BenchSettings.of(line, folder, redisPort).read(RedisSettings::of);
    try (PrintStream log = new PrintStream(logFile(folder).toFile(), StandardCharsets.UTF_8);
        FaultsRedis redis = FaultsRedis.start(settings, folder.resolve("redis"));
        LivePlace place =
            LivePlace.start(
                given,
                console,
                folder,
                redisPort,
                PARTITIONS,
                List.of(
                    "push.lease=5s",
                    // A job that is killed or stopped is missed soon.
                    "kafka.session.timeout.ms=6000",
                    "kafka.heartbeat.interval.ms=1500"))) {
      Thread end =
          new Thread(
              () -> {
                place.close();
                redis.close();
              },
              "end");
      Runtime.getRuntime().addShutdownHook(end);
      new LiveFaults(console, random, report, folder, log, redis, place, freePort())
          .run(kills, minutes);
      Runtime.getRuntime().removeShutdownHook(end);
    }
  }

  static Path logFile(Path folder) {
    return folder.resolve("faults.log");
  }

  private void run(long kills, long minutes) throws IOException {
    long start = System.nanoTime();
    PaymentStream stream =
        new PaymentStream(
            place.topic(), new Payments.Shape(USERS, 0.1, 0.005), 0.05, random.nextLong());
    for (int i = 0; i < 3 * USERS; i++) {
      stream.send();
    }
    place.topic().flush();
    place.archive();
    place.push(LiveViews.LAWS);
    live[0] = place.live("live0", LiveViews.LAWS);
    live[1] = place.live("live1", LiveViews.LAWS);
    archive = archive();
    server = place.server(serverPort);
    try (Checker checker = Checker.start(place.topic(), this::note);
        StampedClient client = new StampedClient(serverPort);
        Traffic payments = Traffic.start(RATE, stream::send)) {
      awaitRecovery(client);
      try (Askers askers =
          Askers.start(client, USERS, new Askers.Shape(2, 20, 5), checker::take, this::failed)) {
        Deque<LiveFault> plan = LiveFault.plan(kills, random);
        int all = plan.size();
        while (!plan.isEmpty()) {
          if (TimeUnit.NANOSECONDS.toMinutes(System.nanoTime() - start) >= minutes) {
            console.say(
                "%d minutes are over (minutes=…), %d faults are left", minutes, plan.size());
            break;
          }
          LiveFault fault = plan.remove();
          console.progress("fault %d of %d: %s", all - plan.size(), all, fault.label());
          LivePlace.pause(random.nextInt(1_500));
          make(fault);
          report.did(fault.label(), 1);
          awaitRecovery(client);
        }
        report.did("answers", askers.answers());
      }
      payments.close();
      place.topic().flush();
      compareAll(client, checker, stream);
      checker.settle();
      report.did("answers compared with brute force", checker.checked());
      report.did("answers that told of lag", checker.lagging());
      report.did("errors while something was away", away.get());
      report.mustBeNone("wrong answers", checker.wrong());
    }
    report.did("seconds", TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start));
  }

  /** Kills one process and starts another in its place after a while. */
  private void make(LiveFault fault) throws IOException {
    int pause = random.nextInt(1_000);
    note("%s, back after %d ms".formatted(fault.label(), pause));
    switch (fault) {
      case LIVE -> {
        int which = random.nextInt(live.length);
        live[which].kill();
        LivePlace.pause(pause);
        live[which] = place.live("live" + which, LiveViews.LAWS);
      }
      case STOPPED -> {
        int which = random.nextInt(live.length);
        live[which].freeze();
        // Another job takes the partitions, when the stopped one is missed.
        JobProcess other = place.live("live-other", LiveViews.LAWS);
        LivePlace.pause(12_000 + pause);
        live[which].thaw();
        LivePlace.pause(1_000);
        other.close();
      }
      case ARCHIVE -> {
        archive.kill();
        LivePlace.pause(pause);
        archive = archive();
      }
      case REDIS -> {
        isOutage = true;
        redis.kill();
        LivePlace.pause(pause);
        redis.start();
      }
      case BROKER -> {
        place.broker().kill();
        LivePlace.pause(pause);
        place.broker().run();
      }
      case SERVER -> {
        isOutage = true;
        ProcessHandle.of(server.pid()).ifPresent(ProcessHandle::destroyForcibly);
        server.close();
        LivePlace.pause(pause);
        server = place.server(serverPort);
      }
      case PUSH -> {
        Driver push = pushes.take();
        push.go(words("push", VIEW));
        LivePlace.pause(3L * pause);
        push.kill();
        push = pushes.take();
        push.go(words("push", VIEW));
        int status = push.await(RECOVERY);
        if (status != 0) {
          note("a push after a killed one: exit %d: %s".formatted(status, push.output()));
          report.mustBeNone("pushes after a fault that failed", 1);
        }
      }
    }
  }

  private JobProcess archive() {
    return place.opened(
        JobProcess.start(
            folder.resolve("archive.log"),
            List.of("-Xmx700m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            words("archive", "source=" + LiveViews.SOURCE, "every=1s")));
  }

  private List<String> words(String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    all.addAll(place.words());
    return all;
  }

  /** Waits until answers are complete up to now: an answer has every payment of a user. */
  private void awaitRecovery(StampedClient client) {
    long[] ends = place.topic().ends();
    long deadline = System.nanoTime() + RECOVERY.toNanos();
    while (!isThere(client, ends)) {
      if (System.nanoTime() > deadline) {
        throw new TarnException(
            "no complete answer within %d s after a fault; %s has more"
                .formatted(RECOVERY.toSeconds(), logFile(folder)));
      }
      LivePlace.pause(50);
    }
    isOutage = false;
  }

  private static boolean isThere(StampedClient client, long[] ends) {
    try {
      StampedAnswer answer = client.ask(List.of(1)).get(0);
      if (answer.lags() || answer.cut().length < ends.length) {
        return false;
      }
      for (int i = 0; i < ends.length; i++) {
        if (answer.cut()[i] < ends[i]) {
          return false;
        }
      }
      return true;
    } catch (StatusRuntimeException e) {
      client.reconnect();
      return false;
    }
  }

  /** Asks for every user when nothing flows any more. */
  private void compareAll(StampedClient client, Checker checker, PaymentStream stream) {
    awaitRecovery(client);
    long[] ends = place.topic().ends();
    LivePlace.await("the topic was not read", 60, () -> checker.oracle().knows(ends));
    AskedAgain again = new AskedAgain(place, folder);
    List<Integer> users = List.copyOf(checker.oracle().users());
    long lost = 0;
    for (StampedAnswer answer : client.ask(users)) {
      List<String> right = checker.oracle().answer(answer.user(), ends, answer.moment());
      if (answer.lags() || !answer.values().equals(right)) {
        lost++;
        note(
            "in the end, user %d: %s"
                .formatted(answer.user(), Oracle.difference(right, answer.values())));
      }
      again.add(answer);
    }
    report.did("users compared in the end", users.size());
    report.mustBeNone("users with lost or doubled events", lost);
    report.mustBeNone(
        "payments that the topic has not once",
        Math.abs(stream.distinct() - checker.oracle().distinct()) + stream.failed());
    archive.close();
    place.archive();
    try {
      note(
          EventTableCheck.of(
              place.lake(), Definitions.load(place.settings()).streamSource(LiveViews.SOURCE)));
    } catch (TarnException e) {
      note("the event table: " + e.getMessage());
      report.mustBeNone("offsets that the event table has not once", 1);
    }
    report.did("answers asked again from Iceberg", again.count());
    report.mustBeNone(
        "answers that Iceberg gives otherwise",
        again.differing(folder.resolve("again"), this::note));
    note("ends " + Arrays.toString(ends));
  }

  private void failed(Status status) {
    if (isOutage && AWAY.contains(status.getCode())) {
      away.incrementAndGet();
    } else {
      note("a lookup failed: " + status);
      report.mustBeNone("errors while all was there", 1);
    }
  }

  private synchronized void note(String text) {
    log.println(Instant.now() + " " + text);
    log.flush();
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new TarnException("no port is free on this machine", e);
    }
  }
}
