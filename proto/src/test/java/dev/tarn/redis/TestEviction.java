package dev.tarn.redis;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks which servers a warning is given of. */
class TestEviction {

  @ParameterizedTest
  @ValueSource(strings = {"allkeys-lru", "allkeys-lfu", "allkeys-random", "allkeys-lrm"})
  void aServerThatTakesKeysWithoutExpiryIsWarnedOf(String policy) {
    Eviction eviction = Eviction.of(info(policy, 1_000_000));
    assertThat(eviction.warning("redis:6379"))
        .hasValue(
            "Redis at redis:6379 has maxmemory-policy = %s: when maxmemory (1,000,000 bytes) is reached, it removes released rows, which lookups then answer with NOT_FOUND, and control keys. Set maxmemory-policy to noeviction (docs/redis.md)"
                .formatted(policy));
    assertThat(eviction.takesUnreleased()).isTrue();
  }

  @Test
  void withoutALimitItIsWarnedOfTheDayThatThereIsOne() {
    assertThat(Eviction.of(info("allkeys-lru", 0)).warning("redis:6379").orElseThrow())
        .contains(
            "maxmemory-policy = allkeys-lru: once a maxmemory is set and reached, it removes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"})
  void aServerThatTakesKeysWithAnExpiryTakesNothingThatIsReleased(String policy) {
    Eviction eviction = Eviction.of(info(policy, 1_000_000));
    assertThat(eviction.warning("redis:6379")).isEmpty();
    assertThat(eviction.takesUnreleased()).isTrue();
  }

  @Test
  void aServerThatTakesNothingOrDoesNotSayIsNotWarnedOf() {
    assertThat(Eviction.of(info("noeviction", 1_000_000)).warning("redis:6379")).isEmpty();
    assertThat(Eviction.of(info("noeviction", 1_000_000)).takesUnreleased()).isFalse();
    assertThat(Eviction.of("").warning("redis:6379")).isEmpty();
  }

  private static String info(String policy, long max) {
    return "# Memory\r\nused_memory:900\r\nmaxmemory:%d\r\nmaxmemory_human:1M\r\nmaxmemory_policy:%s\r\n"
        .formatted(max, policy);
  }
}
