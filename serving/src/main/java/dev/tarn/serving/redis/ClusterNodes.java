package dev.tarn.serving.redis;

import dev.tarn.redis.Eviction;
import dev.tarn.redis.RedisSettings;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.models.partitions.RedisClusterNode;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * The masters of a Redis Cluster. Lettuce knows the topology and holds the connections, but this
 * class routes the commands: Lettuce's own routing waits for connections and flushes once for each
 * slot, which is a thousand times for a lookup of a thousand entities.
 *
 * <p>A node that is down fails the commands for its keys and no others. Its connection was lost, so
 * this object is no longer open. The next object begins without that node, and each command for the
 * node's keys then tries to connect. A command that fails makes Lettuce read the topology again,
 * which is how the server notices a failover.
 */
final class ClusterNodes implements Nodes, KeyedCommand.Redirects {

  /** The shortest time between two reads of the topology, each of which asks all nodes. */
  private static final long REFRESH_INTERVAL = Duration.ofMillis(250).toNanos();

  /** The host in a redirect to a node whose name the cluster should give, and does not know. */
  private static final String UNKNOWN_NAME = "?";

  /** The address of a node, as the cluster announces it to clients. */
  private record Address(String host, int port) {

    static Address of(RedisURI uri) {
      return new Address(uri.getHost(), uri.getPort());
    }

    @Override
    public String toString() {
      return host + ":" + port;
    }
  }

  private final RedisClusterClient client;
  private final StatefulRedisClusterConnection<byte[], byte[]> pool;
  private final String seedHost;
  private final Map<Address, StatefulRedisConnection<byte[], byte[]>> connected =
      new ConcurrentHashMap<>();
  private final AtomicLong nextRefresh = new AtomicLong(System.nanoTime());
  private final List<String> warnings = new ArrayList<>();

  /** The last read of the topology that a redirect waited for. */
  private CompletableFuture<?> lastRefresh = CompletableFuture.completedFuture(null);

  private ClusterNodes(
      RedisClusterClient client,
      StatefulRedisClusterConnection<byte[], byte[]> pool,
      String seedHost) {
    this.client = client;
    this.pool = pool;
    this.seedHost = seedHost;
  }

  /**
   * Reads the topology, connects to the masters and waits for those that answer.
   *
   * @throws RedisException if no node answers
   */
  static ClusterNodes connect(RedisClusterClient client, RedisSettings settings) {
    client.refreshPartitions();
    ClusterNodes nodes =
        new ClusterNodes(client, client.connect(ByteArrayCodec.INSTANCE), settings.host());
    CompletableFuture.allOf(
            nodes.pool.getPartitions().stream()
                .filter(ClusterNodes::isMaster)
                // A node that is down fails the lookups that need it, and stops no other.
                .map(node -> nodes.node(Address.of(node.getUri())).exceptionally(e -> null))
                .toArray(CompletableFuture<?>[]::new))
        .join();
    nodes.connected.forEach(nodes::prepare);
    return nodes;
  }

  private void prepare(Address address, StatefulRedisConnection<byte[], byte[]> connection) {
    try {
      var unused = RedisConnector.first(() -> WireProbe.threadOf(connection));
      String info = RedisConnector.first(() -> connection.sync().info("memory"));
      Eviction.of(info).warning(address.toString()).ifPresent(warnings::add);
    } catch (RedisException e) {
      // The connection is lost already; isOpen will say so.
    }
  }

  @Override
  public List<String> warnings() {
    return List.copyOf(warnings);
  }

  @Override
  public boolean isOpen() {
    return pool.isOpen()
        && pool.getPartitions().stream()
            .filter(ClusterNodes::isMaster)
            .map(node -> connected.get(Address.of(node.getUri())))
            .allMatch(connection -> connection == null || connection.isOpen());
  }

  @Override
  public int connections() {
    return Math.toIntExact(
        connected.values().stream().filter(StatefulRedisConnection::isOpen).count());
  }

  @Override
  public void send(List<? extends KeyedCommand> commands) {
    Map<Address, List<KeyedCommand>> byNode = new HashMap<>();
    for (KeyedCommand command : commands) {
      int slot = SlotHash.getSlot(command.key());
      RedisClusterNode owner = pool.getPartitions().getMasterBySlot(slot);
      if (owner == null) {
        command.failed(new ClusterNodeException("no node has slot %d".formatted(slot), null));
        continue;
      }
      command.onRedirect(this);
      byNode.computeIfAbsent(Address.of(owner.getUri()), address -> new ArrayList<>()).add(command);
    }
    byNode.forEach((address, ofNode) -> send(address, ofNode, List.of()));
  }

