package dev.tarn.etl.push;

import com.redislabs.provider.redis.RedisConfig;
import com.redislabs.provider.redis.RedisEndpoint;
import com.redislabs.provider.redis.RedisNode;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Failures;
import dev.tarn.redis.RedisSettings;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Redis as jobs reach it, through spark-redis: it knows which server has which key and pools the
 * connections, in the driver and in each executor.
 */
public final class RedisServers {

  /** Idle connections to throw away before Redis itself is taken to be at fault. */
  private static final int MAX_STALE = 8;

  private final RedisSettings settings;
  private final RedisConfig topology;

  private RedisServers(RedisSettings settings, RedisConfig topology) {
    this.settings = settings;
    this.topology = topology;
  }

  /**
   * Connects.
   *
   * @throws TarnException if Redis can't be reached or refuses the connection
   */
  public static RedisServers connect(RedisSettings settings) {
    try {
      RedisEndpoint endpoint =
          new RedisEndpoint(
              settings.host(),
              settings.port(),
              settings.password().isEmpty() ? null : settings.password(),
              settings.database(),
              Math.toIntExact(settings.timeout().toMillis()),
              settings.tls());
      RedisServers servers = new RedisServers(settings, new RedisConfig(endpoint));
      servers.at(settings.keys().release(), Jedis::ping);
      return servers;
    } catch (JedisException e) {
      throw unreachable(settings, e);
    }
  }

  public RedisSettings settings() {
    return settings;
  }

  /** For executors: which server has which key. */
  RedisConfig topology() {
    return topology;
  }

  /**
   * Works on the server that has a key.
   *
   * @throws TarnException if it can't be reached
   */
  <T> T at(String key, Function<Jedis, T> work) {
    return at(topology.getHost(key.getBytes(StandardCharsets.ISO_8859_1)), work);
  }

  /**
   * Works on one server.
   *
   * @throws TarnException if it can't be reached
   */
  <T> T at(RedisNode node, Function<Jedis, T> work) {
    try (Jedis jedis = connect(node)) {
      return work.apply(jedis);
    } catch (JedisConnectionException e) {
      throw unreachable(settings, e);
    }
  }

  /**
   * A pooled connection that answers: one that broke while it lay idle, e.g. when Redis was
   * restarted, is thrown away.
   */
  static Jedis connect(RedisNode node) {
    for (int tries = 1; ; tries++) {
      Jedis jedis = node.connect();
      try {
        jedis.ping();
        return jedis;
      } catch (JedisException e) {
        jedis.close();
        if (!(e instanceof JedisConnectionException) || tries == MAX_STALE) {
          throw e;
        }
      }
    }
  }

  private static TarnException unreachable(RedisSettings settings, JedisException e) {
    return new TarnException(
        ("can't use Redis at %s (settings redis.host, redis.port): %s."
                + " ./tarn up starts a local one")
            .formatted(settings.address(), Failures.reason(e)),
        e);
  }
}
