package dev.tarn.serving.redis;

import dev.tarn.redis.Eviction;
import dev.tarn.redis.RedisSettings;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
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
import io.lettuce.core.internal.HostAndPort;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.MappingSocketAddressResolver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Makes connections to Redis, to a single server or to a cluster.
 *
 * <p>A lost connection stays lost, and the commands under way on it fail at once. The user of this
 * class makes the next connection, and reads what is released over it before any lookup uses it.
 * Lettuce's own reconnect would hold lookups back until they time out, and would then answer them
 * from what was released before the outage. In a cluster, the loss of one node's connection ends
 * the connections to all nodes.
 *
 * <p>Not safe for use by several threads.
 */
public final class RedisConnector implements AutoCloseable {

  /** The time between reads of the topology, for idle servers; failed lookups have it read too. */
  private static final Duration TOPOLOGY_REFRESH = Duration.ofSeconds(30);

  /**
   * Turns off the notifications of Redis Enterprise, for which Lettuce would ask every Redis. A
   * lost connection tells as much.
   */
  private static final MaintNotificationsConfig NO_NOTIFICATIONS =
      MaintNotificationsConfig.disabled();

  private static final Duration FIRST_COMMAND = Duration.ofMillis(200);

  /** Attempts to connect; the first usually succeeds, see {@link #isPassing}. */
  private static final int TRIES = 4;

  static {
    // Lettuce would load Java's flight recorder at each start, for events that nobody reads.
    System.getProperties().putIfAbsent("io.lettuce.core.jfr", "false");
  }

  private final RedisSettings settings;
  private final NetworkThreads threads;
  private final RedisURI uri;
  private final ClientResources resources;
  private final RedisClient client;

  /**
   * Whether the nodes of a cluster are to be reached at the host of the settings, each at its own
   * port, because the cluster says of none where it is (cluster-preferred-endpoint-type).
   */
  private volatile boolean isWithoutEndpoints;

  /**
   * The cluster's client. It outlives connections, because it knows more nodes than the settings.
   */
  private Optional<RedisClusterClient> cluster = Optional.empty();

  /**
   * Prepares to connect.
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
            .socketAddressResolver(
                MappingSocketAddressResolver.create(
                    (HostAndPort node) ->
                        isWithoutEndpoints
                            ? HostAndPort.of(settings.host(), node.getPort())
                            : node))
            .nettyCustomizer(RedisWire.customizer(settings.timeout()))
            .build();
    client = RedisClient.create(resources, uri);
    client.setOptions(options(settings));
  }

  /**
   * Connects, and waits for each answer on the way for at most {@code redis.timeout}.
   *
   * @param onNotice runs on a thread of the connection after each release
   * @throws RedisUnavailableException if Redis is not there, does not let this user in, or is of a
   *     kind that has no data
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
      return new RedisConnection(settings, nodes, notices(onNotice));
    } catch (RedisException e) {
      nodes.close();
      throw e;
    }
  }

  /**
   * Returns whether another attempt may succeed at once. Lettuce ends its log-in on another thread.
   * So, one time in a hundred, the end of a connection overtakes the reason for it, or Lettuce
   * reports a connection a moment before it accepts commands.
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
  }

  /**
   * Runs the first command of a connection, and repeats it for a moment if it is refused. Lettuce
   * may report a connection shortly before it accepts commands, and refuses them until then.
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
      // The node of the settings is down, but other nodes of its cluster may be up.
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
            one,
            () -> client.connect(ByteArrayCodec.INSTANCE),
            threads.threadPoolSize(),
            Eviction.of(info).warning(settings.address()).stream().toList());
      }
      isWithoutEndpoints = isWithoutEndpoints(one, info);
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

  /**
   * Asks a cluster whether it says where its nodes are. Before Redis 7 it always does. A user who
   * may not ask gets the addresses that the nodes know of each other.
   */
  private static boolean isWithoutEndpoints(
      StatefulRedisConnection<byte[], byte[]> connection, String info) {
    if (info.lines().anyMatch(line -> line.matches("redis_version:[0-6]\\..*"))) {
      return false;
    }
    List<Object> slots;
    try {
      slots = connection.sync().clusterSlots();
    } catch (RedisCommandExecutionException e) {
      return false;
    }
    // Each is a list of: first slot, last slot, a list that begins with the master's host,
    // replicas.
    return !slots.isEmpty()
        && slots.stream()
            .map(range -> ((List<?>) ((List<?>) range).get(2)).get(0))
            .allMatch(host -> !(host instanceof byte[] name) || name.length == 0);
  }

  /** Subscribes to notices; in a cluster at any node, as each notice reaches all nodes. */
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
    // The line above copies all options but this one.
    options.maintNotificationsConfig(NO_NOTIFICATIONS);
    made.setOptions(
        options
            .topologyRefreshOptions(
                ClusterTopologyRefreshOptions.builder()
                    .enablePeriodicRefresh(TOPOLOGY_REFRESH)
                    .build())
            // A redirect may point to a node that is newer than the topology.
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
            // To send these, an ACL user would need one more permission.
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
            // A timer for each command would cost more than the command; a wire has one.
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
