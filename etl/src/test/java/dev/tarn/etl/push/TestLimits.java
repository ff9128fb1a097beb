package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.TcpProxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.embedded.RedisServer;

/** Checks what a push may take from Redis: speed, memory, commands, and for how long. */
class TestLimits {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";

  private static RedisServer redis;

  @BeforeAll
  static void startRedis() {
    redis = Workbench.startRedis(Map.of());
  }

  @AfterAll
  static void stopRedis() {
    Workbench.stop(redis);
  }

  @Test
  void noMoreRowsASecondAreWrittenThanAreAllowed() {
    Workbench bench = built(6_000, 20);
    bench.set("push.rows-per-second", "2000").set("push.rows-per-bucket", "10");
    Push.Outcome outcome = bench.push(VIEW);
    // A task may save up what it did not use for a second, and has its last bucket free.
    assertThat(outcome.writing()).isGreaterThan(Duration.ofMillis(1_500));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aVersionThatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
    Workbench bench = built(20_000, 200);
    bench.set("redis.port", redis.ports().get(0).toString());
    String server = "127.0.0.1:" + redis.ports().get(0);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      long max = usedMemory(jedis) + 2_000_000;
      jedis.configSet("maxmemory", Long.toString(max));
      assertThatThrownBy(() -> bench.push(VIEW))
          .isInstanceOf(TarnException.class)
          .hasMessageMatching(
              "score: about 20,000 rows of 2\\d\\d bytes take about \\d\\.\\d MB of Redis at "
                  + Pattern.quote(server)
                  + ", which has \\d+\\.\\d of its "
                  + Pattern.quote("%.1f MB (maxmemory) in use".formatted(max / 1e6))
                  + "; nothing was written. Raise maxmemory, or keep fewer versions \\(push.keep\\)");
      assertThat(jedis.keys("*" + namespace(bench) + "*")).isEmpty();
      assertThat(FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg().refs())
          .containsOnlyKeys("main");

      // With what it says that is needed, and not much more, it does fit.
      long before = usedMemory(jedis);
      jedis.configSet("maxmemory", Long.toString(before + 7_000_000));
      assertThat(bench.push(VIEW).pushed()).isTrue();
      assertThat(usedMemory(jedis)).isLessThan(before + 7_000_000);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      jedis.configSet("maxmemory", "0");
    }
  }

  @Test
  void whereRestoreIsForbiddenRowsAreWrittenByHset() {
    Workbench bench = built(2_000, 20);
    bench.set("redis.port", redis.ports().get(0).toString()).set("push.rows-per-bucket", "20");
    VersionRecord restored = bench.push(VIEW).record();
    Map<String, OnlineCopy.Entry> rows = OnlineCopy.inRedis(bench, restored);
    Scores.define(bench, Scores.FEATURES, "max-age = 40d");
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(calls(jedis, "hset")).isLessThan(50);
      assertThat(calls(jedis, "restore")).isGreaterThanOrEqualTo(restored.getBuckets() / 2);
      jedis.sendCommand(Protocol.Command.ACL, "SETUSER", "default", "-restore");
      long before = calls(jedis, "restore");
      try {
        VersionRecord written = bench.push(VIEW).record();
        assertThat(written.getVersion()).isNotEqualTo(restored.getVersion());
        assertThat(calls(jedis, "restore")).isEqualTo(before);
        assertThat(calls(jedis, "hset")).isGreaterThanOrEqualTo(written.getBuckets() / 2);
        assertThat(OnlineCopy.inRedis(bench, written)).isEqualTo(rows);
        OnlineCopy.assertServedAsInIceberg(bench, VIEW);
        OnlineCopy.assertNoForeignKeys(bench, VIEW);
      } finally {
        jedis.sendCommand(Protocol.Command.ACL, "SETUSER", "default", "+restore");
      }
    }
  }

  @Test
  void bucketsOfLongRowsAreSmallOrGoOutInParts() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')");
    bench.set("push.rows-per-bucket", "1000");
    Scores.generate(bench, "2026-01-05", 40, 300_000, 1);
    bench.build(VIEW, MONDAY);
    // Of rows of 300 kB each bucket has but one or two.
    assertThat(bench.push(VIEW).record().getBuckets()).isEqualTo(40);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // Where most are short and the longest come last, a bucket has many of them.
    Scores.query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '2026-01-05' AS at, id AS points,
          IF(id < 3000, 'short', repeat(sha2(concat(id, ''), 512), 2350)) AS level
        FROM range(3040)
        """);
    bench.build(VIEW, MONDAY);
    VersionRecord record = bench.push(VIEW).record();
    assertThat(record.getBuckets()).isEqualTo(4);
    assertThat(record.getRows()).isEqualTo(3_040);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void rowsExpireByThemselvesUnlessTheyAreReleased() {
    Workbench bench = built(5_000, 200);
    bench.set("push.rows-per-bucket", "20").set("push.expire-unreleased", "10m");
    List<Long> lives = new ArrayList<>();
    try (TcpProxy proxy = new TcpProxy(Workbench.redisPort());
        Jedis jedis = OnlineCopy.jedis(bench)) {
      bench.set("redis.port", Integer.toString(proxy.port()));
      proxy.after(
          700_000,
          () ->
              jedis.keys(namespace(bench) + ":score:*").forEach(key -> lives.add(jedis.pttl(key))));
      bench.push(VIEW);
    }
    bench.set("redis.port", Integer.toString(Workbench.redisPort()));
    assertThat(lives).isNotEmpty().allMatch(millis -> millis > 0 && millis <= 600_000);
    // That none of them has a time to live any more is looked at there.
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void rowsOfAVersionThatIsNoLongerKeptStayForAMomentOfGrace() {
    Workbench bench = built(100, 20);
    bench.set("push.keep", "1").set("push.grace", "1h").set("push.rows-per-bucket", "10");
    VersionRecord first = bench.push(VIEW).record();
    VersionRecord second = again(bench, 41);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(bench.versions().records(VIEW)).containsExactly(second);
      Set<String> left = keysOf(bench, jedis, first);
      assertThat(left).hasSizeGreaterThan(5);
      assertThat(left).allMatch(key -> jedis.pttl(key) > 0 && jedis.pttl(key) <= 3_600_000);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);

      bench.set("push.grace", "1s");
      VersionRecord third = again(bench, 42);
      await().until(() -> keysOf(bench, jedis, second).isEmpty());
      assertThat(keysOf(bench, jedis, first)).isEqualTo(left);
      assertThat(bench.versions().records(VIEW)).containsExactly(third);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    }
  }

  /** Another version of the same snapshot. */
  private static VersionRecord again(Workbench bench, int days) {
    Scores.define(bench, Scores.FEATURES, "max-age = %dd".formatted(days));
    return bench
        .push(new Push.Request(java.util.Optional.empty(), Push.Mode.FULL, false), VIEW)
        .get(0)
        .record();
  }

  private static Workbench built(int users, int bytes) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')");
    Scores.generate(bench, "2026-01-05", users, bytes, 1);
    bench.build(VIEW, MONDAY);
    return bench;
  }

  private static Set<String> keysOf(Workbench bench, Jedis jedis, VersionRecord record) {
    return jedis.keys("%s:score:%s:*".formatted(namespace(bench), record.getVersion()));
  }

  private static String namespace(Workbench bench) {
    return bench.settings().read(tarn -> tarn.getString("redis.namespace"));
  }

  private static long usedMemory(Jedis jedis) {
    return number(jedis.info("memory"), "used_memory:(\\d+)");
  }

  /** Counts the calls of a command. */
  private static long calls(Jedis jedis, String command) {
    return number(jedis.info("commandstats"), "cmdstat_" + command + ":calls=(\\d+)");
  }

  private static long number(String info, String pattern) {
    Matcher matcher = Pattern.compile(pattern).matcher(info);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }
}
