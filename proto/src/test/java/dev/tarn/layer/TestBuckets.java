package dev.tarn.layer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.redis.RedisKeys;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestBuckets {

  private static final RedisKeys KEYS = new RedisKeys("tarn");

  @Test
  void theKeyOfAnEntityIsThatOfItsBucket() {
    Buckets buckets = new Buckets(KEYS, "activity", "v7", 1_000);
    assertThat(buckets.keyPrefix()).isEqualTo("tarn:activity:v7:");
    assertThat(new String(buckets.key(12), UTF_8)).isEqualTo("tarn:activity:v7:12");
    assertThat(buckets.of("1".getBytes(UTF_8))).isEqualTo(566);
    assertThat(new String(buckets.keyOf("1".getBytes(UTF_8)), UTF_8))
        .isEqualTo("tarn:activity:v7:566");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 1_000, 65_536, 1_000_003, Integer.MAX_VALUE})
  void aBucketBeginsAtItsFirstChecksum(int count) {
    Buckets buckets = new Buckets(KEYS, "activity", "v7", count);
    Random random = new Random(count);
    for (int i = 0; i < 10_000; i++) {
      int bucket = random.nextInt(count);
      long first = buckets.firstChecksum(bucket);
      assertThat(buckets.of(first)).isEqualTo(bucket);
      if (bucket > 0) {
        assertThat(buckets.of(first - 1)).isEqualTo(bucket - 1);
      }
    }
    assertThat(buckets.firstChecksum(0)).isZero();
    assertThat(buckets.firstChecksum(count)).isEqualTo(1L << 32);
  }

  @Test
  void aNegativeCountIsRefused() {
    assertThatThrownBy(() -> new Buckets(KEYS, "activity", "v7", -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a version with -1 buckets");
  }
}
