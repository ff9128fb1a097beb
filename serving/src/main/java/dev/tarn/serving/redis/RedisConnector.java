package dev.tarn.serving.redis;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import io.netty.util.HashedWheelTimer;
import io.netty.util.Timer;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Makes connections to Redis. A connection that is lost stays lost, and what is under way on it
 * fails at once: {@link Releases} makes the next one and reads what is released before anyone looks
 * up over it. Lettuce's own reconnect would hold lookups back until they time out, and would let
 * them go on with what was released before the outage.
 *
 * <p>That holds for a cluster as for a single server: with a connection to one node all are given
 * up and made anew. Only here is decided which of the two it is. For one thread.
 */
public final class RedisConnector implements AutoCloseable {

  /** For servers that nobody asks for a while; a lookup that meets the old topology has it read. */
  private static final Duration TOPOLOGY_REFRESH = Duration.ofSeconds(30);

  /**
   * Redis Enterprise's, for which Lettuce would ask every Redis; a lost connection says as much.
   */
  private static final MaintNotificationsConfig NO_NOTIFICATIONS =
      MaintNotificationsConfig.disabled();

  private static final Duration FIRST_COMMAND = Duration.ofMillis(200);

  /** Of which one mostly is enough; see {@link #isPassing}. */
  private static final int TRIES = 4;

  /** So much later than it should a timeout may come. */
  private static final Duration TICK = Duration.ofMillis(10);

  static {
    // Lettuce would load Java's flight recorder with each start, for events that nobody reads.
    System.getProperties().putIfAbsent("io.lettuce.core.jfr", "false");
  }

  private final RedisSettings settings;
  private final NetworkThreads threads;
  private final RedisURI uri;
  private final ClientResources resources;
  private final RedisClient client;
  private final Timer timer =
      new HashedWheelTimer(
          new DefaultThreadFactory("timeouts", true), TICK.toMillis(), TimeUnit.MILLISECONDS);

  /** Kept from one connection to the next, as it knows nodes besides the one in the settings. */
  private Optional<RedisClusterClient> cluster = Optional.empty();

  /**
   * Connects to nothing yet.
   *
   * @throws dev.tarn.cli.TarnException if the certificates of {@code redis.tls-ca} can't be read
   */
  public RedisConnector(RedisSettings settings, NetworkThreads threads) {
    this.settings = settings;
    this.threads = threads;
    uri = uri(settings);
    resources =
        ClientResources.builder()
            .eventLoopGroupProvider(threads)
            .timer(timer)
            .nettyCustomizer(RedisWire.CUSTOMIZER)
            .build();
    client = RedisClient.create(resources, uri);
    client.setOptions(options(settings));
  }

  /**
   * Connects, waiting for {@code redis.timeout} at the most for each answer on the way.
   *
   * @param onNotice run, on a thread of the connection's, after each release
   * @throws RedisUnavailableException if Redis is not there, does not let this user in, or is none
   *     that can be served from
   */
  public RedisConnection connect(Runnable onNotice) throws RedisUnavailableException {
    for (int tries = 1; ; tries++) {
      try {
        return connectOnce(onNotice);
      } catch (RedisException e) {
        if (tries == TRIES || !isPassing(e)) {
          throw RedisUnavailableException.of(settings, e);
        }
      }
    }
  }

  private RedisConnection connectOnce(Runnable onNotice) throws RedisUnavailableException {
    Nodes nodes = nodes();
    try {
      return new RedisConnection(settings, nodes, notices(onNotice), timer);
    } catch (RedisException e) {
      nodes.close();
      throw e;
    }
  }

