package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.TcpProxy;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.Jedis;
import redis.embedded.RedisServer;

/** Whatever happens to a push, what was released is served in full, and nothing else stays. */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
@Tag("slow")
class TestPushFaults {

  private static final String VIEW = "score";
  private static final String AS_OF = "2026-01-05T00:00:00Z";

  @Test
  void redisThatDoesNotAnswerIsNamed() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, AS_OF);
    int nowhere = Workbench.freePort();
    bench.set("redis.port", Integer.toString(nowhere));
    bench.output();
    assertThat(bench.run("push", "view=score")).isEqualTo(1);
    assertThat(bench.output().strip())
        .isEqualTo(
            "tarn: can't use Redis at 127.0.0.1:%d (settings redis.host, redis.port): Connection refused. ./tarn up starts a local one"
                .formatted(nowhere));
    assertThat(tags(bench)).isEmpty();
    assertThat(bench.run("versions")).isEqualTo(1);
    assertThat(bench.output()).contains("can't use Redis at 127.0.0.1:" + nowhere);
  }

  @Test
  void aPushWorksInAnotherDatabaseBehindAPassword() {
    RedisServer redis = Workbench.startRedis(Map.of("requirepass", "secret"));
    Workbench bench = released(redis.ports().get(0), 50);
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("can't use Redis at 127.0.0.1:")
        .hasMessageContaining("NOAUTH");
    bench.set("redis.password", "guess");
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("WRONGPASS")
        .hasMessageNotContaining("guess");
    bench.set("redis.password", "secret").set("redis.database", "3");
    bench.push(VIEW);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(jedis.info("keyspace")).contains("db3:").doesNotContain("db0:");
    }
    Workbench.stop(redis);
  }

  @Test
  void fullRedisFailsThePushAndNothingElse() {
    RedisServer redis = Workbench.startRedis(Map.of());
    Workbench bench = released(redis.ports().get(0), 2_000);
    VersionRecord old = bench.push(VIEW).record();
    rebuild(bench, 20_000, 2);
    bench.output();
    int port = redis.ports().get(0);
    try (Jedis jedis = OnlineCopy.jedis(bench);
        TcpProxy proxy = new TcpProxy(port)) {
      // In the middle: before the first row there seems to be room enough.
      proxy.after(1_500_000, () -> jedis.configSet("maxmemory", Long.toString(usedMemory(jedis))));
      bench.set("redis.port", Integer.toString(proxy.port()));
      assertThat(bench.run("push", "view=score")).isEqualTo(1);
      assertThat(bench.output().strip())
          .isEqualTo(
              "tarn: score: Redis at 127.0.0.1:%d is full (maxmemory), so the push was stopped; what was released stays released. Raise maxmemory, or keep fewer versions (push.keep)"
                  .formatted(proxy.port()));
      bench.set("redis.port", Integer.toString(port));
      assertStillReleased(bench, old);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
      assertThat(tags(bench)).containsExactly("tarn-" + old.getVersion());
      jedis.configSet("maxmemory", "0");
    }
    assertThat(bench.push(VIEW).pushed()).isTrue();
    assertThat(OnlineCopy.released(bench, VIEW).getRows()).isEqualTo(20_000);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    Workbench.stop(redis);
  }

  @Test
  void redisThatStopsDuringAPushServesOnWhenItIsBack() throws IOException {
    Workbench bench = released(0, 2_000);
    Map<String, String> durable =
        Map.of("appendonly", "yes", "dir", Files.createDirectories(bench.path("redis")).toString());
    RedisServer redis = Workbench.startRedis(durable);
    int port = redis.ports().get(0);
    VersionRecord old;
    try (TcpProxy proxy = new TcpProxy(port)) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      old = bench.push(VIEW).record();
      rebuild(bench, 20_000, 2);
      bench.output();
      proxy.after(2_000_000, () -> Workbench.stop(redis));
      assertThat(bench.run("push", "view=score")).isEqualTo(1);
      assertThat(bench.output())
          .startsWith(
              "tarn: score: Redis at 127.0.0.1:%d was lost during the push and did not come back for 2 s (push.patience), so it was stopped; what was released stays released: "
                  .formatted(proxy.port()))
          .containsPattern("what had been written of v2-[0-9a-z]{6} could not be removed now")
          .contains("; the next push will");
    }

    RedisServer again = Workbench.startRedis(port, durable);
    bench.set("redis.port", Integer.toString(port));
    assertStillReleased(bench, old);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
      assertThat(jedis.hkeys("{%s}:writing:score".formatted(namespace))).hasSize(1);
      assertThat(jedis.keys(namespace + ":score:v2-*")).isNotEmpty();
    }
    OnlineCopy.expireLeases(bench, VIEW);
    assertThat(bench.push(VIEW).pushed()).isTrue();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    Workbench.stop(again);
  }

  @Test
  void redisThatIsRestartedDuringAPushIsWaitedFor() throws IOException {
    Workbench bench = released(0, 20_000);
    bench.set("push.patience", "1m");
    Map<String, String> durable =
        Map.of("appendonly", "yes", "dir", Files.createDirectories(bench.path("redis")).toString());
    RedisServer redis = Workbench.startRedis(durable);
    int port = redis.ports().get(0);
    AtomicReference<RedisServer> again = new AtomicReference<>();
    try (TcpProxy proxy = new TcpProxy(port)) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      proxy.after(
          2_000_000,
          () -> {
            Workbench.stop(redis);
            again.set(Workbench.startRedis(port, durable));
          });
      assertThat(bench.push(VIEW).pushed()).isTrue();
    }
    assertThat(again.get()).isNotNull();
    bench.set("redis.port", Integer.toString(port));
    assertThat(OnlineCopy.released(bench, VIEW).getRows()).isEqualTo(20_000);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    Workbench.stop(again.get());
  }

  @Test
  void rowsThatAreNotThereAnyMoreAreNamedAndNothingIsReleased() {
    Workbench bench = released(Workbench.redisPort(), 500);
    VersionRecord old = bench.push(VIEW).record();
    rebuild(bench, 500, 2);
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    try (TcpProxy proxy = new TcpProxy(Workbench.redisPort());
        Jedis jedis = OnlineCopy.jedis(bench)) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      proxy.before(
          requests -> requests.contains("HGETALL") && requests.contains(":score:v2-"),
          requests -> {
            // One row is lost, one is damaged, one is too many; and a whole bucket is gone.
            List<String> buckets =
                requests.lines().filter(line -> line.startsWith(namespace)).toList();
            String lost = jedis.hkeys(buckets.get(0)).iterator().next();
            jedis.hdel(buckets.get(0), lost);
            String damaged = jedis.hkeys(buckets.get(1)).iterator().next();
            jedis.hset(buckets.get(1), damaged, "x");
            jedis.hset(buckets.get(2), "stranger", "x");
            jedis.del(buckets.get(3));
          });
      assertThatThrownBy(() -> bench.push(VIEW))
          .isInstanceOf(TarnException.class)
          .hasMessageMatching(
              "(?s)score: 4 of 25 buckets are not in Redis as they were written, so version v2-[0-9a-z]{6} is not released:.*")
          .hasMessageContaining("is missing in")
          .hasMessageContaining("stranger");
    }
    bench.set("redis.port", Integer.toString(Workbench.redisPort()));
    assertStillReleased(bench, old);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    assertThat(tags(bench)).containsExactly("tarn-" + old.getVersion());
    assertThat(bench.push(VIEW).pushed()).isTrue();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aConnectionThatBreaksAnywhereIsMadeAnewAndTheVersionIsWhole() {
    RedisServer redis = Workbench.startRedis(Map.of());
    int port = redis.ports().get(0);
    Workbench bench = released(port, 3_000);
    VersionRecord old = bench.push(VIEW).record();
    Random random = new Random(7);
    long bytes;
    try (TcpProxy proxy = new TcpProxy(port)) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      rebuild(bench, 2_000, 1);
      old = bench.push(VIEW).record();
      bytes = proxy.passed();
    }
    for (int round = 0; round < 8; round++) {
      rebuild(bench, 2_000, 2 + round);
      // Half of them near the end, where a version is completed, released and pruned.
      long at =
          round % 2 == 0 ? (long) (bytes * random.nextDouble()) : bytes - random.nextInt(6_000);
      try (TcpProxy proxy = new TcpProxy(port)) {
        proxy.after(at, proxy::cut);
        bench.set("redis.port", Integer.toString(proxy.port()));
        assertThat(bench.push(VIEW).pushed()).isTrue();
      }
      bench.set("redis.port", Integer.toString(port));
      VersionRecord now = OnlineCopy.released(bench, VIEW);
      assertThat(now.getSequenceNumber()).isGreaterThan(old.getSequenceNumber());
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      old = now;
    }
    OnlineCopy.expireLeases(bench, VIEW);
    rebuild(bench, 2_000, 99);
    bench.push(VIEW);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    assertThat(tags(bench))
        .containsExactlyInAnyOrderElementsOf(
            bench.versions().records(VIEW).stream().map(m -> "tarn-" + m.getVersion()).toList());
    Workbench.stop(redis);
  }

  @Test
  void aPushThatLosesTheAnswerToItsReleaseIsReleasedOnce() {
    Workbench bench = released(Workbench.redisPort(), 50);
    bench.push(VIEW);
    rebuild(bench, 60, 2);
    try (TcpProxy proxy = new TcpProxy(Workbench.redisPort())) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      // Goes to Redis once, with the script that releases.
      proxy.loseAnswerTo("\"rowFormat\":1");
      Push.Outcome outcome = bench.push(VIEW);
      assertThat(proxy.hasLostAnswer()).isTrue();
      assertThat(outcome.pushed()).isTrue();
      assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(outcome.record());
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
      assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED_ALREADY);
    }
  }

  @Test
  void ofTwoPushesAtOnceTheNewerSnapshotIsServedInTheEnd() throws Exception {
    Workbench bench = released(Workbench.redisPort(), 3_000);
    bench.push(VIEW);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    for (int round = 0; round < 3; round++) {
      rebuild(bench, 3_000, 10 * round + 2);
      long older = main(bench);
      rebuild(bench, 3_000, 10 * round + 3);
      long newer = main(bench);
      CyclicBarrier barrier = new CyclicBarrier(2);
      List<Future<Throwable>> pushes = new ArrayList<>();
      for (long snapshot : List.of(older, newer)) {
        pushes.add(
            threads.submit(
                () -> {
                  barrier.await();
                  return catchThrowable(() -> push(bench, snapshot));
                }));
      }
      Throwable ofOlder = pushes.get(0).get();
      assertThat(pushes.get(1).get()).isNull();
      if (ofOlder != null) {
        assertThat(ofOlder)
            .isInstanceOf(TarnException.class)
            .hasMessageContaining(
                "score: snapshot %d is older than the released one, %d".formatted(older, newer));
      }
      assertThat(OnlineCopy.released(bench, VIEW).getSnapshotId()).isEqualTo(newer);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
    }
    threads.shutdown();
  }

  @Test
  void twoPushesAtOnceOfOneSnapshotBothSucceed() throws Exception {
    Workbench bench = released(Workbench.redisPort(), 3_000);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    CyclicBarrier barrier = new CyclicBarrier(2);
    List<Future<Throwable>> pushes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      pushes.add(
          threads.submit(
              () -> {
                barrier.await();
                return catchThrowable(() -> push(bench, main(bench)));
              }));
    }
    assertThat(pushes.get(0).get()).isNull();
    assertThat(pushes.get(1).get()).isNull();
    threads.shutdown();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void aPushThatWasTakenForDeadAndWakesUpReleasesNothing() {
    RedisServer redis = Workbench.startRedis(Map.of());
    int port = redis.ports().get(0);
    Workbench bench = released(port, 2_000);
    bench.push(VIEW);
    rebuild(bench, 20_000, 2);
    List<VersionRecord> others = new ArrayList<>();
    try (TcpProxy proxy = new TcpProxy(port)) {
      bench.set("redis.port", Integer.toString(proxy.port())).set("redis.timeout", "120s");
      // While it stands still its lease runs out and another push comes by.
      proxy.after(
          1_500_000,
          () -> {
            bench.set("redis.port", Integer.toString(port));
            OnlineCopy.expireLeases(bench, VIEW);
            others.add(push(bench, main(bench)).record());
          });
      assertThatThrownBy(() -> bench.push(VIEW))
          .isInstanceOf(TarnException.class)
          .hasMessageMatching(
              "score: this push stalled for over 30 s, so another one removed its version v2-[0-9a-z]{6}; what was released stays released");
    }
    assertThat(others).containsExactly(OnlineCopy.released(bench, VIEW));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    Workbench.stop(redis);
  }

  /** A workbench on a Redis, with a first build that is not pushed yet. */
  private static Workbench released(int redisPort, int users) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.set("redis.port", Integer.toString(redisPort)).set("push.rows-per-bucket", "20");
    rebuild(bench, users, 1);
    return bench;
  }

  /** Other values for the same as-of, about 220 bytes each. */
  private static void rebuild(Workbench bench, int users, int seed) {
    Scores.generate(bench, "2026-01-05", users, 200, seed);
    bench.build(VIEW, AS_OF);
  }

  private static Push.Outcome push(Workbench bench, long snapshot) {
    Console console =
        new Console(
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8));
    Definitions definitions = bench.definitions();
    return new Push(bench.lake(), bench.redis(), bench.settings(), console)
        .push(
            List.of(definitions.view(VIEW)),
            List.of(),
            new Push.Request(Optional.of(Long.toString(snapshot)), Push.Mode.AUTO, false))
        .get(0);
  }

  private static void assertStillReleased(Workbench bench, VersionRecord record) {
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(record);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  private static long main(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), VIEW)
        .orElseThrow()
        .main()
        .orElseThrow()
        .snapshotId();
  }

  private static List<String> tags(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), VIEW)
        .orElseThrow()
        .iceberg()
        .refs()
        .keySet()
        .stream()
        .filter(ref -> !ref.equals("main"))
        .toList();
  }

  private static long usedMemory(Jedis jedis) {
    return jedis
        .info("memory")
        .lines()
        .filter(line -> line.startsWith("used_memory:"))
        .mapToLong(line -> Long.parseLong(line.substring("used_memory:".length())))
        .findFirst()
        .orElseThrow();
  }
}