  @Override
  public boolean follow(KeyedCommand command, String error) {
    boolean isMoved = error.startsWith("MOVED ");
    if (!isMoved && !error.startsWith("ASK ")) {
      return false;
    }
    // The error is MOVED SLOT HOST:PORT. Without a host, that of the node that was asked is meant.
    String target = error.substring(error.lastIndexOf(' ') + 1);
    int colon = target.lastIndexOf(':');
    String host = target.substring(0, colon);
    int port = Integer.parseInt(target.substring(colon + 1));
    if (host.equals(UNKNOWN_NAME)) {
      return followUnnamed(command, isMoved, port);
    }
    Address address =
        host.isEmpty()
            ? ofPort(port).orElseGet(() -> new Address(seedHost, port))
            : new Address(host, port);
    if (isMoved) {
      failed();
    }
    send(address, List.of(command), isMoved ? List.of() : List.of(new Asking()));
    return true;
  }

  /**
   * Follows a redirect to a node whose host name is not set. The topology has its IP address: for a
   * slot that has moved, it says which node that is; else the port has to.
   */
  private boolean followUnnamed(KeyedCommand command, boolean isMoved, int port) {
    if (isMoved) {
      var unused = refreshed().whenComplete((done, failure) -> send(List.of(command)));
      return true;
    }
    Optional<Address> asked = ofPort(port);
    if (asked.isEmpty()) {
      return false;
    }
    send(asked.get(), List.of(command), List.of(new Asking()));
    return true;
  }

  /** Returns the only node that has a port. */
  private Optional<Address> ofPort(int port) {
    List<Address> nodes =
        pool.getPartitions().stream()
            .map(node -> Address.of(node.getUri()))
            .filter(address -> address.port() == port)
            .toList();
    return nodes.size() == 1 ? Optional.of(nodes.get(0)) : Optional.empty();
  }

  /** Reads the topology, once for all redirects that come meanwhile. */
  private synchronized CompletableFuture<?> refreshed() {
    if (lastRefresh.isDone()) {
      lastRefresh = client.refreshPartitionsAsync().toCompletableFuture();
    }
    return lastRefresh;
  }

  @Override
  public void failed() {
    long now = System.nanoTime();
    long due = nextRefresh.get();
    if (now - due >= 0 && nextRefresh.compareAndSet(due, now + REFRESH_INTERVAL)) {
      var unused = client.refreshPartitionsAsync();
    }
  }

  @Override
  public void close() {
    pool.close();
  }

  private void send(
      Address address, List<? extends KeyedCommand> commands, List<WireCommand> before) {
    var unused =
        node(address)
            .whenComplete(
                (connection, failure) -> {
                  if (failure == null) {
                    dispatch(address, connection, commands, before);
                  } else {
                    fail(address, commands, failure);
                  }
                });
  }

  private void dispatch(
      Address address,
      StatefulRedisConnection<byte[], byte[]> connection,
      List<? extends KeyedCommand> commands,
      List<WireCommand> before) {
    try {
      var unused =
          connection.dispatch(
              new Bundle(Stream.concat(before.stream(), commands.stream()).toList()));
    } catch (RedisException e) {
      fail(address, commands, e);
    }
  }

  private void fail(Address address, List<? extends KeyedCommand> commands, Throwable failure) {
    ClusterNodeException ofNode =
        new ClusterNodeException("node %s does not answer".formatted(address), failure);
    commands.forEach(command -> command.failed(ofNode));
  }

  /** Returns the connection to a node, which may be lost; makes it if there is none yet. */
  private CompletableFuture<StatefulRedisConnection<byte[], byte[]>> node(Address address) {
    StatefulRedisConnection<byte[], byte[]> made = connected.get(address);
    if (made != null) {
      return CompletableFuture.completedFuture(made);
    }
    try {
      return pool.getConnectionAsync(address.host(), address.port())
          .whenComplete(
              (connection, failure) -> {
                if (connection != null) {
                  connected.put(address, connection);
                }
              });
    } catch (RuntimeException e) {
      // A pool that is closed meanwhile throws many kinds, even NullPointerException.
      return CompletableFuture.failedFuture(new RedisException("connection lost"));
    }
  }

  private static boolean isMaster(RedisClusterNode node) {
    return !node.hasNoSlots();
  }

  /** Makes a node answer for a slot that it is taking over just now. */
  private static final class Asking extends WireCommand {

    Asking() {
      super("ASKING".getBytes(StandardCharsets.US_ASCII));
    }

    /** Ignores the answer: only the answer to the next command matters. */
    @Override
    void answered(Object answer) {}

    @Override
    void failed(Throwable failure) {}
  }
}
