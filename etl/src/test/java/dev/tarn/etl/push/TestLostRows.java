package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.embedded.RedisServer;

/** Pushes to a Redis that has lost something of what is released, as one that evicts keys does. */
class TestLostRows {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  @Test
  void aBucketThatIsGoneIsWrittenAnew() {
    Workbench bench = built(500);
    VersionRecord first = bench.push(VIEW).record();
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED_ALREADY);
    remove(bench, bucket(bench, first, 7));
    bench.output();

    Push.Outcome again = bench.push(VIEW);

    assertThat(bench.output())
        .containsPattern(
            "score: the released version %s is no longer whole: of 500 rows of %1$s in Redis 4\\d\\d are there"
                .formatted(first.getVersion()));
    assertThat(again.state()).isEqualTo(Push.State.RELEASED);
    assertThat(again.record().getVersion()).isNotEqualTo(first.getVersion());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED_ALREADY);
  }

  @Test
  void aControlKeyThatIsGoneIsWrittenAnew() {
    Workbench bench = built(100);
    RedisKeys keys = bench.settings().read(RedisSettings::of).keys();
    bench.push(VIEW);
    for (String key :
        List.of(
            keys.release(),
            keys.manifests(VIEW),
            keys.sequence(),
            keys.services(),
            keys.events())) {
      remove(bench, key.getBytes(StandardCharsets.UTF_8));

      var unused = bench.push(VIEW);

      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      assertThat(bench.push(VIEW).state()).as(key).isEqualTo(Push.State.RELEASED_ALREADY);
    }
  }

  @Test
  void noDeltaIsLaidOverABaseThatIsNotWhole() {
    Workbench bench = built(500);
    VersionRecord base = bench.push(VIEW).record();
    change(bench, TUESDAY, 3);
    Push.Outcome delta = bench.push(VIEW);
    assertThat(delta.mode()).isEqualTo("delta");
    remove(bench, bucket(bench, base, 3));
    assertThat(push(bench, Push.Mode.AUTO).mode()).as("of the same snapshot").isEqualTo("full");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    change(bench, "2026-01-07T00:00:00Z", 3);
    remove(bench, bucket(bench, OnlineCopy.released(bench, VIEW), 3));
    assertThatThrownBy(() -> push(bench, Push.Mode.DELTA))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("push it with mode=full");
    assertThat(push(bench, Push.Mode.AUTO).mode()).as("of a newer snapshot").isEqualTo("full");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aRollbackToAVersionThatIsNotWholePushesItsSnapshotAgain() {
    Workbench bench = built(300);
    VersionRecord first = bench.push(VIEW).record();
    change(bench, MONDAY, 300);
    bench.push(VIEW);
    remove(bench, bucket(bench, first, 2));
    bench.output();

    assertThat(bench.run("rollback", "view=score")).isZero();

    assertThat(bench.output())
        .contains("score: version %s is no longer whole (of 300 rows".formatted(first.getVersion()))
        .contains("pushed again");
    VersionRecord now = OnlineCopy.released(bench, VIEW);
    assertThat(now.getSnapshotId()).isEqualTo(first.getSnapshotId());
    assertThat(now.getVersion()).isNotEqualTo(first.getVersion());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  /** A sample each time: of three, so one bucket of each must be gone to be noticed at once. */
  @Test
  void ofALargeVersionASampleIsCounted() {
    Workbench bench = built(10_000);
    bench.set("push.rows-per-bucket", "1");
    VersionRecord first = bench.push(VIEW).record();
    assertThat(first.getSampleRowsList()).hasSize(3);
    assertThat(first.getSampleRowsList().stream().mapToInt(Integer::intValue).sum())
        .isEqualTo(10_000);
    for (int i = 0; i < 5; i++) {
      assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED_ALREADY);
    }
    IntStream.range(0, 60).forEach(b -> remove(bench, bucket(bench, first, b)));
    bench.output();
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED);
    assertThat(bench.output()).contains("in a sample of its buckets");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aPolicyThatTakesWhatIsReleasedIsWarnedOf() {
    RedisServer redis = Workbench.startRedis(Map.of("maxmemory-policy", "allkeys-lfu"));
    try {
      Workbench bench = built(10);
      bench.set("redis.port", redis.ports().get(0).toString());
      bench.output();
      bench.push(VIEW);
      assertThat(bench.output())
          .contains(
              "warning: Redis at 127.0.0.1:%d has maxmemory-policy = allkeys-lfu"
                  .formatted(redis.ports().get(0)));
      try (Jedis jedis = OnlineCopy.jedis(bench)) {
        jedis.configSet("maxmemory-policy", "volatile-lru");
      }
      bench.push(VIEW);
      assertThat(bench.output()).doesNotContain("warning");
    } finally {
      Workbench.stop(redis);
    }
  }

  private static Push.Outcome push(Workbench bench, Push.Mode mode) {
    return bench.push(new Push.Request(Optional.empty(), mode, false), VIEW).get(0);
  }

  private static byte[] bucket(Workbench bench, VersionRecord record, int bucket) {
    RedisKeys keys = bench.settings().read(RedisSettings::of).keys();
    return RedisKeys.bucket(keys.bucketPrefix(VIEW, record.getVersion()), bucket);
  }

  private static void remove(Workbench bench, byte[] key) {
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.del(key);
    }
  }

  private static Workbench built(int users) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.set("push.rows-per-bucket", "10");
    change(bench, MONDAY, users);
    return bench;
  }

  /** Builds an as-of of the first users. */
  private static void change(Workbench bench, String asOf, int users) {
    Scores.generate(bench, asOf.substring(0, 10), users, 20, asOf.hashCode() + users);
    bench.build(VIEW, asOf);
  }
}
