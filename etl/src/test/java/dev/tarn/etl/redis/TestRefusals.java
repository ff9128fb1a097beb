package dev.tarn.etl.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.exceptions.JedisConnectionException;

class TestRefusals {

  private static final RedisSettings REDIS =
      new RedisSettings(
          "redis", 6379, 0, "", "", false, "", Duration.ofSeconds(2), new RedisKeys("tarn"));

  @Test
  void aRedisThatCannotBeReachedIsToldByWhatTheNetworkSaid() {
    JedisConnectionException eachAddress = new JedisConnectionException("Failed to connect.");
    eachAddress.addSuppressed(new SocketTimeoutException("Connect timed out"));
    assertTold("Connect timed out", new JedisConnectionException("No resource.", eachAddress));
    assertTold(
        "there is no host 'redis'",
        new JedisConnectionException(
            "No resource.",
            new JedisConnectionException(
                new UnknownHostException("redis: Name or service not known"))));
    assertTold(
        "Unexpected end of stream", new JedisConnectionException("Unexpected end of stream."));
    assertTold(
        "no certificate matches",
        new JedisConnectionException(
            "Failed to connect.",
            new SSLHandshakeException("handshake failed")
                .initCause(new Exception("no certificate matches"))));
  }

  private static void assertTold(String why, JedisConnectionException failure) {
    assertThat(Refusals.explain(REDIS, new IllegalStateException("a job failed", failure)))
        .hasValueSatisfying(
            told ->
                assertThat(told)
                    .hasMessage(
                        "can't use Redis at redis:6379 (settings redis.host, redis.port): %s. ./tarn up starts a local one"
                            .formatted(why)));
  }
}
