package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisClusterFixture;
import dev.tarn.redis.RedisExecutable;
import java.io.File;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Pushes into a real Redis Cluster of three masters: spread, moved, failed over. */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
@Tag("slow")
class TestPushCluster {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final int USERS = 6_000;

  private RedisClusterFixture cluster;

  @AfterEach
  void stop() {
    if (cluster != null) {
      cluster.close();
    }
  }

  @Test
  void aVersionIsSpreadOverAllMastersAndEverythingWorksAsOnOneServer() {
    Workbench bench = built(RedisClusterFixture.ofMasters(3));
    VersionRecord full = bench.push(VIEW).record();
    assertServed(bench);
    for (int node = 0; node < 3; node++) {
      assertThat(Integer.parseInt(cluster.ask(node, "DBSIZE"))).isGreaterThan(USERS / 20 / 5);
    }
    rebuild(bench, USERS, 2);
    bench.push(VIEW);
    assertServed(bench);

    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(full);
    assertThat(bench.run("unpin", "view=score")).isZero();
    // Two later ones, and it is no longer kept.
    bench.set("push.keep", "1");
    rebuild(bench, USERS / 2, 3);
    bench.push(VIEW);
    assertServed(bench);
    assertThat(bench.versions().records(VIEW)).hasSize(1);
  }

  @Test
  void slotsThatMoveDuringAPushAreFollowed() {
    Workbench bench = built(RedisClusterFixture.ofMasters(3));
    bench.set("push.rows-per-second", "1500");
    CompletableFuture<Push.Outcome> push = CompletableFuture.supplyAsync(() -> bench.push(VIEW));
    // A node that nobody has told the push of.
    int target = cluster.addMaster();
    int moved = 0;
    for (int round = 0; round < 5; round++) {
      // Two buckets may be in one slot.
      List<Integer> slots =
          someKeys(bench).stream().map(TestPushCluster::slot).distinct().limit(4).toList();
      for (int slot : slots) {
        cluster.migrate(slot, target, () -> {});
        moved++;
      }
    }
    // That of the control keys, too.
    int control = slot("{" + namespace(bench) + "}");
    if (cluster.ownerOf(control) != target) {
      cluster.migrate(control, target, () -> {});
    }
    assertThat(push).as("still running when slots moved").isNotDone();
    assertThat(push.orTimeout(1, TimeUnit.MINUTES).join().pushed()).isTrue();
    assertThat(moved).isGreaterThan(10);
    assertServed(bench);
  }

  /** It has met no other node, and nobody has told it its address. */
  @Test
  void aClusterOfOneNodeThatDoesNotKnowItsAddressIsReached() {
    Workbench bench = built(RedisClusterFixture.ofMasters(1));
    bench.push(VIEW);
    assertServed(bench);
  }

  @ParameterizedTest
  @ValueSource(strings = {"unknown-endpoint", "hostname", "ip"})
  void nodesAreReachedWhateverTheClusterSaysOfThem(String endpoints) {
    Optional<File> program = RedisExecutable.ofMachine();
    Assumptions.assumeTrue(program.isPresent(), "this machine has no Redis 7");
    Workbench bench =
        built(
            RedisClusterFixture.ofMasters(
                3, program.get(), "cluster-preferred-endpoint-type " + endpoints));
    bench.set("push.rows-per-second", "3000");
    CompletableFuture<Push.Outcome> push = CompletableFuture.supplyAsync(() -> bench.push(VIEW));
    for (String key : someKeys(bench).subList(0, 3)) {
      cluster.migrate(slot(key), (cluster.ownerOf(slot(key)) + 1) % 3, () -> {});
    }
    assertThat(push).as("still running when slots moved").isNotDone();
    assertThat(push.orTimeout(1, TimeUnit.MINUTES).join().pushed()).isTrue();
    bench.set("push.rows-per-second", "0");
    rebuild(bench, USERS, 2);
    bench.push(VIEW);
    assertThat(bench.run("verify", "view=score")).as(bench.output()).isZero();
  }

  /** Node 0 is the one of the settings; one of the three has the control keys. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void whereAMasterDiesDuringAPushItsReplicaTakesOver(int master) {
    Workbench bench = built(RedisClusterFixture.withReplicas(3));
    VersionRecord old = bench.push(VIEW).record();
    rebuild(bench, USERS, 2);
    cluster.awaitReplication();
    bench.set("push.rows-per-second", "1500").set("push.patience", "30s");
    CompletableFuture<Throwable> push =
        CompletableFuture.supplyAsync(() -> catchThrowable(() -> bench.push(VIEW)));
    var unused = someKeys(bench);

    cluster.kill(master);

    Throwable failure = push.orTimeout(2, TimeUnit.MINUTES).join();
    bench.set("redis.port", Integer.toString(cluster.port((master + 1) % 3)));
    if (failure != null) {
      // What the replica had not got yet is lost with its master, and then it must be noticed.
      assertThat(failure)
          .isInstanceOf(TarnException.class)
          .hasMessageFindingMatch(
              "buckets are not in Redis as they were written|another one removed its version");
      assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(old);
      OnlineCopy.expireLeases(bench, VIEW);
      bench.set("push.rows-per-second", "0");
      bench.push(VIEW);
    }
    assertServed(bench);
  }

  private Workbench built(RedisClusterFixture started) {
    cluster = started;
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench
        .set("redis.port", Integer.toString(cluster.port(0)))
        .set("push.patience", "20s")
        .set("push.rows-per-bucket", "20");
    rebuild(bench, USERS, 1);
    return bench;
  }

  private static void rebuild(Workbench bench, int users, int seed) {
    Scores.generate(bench, "2026-01-05", users, 50, seed);
    bench.build(VIEW, MONDAY);
  }

  private static void assertServed(Workbench bench) {
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  /** Buckets of the version that is being written, once there are some that no one moved yet. */
  private List<String> someKeys(Workbench bench) {
    return Awaitility.await()
        .atMost(Duration.ofSeconds(60))
        .pollInterval(Duration.ofMillis(20))
        .until(
            () -> {
              int sequence = bench.versions().records(VIEW).size() + 1;
              try (StoredKeys stored = new StoredKeys(bench)) {
                return stored.like("%s:score:v%d-*".formatted(namespace(bench), sequence)).stream()
                    .filter(key -> !key.endsWith("probe"))
                    .filter(key -> cluster.ownerOf(slot(key)) < 3)
                    .toList();
              }
            },
            keys -> keys.size() > 3);
  }

  private static int slot(String key) {
    return JedisClusterCRC16.getSlot(key);
  }

  private static String namespace(Workbench bench) {
    return bench.settings().read(tarn -> tarn.getString("redis.namespace"));
  }
}
