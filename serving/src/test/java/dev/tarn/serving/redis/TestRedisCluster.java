package dev.tarn.serving.redis;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.statuses;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.Value;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisClusterFixture;
import dev.tarn.redis.RedisExecutable;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.RedisUsers;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingSettings;
import dev.tarn.serving.live.LiveFixture;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.lettuce.core.cluster.SlotHash;
import java.io.File;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks lookups in a real Redis Cluster whose keys are spread, moved and failed over. */
class TestRedisCluster {

  private static final Duration TIMEOUT = Duration.ofSeconds(2);
  private static final int BUCKETS = 64;

  private static final String[] IDS =
      IntStream.range(0, 1_000).mapToObj(i -> "u" + i).toArray(String[]::new);

  private RedisClusterFixture cluster;
  private RedisSettings redis;
  private Pushes pushes;
  private ServerFixture server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
    if (pushes != null) {
      pushes.close();
    }
    if (cluster != null) {
      cluster.close();
    }
  }

  @Test
  void oneAndAThousandEntitiesAreAnswered() {
    start(RedisClusterFixture.ofMasters(3));

    assertThat(number(server.ask("u7"), "u7")).isEqualTo(7);
    assertAnswer(server.ask(IDS));
    assertThat(statuses(server.ask("nobody").getResultsOrThrow("nobody")))
        .containsOnly(entry("n", "NOT_FOUND"));
  }

  @Test
  void anOverlayAndItsBaseAreReadFromTheNodesThatHaveThem() {
    start(RedisClusterFixture.ofMasters(3));
    view()
        .over("v1", pushes.asOf())
        .with(m -> m.getBaseBuilder().setBuckets(BUCKETS))
        .row("u1", -1L)
        .removed("u2")
        .write("v2");

    pushes.release("a", "v2");

    soon().untilAsserted(() -> assertThat(number(server.ask("u1"), "u1")).isEqualTo(-1));
    GetOnlineFeaturesResponse answer = server.ask("u2", "u3");
    assertThat(answer.getResultsOrThrow("u2").getFeaturesCount()).isZero();
    assertThat(number(answer, "u3")).isEqualTo(3);
  }

  /** Counts flushes: each packet of the server is one read of a node, as it sends nothing else. */
  @Test
  void aLookupIsOneFlushForEachNode() {
    start(RedisClusterFixture.ofMasters(3), ServerFixture.withPoll(Duration.ofHours(1)), TIMEOUT);
    String[] ids = IntStream.range(0, 300).mapToObj(i -> "u" + i).toArray(String[]::new);
    var unused = server.ask(ids);
    long[] before = IntStream.range(0, 3).mapToLong(this::reads).toArray();

    assertThat(server.ask(ids).getResultsCount()).isEqualTo(300);

    for (int node = 0; node < 3; node++) {
      // The INFO above is one more.
      assertThat(reads(node) - before[node]).isEqualTo(1 + 1);
    }
  }

  @Test
  void slotsThatMoveWhileTheyAreReadFailNoLookup() throws Exception {
    start(RedisClusterFixture.ofMasters(3));
    AtomicBoolean isDone = new AtomicBoolean();
    AtomicLong asked = new AtomicLong();
    ExecutorService clients = Executors.newFixedThreadPool(2);
    List<Future<?>> readers =
        List.of(
            clients.submit(() -> askUntil(isDone, asked, "u1", "u2", "nobody")),
            clients.submit(() -> askUntil(isDone, asked, IDS)));

    // A node that the server does not know takes slots of rows and of control keys.
    int target = cluster.addMaster();
    for (int slot : slotsToMove()) {
      cluster.migrate(slot, target, () -> awaitMore(asked, 4));
      awaitMore(asked, 4);
    }
    // All slots but one go back to an old node: a master without slots would become a replica.
    for (int slot : slotsToMove().stream().skip(1).toList()) {
      cluster.migrate(slot, 0, () -> awaitMore(asked, 4));
    }
    awaitMore(asked, 20);
    isDone.set(true);

    for (Future<?> reader : readers) {
      assertThat(reader).succeedsWithin(Duration.ofSeconds(30));
    }
    clients.shutdown();
    assertThat(server.server().trouble()).isEmpty();
    view().row("u1", 7L).write("v2");
    pushes.release("a", "v2");
    soon().untilAsserted(() -> assertThat(number(server.ask("u1"), "u1")).isEqualTo(7));
  }

  @Test
  void aReleaseIsSeenByItsNotice() {
    start(RedisClusterFixture.ofMasters(3), ServerFixture.withPoll(Duration.ofHours(1)), TIMEOUT);
    for (long version = 2; version < 12; version++) {
      view().row("u1", version).write("v" + version);
      String name = "v" + version;

      pushes.release("a", name);

      soon().until(() -> server.ask("u1").getVersions(0).getVersion().equals(name));
    }
  }

  /** Stops each node in turn: node 0 is that of the settings, and one has the control keys. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aMasterThatDiesIsUnavailableUntilItsReplicaTookOver(int master) {
    start(RedisClusterFixture.withReplicas(3));
    cluster.awaitReplication();

    cluster.kill(master);

    assertUnavailableThenAnswered();
    // The client that pushes would wait for the dead node.
    pushes.close();
    pushes = Pushes.intoCluster(at((master + 1) % 3));
    view().row("u1", -1L).write("v2");
    pushes.release("a", "v2");
    soon().untilAsserted(() -> assertThat(number(server.ask("u1"), "u1")).isEqualTo(-1));
  }

  @Test
  void aMasterThatHangsIsUnavailableUntilItsReplicaTookOver() {
    start(RedisClusterFixture.withReplicas(3), ServerFixture.SETTINGS, Duration.ofMillis(300));
    cluster.awaitReplication();

    cluster.suspend(1);

    assertUnavailableThenAnswered();
    cluster.resume(1);
    for (int i = 0; i < 20; i++) {
      assertAnswer(server.ask(IDS));
    }
  }

  @Test
  void aUserWithTheDocumentedPermissionsIsEnough() {
    start(RedisClusterFixture.ofMasters(3));
    server.close();
    for (int node = 0; node < 3; node++) {
      cluster.ask(
          node, RedisUsers.serving(redis.keys(), "+cluster|nodes", "+cluster|myid", "+asking"));
    }
    server = new ServerFixture(RedisUsers.asServing(redis));

    assertAnswer(server.ask(IDS));
    int slot = SlotHash.getSlot(redis.keys().release());
    cluster.migrate(slot, (cluster.ownerOf(slot) + 1) % 3, () -> assertAnswer(server.ask(IDS)));
    int ofRows = slotsToMove().iterator().next();
    cluster.migrate(ofRows, (cluster.ownerOf(ofRows) + 1) % 3, () -> assertAnswer(server.ask(IDS)));
    assertAnswer(server.ask(IDS));
    assertThat(server.server().trouble()).isEmpty();
  }

  /** The progress is a control key, on another node than most of the cells. */
  @Test
  void aLiveViewIsMergedFromTheNodesThatHaveItsParts() {
    start(RedisClusterFixture.ofMasters(3));
    LiveFixture live = new LiveFixture(pushes, redis.keys());
    String[] ids = Arrays.copyOf(IDS, 40);
    for (int i = 0; i < ids.length; i++) {
      live.event(ids[i], 0, i, 1L).event(ids[i], 0, ids.length + i, 2L);
    }
    live.push("v1", 60, 0).apply(60, 0).upToDate(80, 0);
    pushes.release(LiveFixture.VIEW, "v1");
    soon().untilAsserted(() -> assertSums(ids, 3));

    int control = SlotHash.getSlot(redis.keys().release());
    cluster.migrate(control, (cluster.ownerOf(control) + 1) % 3, () -> assertSums(ids, 3));
    live.progress(0, 0, 80, 0);
    soon()
        .untilAsserted(
            () ->
                assertThat(statuses(server.ask("u1").getResultsOrThrow("u1")))
                    .containsEntry("sum_1h", "LAGGING"));
    live.upToDate(80, 0);
    soon().untilAsserted(() -> assertSums(ids, 3));
  }

  private void assertSums(String[] ids, double sum) {
    GetOnlineFeaturesResponse answer = server.ask(ids);
    for (String id : ids) {
      // Nothing until the server has seen the release.
      assertThat(answer.getResultsOrThrow(id).getFeaturesMap())
          .containsEntry("sum_1h", Value.newBuilder().setNumberValue(sum).build());
    }
  }

  /** It has met no other node, and nobody has told it its address. */
  @Test
  void aNodeThatDoesNotKnowItsAddressIsReached() {
    start(RedisClusterFixture.ofMasters(1));
    assertAnswer(server.ask(IDS));
  }

  /** Each node has two addresses: the one that it announces, and that of the settings. */
  @ParameterizedTest
  @ValueSource(strings = {"unknown-endpoint", "hostname", "ip"})
  void nodesAreReachedWhateverTheClusterSaysOfThem(String endpoints) {
    Optional<File> program = RedisExecutable.ofMachine();
    Assumptions.assumeTrue(program.isPresent(), "this machine has no Redis 7");
    start(
        RedisClusterFixture.ofMasters(
            3, program.get(), "cluster-preferred-endpoint-type " + endpoints));

    for (int slot : slotsToMove()) {
      int target = (cluster.ownerOf(slot) + 1) % 3;
      cluster.migrate(slot, target, () -> assertAnswer(server.ask(IDS)));
      assertAnswer(server.ask(IDS));
    }

    String host =
        endpoints.equals("unknown-endpoint") ? "127.0.0.1" : RedisClusterFixture.ANNOUNCED;
    for (int node = 1; node < 3; node++) {
      assertThat(cluster.ask(node, "CLIENT", "LIST").lines())
          .filteredOn(line -> line.contains("name=tarn-serving") && line.contains(" sub=0 "))
          .isNotEmpty()
          .allMatch(line -> line.contains(" laddr=" + host + ":"));
    }
  }

  @Test
  void anotherDatabaseThanTheOneOfAClusterIsRefused() {
    cluster = RedisClusterFixture.ofMasters(1);
    RedisSettings settings = RedisFixture.settings(cluster.port(0), TIMEOUT);
    redis =
        new RedisSettings(
            settings.host(), settings.port(), 3, "", "", false, "", TIMEOUT, settings.keys());

    server = new ServerFixture(redis);

    assertThat(server.refusal(request("u1")).getDescription())
        .isEqualTo(
            "Redis at %s is a cluster, which has database 0 alone, and redis.database = 3: set it to 0, and redis.namespace to keep several Tarns apart"
                .formatted(redis.address()));
  }

  private void start(RedisClusterFixture cluster) {
    start(cluster, ServerFixture.SETTINGS, TIMEOUT);
  }

  private void start(RedisClusterFixture started, ServingSettings settings, Duration timeout) {
    cluster = started;
    redis = RedisFixture.settings(cluster.port(0), timeout);
    pushes = Pushes.intoCluster(redis);
    Pushes.View view = view();
    for (int i = 0; i < IDS.length; i++) {
      view.row(IDS[i], (long) i);
    }
    view.write("v1");
    pushes.release("a", "v1");
    server = new ServerFixture(redis, settings);
    assertAnswer(server.ask(IDS));
  }

  /** Returns the same cluster, entered by another node. */
  private RedisSettings at(int node) {
    return new RedisSettings(
        redis.host(), cluster.port(node), 0, "", "", false, "", TIMEOUT, redis.keys());
  }

  private Pushes.View view() {
    return pushes
        .view("a", "user")
        .feature("n", Kind.KIND_BIGINT)
        .with(manifest -> manifest.setBuckets(BUCKETS));
  }

  private void assertUnavailableThenAnswered() {
    AtomicLong failures = new AtomicLong();
    soon()
        .until(
            () -> {
              try {
                assertAnswer(server.ask(IDS));
                return failures.get() > 0;
              } catch (StatusRuntimeException e) {
                assertThat(e.getStatus().getCode()).as(e.getMessage()).isEqualTo(Code.UNAVAILABLE);
                failures.incrementAndGet();
                return false;
              }
            });
    for (int i = 0; i < 20; i++) {
      assertAnswer(server.ask(IDS));
    }
  }

  private Void askUntil(AtomicBoolean isDone, AtomicLong asked, String... ids) {
    while (!isDone.get()) {
      GetOnlineFeaturesResponse answer = server.ask(ids);
      for (String id : ids) {
        if (id.equals("nobody")) {
          assertThat(answer.getResultsOrThrow(id).getFeaturesCount()).isZero();
        } else {
          assertThat(number(answer, id)).isEqualTo(Integer.parseInt(id.substring(1)));
        }
      }
      asked.incrementAndGet();
    }
    return null;
  }

  /** Returns the slots of the buckets and that of the control keys. */
  private Set<Integer> slotsToMove() {
    Set<Integer> slots = new TreeSet<>();
    slots.add(SlotHash.getSlot(redis.keys().release()));
    for (String id : List.of("u1", "u2", "u3", "u4", "nobody")) {
      slots.add(
          SlotHash.getSlot(
              RedisKeys.bucket(
                  redis.keys().bucketPrefix("a", "v1"), RedisKeys.bucketOf(utf8(id), BUCKETS))));
    }
    return slots;
  }

  private static void awaitMore(AtomicLong asked, long more) {
    long then = asked.get() + more;
    soon().until(() -> asked.get() >= then);
  }

  private static void assertAnswer(GetOnlineFeaturesResponse answer) {
    for (int i = 0; i < IDS.length; i++) {
      assertThat(number(answer, IDS[i])).isEqualTo(i);
    }
  }

  private static double number(GetOnlineFeaturesResponse answer, String id) {
    return answer.getResultsOrThrow(id).getFeaturesOrThrow("n").getNumberValue();
  }

  private long reads(int node) {
    return Long.parseLong(
        cluster
            .ask(node, "INFO", "stats")
            .replaceAll("(?s).*total_reads_processed:(\\d+).*", "$1"));
  }
}
