package dev.tarn.etl.redis;

import com.redislabs.provider.redis.RedisEndpoint;
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
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/**
 * The Redis servers as jobs reach them, through spark-redis, which pools the connections, in the
 * driver and in each executor. Jobs wait for a server that is lost ({@code push.patience}): it may
 * be restarting, or a replica may be taking over.
 *
 * <p>Jobs write, so they need masters. Where {@code redis.host} is a replica, they go on to the
 * master that it names, as the same user and with the same TLS.
 */
public final class RedisServers implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Number of broken idle connections after which Redis itself is taken to be at fault. */
  private static final int MAX_STALE = 8;

  private static final Duration PAUSE = Duration.ofMillis(100);

  /** The longest chain of replicas of replicas that is followed to its master. */
  private static final int MAX_CHAIN = 5;

  private static final Pattern REPLICA = Pattern.compile("(?m)^slave\\d+:ip=([^,]+),port=(\\d+),");

  private final RedisSettings settings;
  private final Duration patience;
  private volatile Topology topology;

  private RedisServers(RedisSettings settings, Duration patience, Topology topology) {
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
    return connect(settings, settings.read(tarn -> tarn.getDuration("push.patience")));
  }

  /** Connects as {@link #connect(Settings)} does, with another patience. */
  public static RedisServers connect(Settings settings, Duration patience) {
    RedisSettings redis = settings.read(RedisSettings::of);
    try {
      return new RedisServers(
          redis, patience, topology(redis, new HostAndPort(redis.host(), redis.port())));
    } catch (JedisException e) {
      throw explained(redis, e);
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
    return topology.masters();
  }

  /** Whether the servers are a Redis Cluster. */
  public boolean isCluster() {
    return topology.isCluster();
  }

  /** The server that has a key, as far as this knows. */
  HostAndPort owner(byte[] key) {
    return topology.owner(key);
  }

  /**
   * Works on the server that has a key, and waits for it if it is lost. So {@code work} may be done
   * twice.
   *
   * @throws TarnException if it can't be reached, or refuses
   */
  public <T> T at(String key, Function<Jedis, T> work) {
    byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
    return patiently(() -> on(owner(bytes), work));
  }

  /** Works on one server, and waits for it if it is lost. */
  <T> T at(HostAndPort server, Function<Jedis, T> work) {
    return patiently(() -> on(server, work));
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
    return line(info, "run_id");
  }

  private <T> T patiently(Supplier<T> work) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      try {
        return work.get();
      } catch (JedisException e) {
        if (!isPassing(e) || System.nanoTime() > deadline) {
          throw explained(settings, e);
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
    known.addAll(topology.servers());
    for (HostAndPort server : known) {
      try {
        Topology found = topology(settings, server);
        if (!found.masters().isEmpty()) {
          topology = found;
          return;
        }
      } catch (JedisException | TarnException e) {
        // The next may answer; if none does, what was known is tried again.
      }
    }
  }

  /** Asks a server which servers there are. */
  private static Topology topology(RedisSettings settings, HostAndPort asked) {
    try (Jedis jedis = open(new Endpoint(settings, asked.getHost(), asked.getPort()))) {
      String info = jedis.info();
      if (info.contains("redis_mode:sentinel")) {
        throw new TarnException(
            ("%s is a Redis Sentinel, which holds no data: set redis.host and redis.port to the"
                    + " master that SENTINEL GET-MASTER-ADDR-BY-NAME names")
                .formatted(asked));
      }
      if (line(info, "cluster_enabled").equals("1")) {
        return Topology.cluster(jedis.clusterSlots(), asked);
      }
      Answering master = master(settings, new Answering(asked, info));
      Set<HostAndPort> others = new LinkedHashSet<>(List.of(asked));
      others.addAll(replicas(master.info()));
      return Topology.single(master.server(), others);
    }
  }

  /** A server and what it answered to INFO. */
  private record Answering(HostAndPort server, String info) {}

  /**
   * Follows a replica to its master; a master is its own.
   *
   * @throws TarnException if the master does not answer or refuses, which names both
   */
  private static Answering master(RedisSettings settings, Answering first) {
    Answering last = first;
    for (int chain = 0; line(last.info(), "role").equals("slave"); chain++) {
      HostAndPort named =
          new HostAndPort(
              line(last.info(), "master_host"), Integer.parseInt(line(last.info(), "master_port")));
      if (chain == MAX_CHAIN) {
        throw notMaster(first.server(), named, "it is a replica too", null);
      }
      try (Jedis jedis = open(new Endpoint(settings, named.getHost(), named.getPort()))) {
        last = new Answering(named, jedis.info());
      } catch (JedisException e) {
        throw notMaster(first.server(), named, Causes.reason(e), e);
      }
    }
    return last;
  }

  private static TarnException notMaster(
      HostAndPort replica, HostAndPort master, String why, JedisException cause) {
    return new TarnException(
        "%s is a replica of %s, which can't be used from here (%s): set redis.host and redis.port to an address of the master"
            .formatted(replica, master, why),
        cause);
  }

  /** The replicas of a master, any of which may take over. */
  private static List<HostAndPort> replicas(String info) {
    return REPLICA
        .matcher(info)
        .results()
        .map(found -> new HostAndPort(found.group(1), Integer.parseInt(found.group(2))))
        .toList();
  }

  private static String line(String info, String name) {
    return info.lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> line.substring(name.length() + 1))
        .findFirst()
        .orElse("");
  }

  /** Tells whether a refusal or a loss is of the kind that ends by itself. */
  public static boolean isPassing(JedisException e) {
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

  private static TarnException explained(RedisSettings settings, JedisException e) {
    return Refusals.explain(settings, e).orElseThrow();
  }
}
