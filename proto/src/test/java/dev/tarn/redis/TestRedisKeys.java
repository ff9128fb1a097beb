package dev.tarn.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TestRedisKeys {

  @Test
  void theKeysAreThoseThatTheDocumentationLists() {
    RedisKeys keys = new RedisKeys("tarn");
    assertThat(
            List.of(
                keys.release(),
                keys.releasedChannel(),
                keys.sequence(),
                keys.services(),
                keys.manifests("activity"),
                keys.writing("activity")))
        .containsExactly(
            "{tarn}:release",
            "{tarn}:released",
            "{tarn}:sequence",
            "{tarn}:services",
            "{tarn}:manifests:activity",
            "{tarn}:writing:activity");
    String prefix = keys.bucketPrefix("activity", "v7");
    assertThat(new String(RedisKeys.bucket(prefix, 12), StandardCharsets.UTF_8))
        .isEqualTo("tarn:activity:v7:12");
  }

  @Test
  void namespacesThatCouldReachOtherKeysAreRefused() {
    for (String bad :
        List.of("", "a b", "a:b", "{a}", "a*", "é", "a\n", "x".repeat(65), "../a", "a/b")) {
      assertThatThrownBy(() -> new RedisKeys(bad))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("'%s' is not a namespace: use 1 to 64 letters, digits, '_', '.' or '-'", bad);
    }
    for (String good : List.of("a", "A-1_b.c", "x".repeat(64))) {
      assertThat(new RedisKeys(good).release()).isEqualTo("{" + good + "}:release");
    }
  }

  @Test
  void everyBucketIsWithinRange() {
    Random random = new Random(5);
    for (int i = 0; i < 100_000; i++) {
      byte[] id = new byte[random.nextInt(20)];
      random.nextBytes(id);
      int buckets = 1 + random.nextInt(i % 2 == 0 ? 10 : Integer.MAX_VALUE);
      assertThat(RedisKeys.bucketOf(id, buckets)).isBetween(0, buckets - 1);
    }
  }

  @Test
  void consecutiveIdsSpreadEvenly() {
    int buckets = 1_000;
    int[] sizes = new int[buckets];
    for (int id = 0; id < 80 * buckets; id++) {
      sizes[RedisKeys.bucketOf(bytes(Integer.toString(id)), buckets)]++;
    }
    // Twice the average is where a Redis hash would lose its compact form.
    for (int size : sizes) {
      assertThat(size).isBetween(20, 160);
    }
  }

  /** Versions are in Redis already: another bucket for the same id would not find their rows. */
  @Test
  void theBucketOfAnIdNeverChanges() {
    assertThat(RedisKeys.bucketOf(bytes("1"), 1_000)).isEqualTo(566);
    assertThat(RedisKeys.bucketOf(bytes("user|7"), 12_500)).isEqualTo(10991);
    assertThat(RedisKeys.bucketOf(bytes(""), 1_000)).isZero();
  }

  private static byte[] bytes(String id) {
    return id.getBytes(StandardCharsets.UTF_8);
  }
}
