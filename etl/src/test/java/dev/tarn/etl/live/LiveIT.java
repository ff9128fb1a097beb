package dev.tarn.etl.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Main;
import dev.tarn.etl.archive.Topics;
import dev.tarn.kafka.KafkaBroker;
import dev.tarn.live.Cut;
import dev.tarn.redis.RedisClusterFixture;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Live jobs as processes: killed, stopped and let go again, ended. */
@Tag("slow")
class LiveIT {

  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final int KILLS = 6;
  private static final int LONGEST_DELAY_MILLIS = 400;

  private static KafkaBroker broker;
  private static Topics topics;

  @BeforeAll
  static void startKafka() {
    broker = KafkaBroker.start(Map.of("group.min.session.timeout.ms", "1000"));
    topics = new Topics(broker);
  }

  @AfterAll
  static void stopKafka() {
    topics.close();
    broker.close();
  }

  @Test
  void whateverIsKilledEachEventCountsOnce() throws Exception {
    LiveBench live = live("killed", 3);
    Random random = new Random(20261130);
    for (int kill = 0; kill < KILLS; kill++) {
      Map<Integer, Long> before = live.ends();
      Process job = start(live, "job" + kill);
      // Until it follows: before that it is a JVM that starts.
      await().atMost(PATIENCE).until(() -> !job.isAlive() || log(live, job).contains("live from"));
      for (int i = 0; i < 5; i++) {
        live.send(100);
      }
      await().atMost(PATIENCE).until(() -> !job.isAlive() || hasMoved(live, before));
      boolean hasEnded = job.waitFor(random.nextInt(LONGEST_DELAY_MILLIS), TimeUnit.MILLISECONDS);
      assertThat(hasEnded).as(() -> log(live, job)).isFalse();
      job.destroyForcibly().waitFor();
    }
    Process last = start(live, "last");
    await().atMost(PATIENCE).until(() -> !last.isAlive() || live.isApplied("total"));
    live.assertExact("total", Cut.of());
    live.assertExact("recent", Cut.of(), Cut.of(16, 32, 48));
    end(live, last);
  }

  @Test
  void aJobThatWakesUpAfterOthersTookOverChangesNothing() throws Exception {
    LiveBench live = live("fenced", 2);
    live.bench().set("kafka.session.timeout.ms", "2000").set("kafka.heartbeat.interval.ms", "500");
    Process one = start(live, "one");
    await().atMost(PATIENCE).until(() -> !one.isAlive() || log(live, one).contains("live from"));
    Process other = start(live, "other");
    await()
        .atMost(PATIENCE)
        .until(() -> !other.isAlive() || log(live, other).contains("total: live from"));
    for (int round = 0; round < 2; round++) {
      live.send(500);
      signal(one, "STOP");
      live.send(500);
      // The other one gets its partitions.
      await().atMost(PATIENCE).until(() -> !other.isAlive() || live.isApplied("total"));
      live.send(300);
      signal(one, "CONT");
      live.send(300);
      await().atMost(PATIENCE).until(() -> !other.isAlive() || live.isApplied("total"));
      live.assertExact("total", Cut.of());
    }
    await().atMost(PATIENCE).until(() -> live.isApplied("recent"));
    live.assertExact("recent", Cut.of());
    end(live, one);
    end(live, other);
  }

  /** Progress is on one server and cells are on all: one that takes over may lack some of them. */
  @Test
  void aClusterThatLosesAServerGetsItsCellsAgain() {
    try (RedisClusterFixture cluster = RedisClusterFixture.withReplicas(3)) {
      LiveBench live = new LiveBench(broker.address(), topics, "cluster", 2, Map.of());
      live.bench().set("redis.port", Integer.toString(cluster.port(0)));
      live.putBase("total", "v1", Map.of());
      try (LiveBench.Run run = live.run("total")) {
        live.send(300);
        live.awaitApplied(run, "total");
        live.assertExact("total", Cut.of());
        int control = cluster.ownerOf(JedisClusterCRC16.getSlot(live.keys().release()));
        for (int killed : new int[] {(control + 1) % 3, control}) {
          live.send(100);
          cluster.kill(killed);
          live.send(300);
          live.awaitApplied(run, "total");
          live.assertExact("total", Cut.of());
        }
      }
    }
  }

  private static boolean hasMoved(LiveBench live, Map<Integer, Long> before) {
    return live.progress("total").entrySet().stream()
        .anyMatch(entry -> entry.getValue().next() > before.get(entry.getKey()));
  }

  private static LiveBench live(String topic, int partitions) {
    LiveBench live = new LiveBench(broker.address(), topics, topic, partitions, Map.of());
    live.putBase("total", "v1", Map.of());
    live.putBase("recent", "v1", Map.of());
    live.send(200);
    return live;
  }

  /** Asks a job to end, which it does in order. */
  private static void end(LiveBench live, Process job) throws InterruptedException {
    // A JVM that still starts ends at once.
    await().atMost(PATIENCE).until(() -> !job.isAlive() || log(live, job).contains("live from"));
    job.destroy();
    assertThat(job.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    assertThat(job.exitValue()).as(() -> log(live, job)).isZero();
  }

  private static Process start(LiveBench live, String name) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> option.startsWith("--add-opens") || option.startsWith("-XX:+Ignore"))
        .forEach(command::add);
    command.addAll(List.of("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), Main.class.getName(), "live"));
    command.addAll(live.bench().settingWords());
    Path log = live.bench().path(name + ".log");
    Process job =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    Files.writeString(live.bench().path(job.pid() + ".name"), name);
    Runtime.getRuntime().addShutdownHook(new Thread(job::destroyForcibly));
    return job;
  }

  private static String log(LiveBench live, Process job) {
    try {
      String name = Files.readString(live.bench().path(job.pid() + ".name"));
      return Files.readString(live.bench().path(name + ".log"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static void signal(Process job, String name) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(job.pid())).start().waitFor())
        .isZero();
  }
}