  /**
   * Whether a try is worth another one at once. Lettuce ends its log-in on a thread of its own, so
   * one time in a hundred the end of a connection overtakes the reason for it, or a connection is
   * called made a moment before it takes commands, Lettuce's own among them.
   */
  private static boolean isPassing(RedisException failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      String message = String.valueOf(cause.getMessage());
      if (message.contains("Connection closed prematurely")
          || message.contains("Currently not connected")) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void close() {
    forgetCluster();
    client.shutdown(Duration.ZERO, settings.timeout());
    var unused = resources.shutdown(0, settings.timeout().toMillis(), TimeUnit.MILLISECONDS);
    var unusedTimeouts = timer.stop();
  }

  /**
   * The first command of a connection, which Lettuce may call made a moment before it takes any:
   * until then it refuses them, as one that is lost does.
   */
  static <T> T first(Supplier<T> command) {
    long began = System.nanoTime();
    while (true) {
      try {
        return command.get();
      } catch (RedisException e) {
        if (e.getClass() != RedisException.class
            || System.nanoTime() - began > FIRST_COMMAND.toNanos()) {
          throw e;
        }
        LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
      }
    }
  }

  private Nodes nodes() throws RedisUnavailableException {
    StatefulRedisConnection<byte[], byte[]> one;
    try {
      one = client.connect(ByteArrayCodec.INSTANCE);
    } catch (RedisException e) {
      if (cluster.isEmpty()) {
        throw e;
      }
      // The node of the settings is down; others of its cluster need not be.
      return ClusterNodes.connect(cluster.get(), settings);
    }
    try {
      String info = first(one.sync()::info);
      if (has(info, "redis_mode:sentinel")) {
        throw RedisUnavailableException.sentinel(settings);
      }
      if (!has(info, "cluster_enabled:1")) {
        forgetCluster();
        return SingleNode.connect(
            one, () -> client.connect(ByteArrayCodec.INSTANCE), threads.threadPoolSize());
      }
    } catch (RedisException | RedisUnavailableException e) {
      one.close();
      throw e;
    }
    one.close();
    if (cluster.isEmpty()) {
      cluster = Optional.of(clusterClient());
    }
    return ClusterNodes.connect(cluster.get(), settings);
  }

  /** In a cluster from any one node: a notice that is published on one reaches all. */
  private StatefulRedisPubSubConnection<String, String> notices(Runnable onNotice) {
    StatefulRedisPubSubConnection<String, String> notices =
        cluster.isPresent() ? cluster.get().connectPubSub() : client.connectPubSub();
    try {
      notices.addListener(
          new RedisPubSubAdapter<>() {
            @Override
            public void message(String channel, String message) {
              onNotice.run();
            }
          });
      first(
          () -> {
            notices.sync().subscribe(settings.keys().releasedChannel());
            return notices;
          });
      return notices;
    } catch (RedisException e) {
      notices.close();
      throw e;
    }
  }

  private RedisClusterClient clusterClient() {
    RedisClusterClient made = RedisClusterClient.create(resources, uri);
    ClusterClientOptions.Builder options = ClusterClientOptions.builder(options(settings));
    // The one option that the line above leaves out.
    options.maintNotificationsConfig(NO_NOTIFICATIONS);
    made.setOptions(
        options
            .topologyRefreshOptions(
                ClusterTopologyRefreshOptions.builder()
                    .enablePeriodicRefresh(TOPOLOGY_REFRESH)
                    .build())
            // A redirect may point to a node that is too new for the topology.
            .validateClusterNodeMembership(false)
            .build());
    return made;
  }

  private void forgetCluster() {
    cluster.ifPresent(known -> known.shutdown(Duration.ZERO, settings.timeout()));
    cluster = Optional.empty();
  }

  private static boolean has(String info, String line) {
    return info.lines().anyMatch(line::equals);
  }

  private static RedisURI uri(RedisSettings settings) {
    RedisURI.Builder uri =
        RedisURI.builder()
            .withHost(settings.host())
            .withPort(settings.port())
            .withDatabase(settings.database())
            .withSsl(settings.tls())
            .withTimeout(settings.timeout())
            .withClientName("tarn-serving")
            // Not said, as it would take an ACL user one more permission.
            .withLibraryName("")
            .withLibraryVersion("");
    if (!settings.user().isEmpty()) {
      uri.withAuthentication(settings.user(), settings.password().toCharArray());
    } else if (!settings.password().isEmpty()) {
      uri.withPassword(settings.password().toCharArray());
    }
    return uri.build();
  }

  private static ClientOptions options(RedisSettings settings) {
    ClientOptions.Builder options =
        ClientOptions.builder()
            .autoReconnect(false)
            .maintNotificationsConfig(NO_NOTIFICATIONS)
            .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
            .socketOptions(
                SocketOptions.builder().connectTimeout(settings.timeout()).keepAlive(true).build())
            // A timer for each command would cost more than the command: a batch has one.
            .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build());
    if (settings.tls() && !settings.tlsCa().isEmpty()) {
      options.sslOptions(
          SslOptions.builder()
              .jdkSslProvider()
              .trustManager(TrustedCertificates.of(settings.tlsCa()))
              .build());
    }
    return options.build();
  }
}
