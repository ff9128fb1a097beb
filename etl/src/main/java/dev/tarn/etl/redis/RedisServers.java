package dev.tarn.etl.redis;

import com.redislabs.provider.redis.RedisConfig;
import com.redislabs.provider.redis.RedisEndpoint;
import com.redislabs.provider.redis.RedisNode;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import dev.tarn.redis.RedisSettings;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/**
 * The Redis servers as jobs reach them, through spark-redis, which knows which server has which key
 * and pools the connections, in the driver and in each executor. Jobs wait for a server that is
 * lost ({@code push.patience}): it may be restarting, or a replica may be taking over.
 */
public final class RedisServers implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Number of broken idle connections after which Redis itself is taken to be at fault. */
  private static final int MAX_STALE = 8;

  private static final Duration PAUSE = Duration.ofMillis(100);

  private final RedisSettings settings;
  private final Duration patience;
  private volatile RedisConfig topology;

  private RedisServers(RedisSettings settings, Duration patience, RedisConfig topology) {
    this.settings = settings;
    this.patience = patience;
    this.topology = topology;
  }

  /**
   * Connects.
   *
   * @throws TarnException if Redis can't be reached or refuses the connection
   */
  public static RedisServers connect(Settings settings) {
    RedisSettings redis = settings.read(RedisSettings::of);
    Duration patience = settings.read(tarn -> tarn.getDuration("push.patience"));
    Endpoint endpoint = new Endpoint(redis, redis.host(), redis.port());
    try (Jedis jedis = open(endpoint)) {
      if (jedis.info("server").contains("redis_mode:sentinel")) {
        throw new TarnException(
            ("%s is a Redis Sentinel, and spark-redis can't ask one: set redis.host and redis.port to"
                    + " the master that SENTINEL GET-MASTER-ADDR-BY-NAME names")
                .formatted(redis.address()));
      }
      return new RedisServers(redis, patience, new RedisConfig(endpoint));
    } catch (JedisException e) {
      throw unreachable(redis, e);
    }
  }

  public RedisSettings settings() {
    return settings;
  }

  /** The time to wait for a server that is lost. */
  public Duration patience() {
    return patience;
  }

  /** The addresses of the servers that have keys. */
  public List<HostAndPort> masters() {
    Set<HostAndPort> masters = new LinkedHashSet<>();
    for (RedisNode node : topology.hosts()) {
      masters.add(address(node));
    }
    return List.copyOf(masters);
  }

  /** The server that has a key, as far as this knows. */
  HostAndPort owner(byte[] key) {
    return address(topology.getHost(key));
  }

  /**
   * Works on the server that has a key, and waits for it if it is lost. So {@code work} may be done
   * twice.
   *
   * @throws TarnException if it can't be reached
   */
  public <T> T at(String key, Function<Jedis, T> work) {
    byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
    return patiently(() -> on(owner(bytes), work));
  }

  /** Reads a section of INFO from each server that has keys. */
  public Map<HostAndPort, String> info(String section) {
    return patiently(
        () -> {
          Map<HostAndPort, String> sections = new LinkedHashMap<>();
          masters()
              .forEach(server -> sections.put(server, on(server, jedis -> jedis.info(section))));
          return sections;
        });
  }

  /**
   * The run ids of the servers that have keys. A server has a new one each time it is started, so
   * while these are the same, no server has lost what it had confirmed.
   */
  public Set<String> runs() {
    return info("server").values().stream().map(RedisServers::runOf).collect(Collectors.toSet());
  }

  /** The run id of one server. */
  public static String run(Jedis jedis) {
    return runOf(jedis.info("server"));
  }

  private static String runOf(String info) {
    return info.lines().filter(line -> line.startsWith("run_id:")).findFirst().orElse("");
  }

  private <T> T patiently(Supplier<T> work) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      try {
        return work.get();
      } catch (JedisException e) {
        if (!isPassing(e) || System.nanoTime() > deadline) {
          throw e instanceof JedisConnectionException ? unreachable(settings, e) : e;
        }
        pause();
        refresh();
      }
    }
  }

  /** Works on one server, without waiting for it. */
  private <T> T on(HostAndPort server, Function<Jedis, T> work) {
    try (Jedis jedis = open(server)) {
      return work.apply(jedis);
    }
  }

  /** Takes a connection that answers from the server's pool. */
  Jedis open(HostAndPort server) {
    return open(new Endpoint(settings, server.getHost(), server.getPort()));
  }

  /** Learns anew which server has which key, from any server that answers. */
  void refresh() {
    Set<HostAndPort> known = new LinkedHashSet<>();
    known.add(new HostAndPort(settings.host(), settings.port()));
    for (RedisNode node : topology.nodes()) {
      known.add(address(node));
    }
    for (HostAndPort server : known) {
      try {
        RedisConfig found =
            new RedisConfig(new Endpoint(settings, server.getHost(), server.getPort()));
        if (found.hosts().length > 0) {
          topology = found;
          return;
        }
      } catch (JedisException e) {
        // The next may answer; if none does, what was known is tried again.
      }
    }
  }

  /** Tells whether a refusal or a loss is of the kind that ends by itself. */
  static boolean isPassing(JedisException e) {
    if (e instanceof JedisConnectionException || e instanceof JedisRedirectionException) {
      return true;
    }
    String message = String.valueOf(e.getMessage());
    return e instanceof JedisDataException
        && List.of("LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "READONLY").stream()
            .anyMatch(message::startsWith);
  }

  static void pause() {
    try {
      TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for Redis", e);
    }
  }

  /** Takes a connection; one that broke while it lay idle, e.g. by a restart, is thrown away. */
  private static Jedis open(RedisEndpoint endpoint) {
    for (int tries = 1; ; tries++) {
      Jedis jedis = endpoint.connect();
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

  private static HostAndPort address(RedisNode node) {
    return new HostAndPort(node.endpoint().host(), node.endpoint().port());
  }

  private static TarnException unreachable(RedisSettings settings, JedisException e) {
    return new TarnException(
        ("can't use Redis at %s (settings redis.host, redis.port): %s."
                + " ./tarn up starts a local one")
            .formatted(settings.address(), Causes.reason(e)),
        e);
  }
}
