package dev.tarn.redis;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import redis.embedded.RedisServer;
import redis.embedded.core.RedisServerBuilder;

/**
 * A real Redis Cluster on the loopback interface: masters that share the slots evenly, each with a
 * replica if wanted. It is made by {@code CLUSTER} commands over plain sockets, so it needs neither
 * redis-cli nor a client library.
 */
public final class RedisClusterFixture implements AutoCloseable {

  public static final int SLOTS = 16_384;

  /** The address that the masters of another program announce. */
  public static final String ANNOUNCED = "127.0.0.2";

  /** Distance from a node's port to the port of its cluster bus, which Redis 6 fixes. */
  private static final int BUS = 10_000;

  private final List<Node> nodes = new ArrayList<>();

  private record Node(RedisServer server, RespClient client, int port, long pid, String id) {}

  private final File program;
  private final List<String> settings;

  private RedisClusterFixture(File program, List<String> settings) {
    this.program = program;
    this.settings = settings;
  }

  public static RedisClusterFixture ofMasters(int masters) {
    return start(new RedisClusterFixture(RedisExecutable.file(), List.of()), masters, false);
  }

  /**
   * Masters of another program, with settings as of redis.conf, that announce another address of
   * the loopback interface than the one that tests use.
   */
  public static RedisClusterFixture ofMasters(int masters, File program, String... settings) {
    List<String> all = new ArrayList<>(List.of("cluster-announce-ip " + ANNOUNCED));
    all.addAll(List.of(settings));
    return start(new RedisClusterFixture(program, all), masters, false);
  }

  /** Node {@code masters + i} is the replica of master {@code i}. */
  public static RedisClusterFixture withReplicas(int masters) {
    return start(new RedisClusterFixture(RedisExecutable.file(), List.of()), masters, true);
  }

  private static RedisClusterFixture start(
      RedisClusterFixture cluster, int masters, boolean withReplicas) {
    try {
      for (int i = 0; i < masters; i++) {
        Node node = cluster.startNode();
        int end = SLOTS * (i + 1) / masters;
        List<String> addSlots = new ArrayList<>(List.of("CLUSTER", "ADDSLOTS"));
        IntStream.range(SLOTS * i / masters, end)
            .forEach(slot -> addSlots.add(Integer.toString(slot)));
        node.client().send(addSlots);
      }
      for (int i = 0; withReplicas && i < masters; i++) {
        var unused = cluster.startNode();
      }
      cluster.awaitAgreement();
      for (int i = 0; withReplicas && i < masters; i++) {
        cluster.ask(masters + i, "CLUSTER", "REPLICATE", cluster.nodes.get(i).id());
      }
      for (int i = 0; withReplicas && i < masters; i++) {
        int replica = masters + i;
        await()
            .until(
                () ->
                    cluster.ask(replica, "INFO", "replication").contains("master_link_status:up"));
      }
      return cluster;
    } catch (RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  /** Adds a master without slots, which the others know by then; its number is returned. */
  public int addMaster() {
    var unused = startNode();
    awaitAgreement();
    return nodes.size() - 1;
  }

  public int port(int node) {
    return nodes.get(node).port();
  }

  /** Asks this one node; an error, also a redirect, is an exception. */
  public String ask(int node, String... command) {
    return nodes.get(node).client().ask(command);
  }

  /** The master that has a slot, by its own word: the others hear of a move a moment later. */
  public int ownerOf(int slot) {
    for (int node = 0; node < nodes.size(); node++) {
      for (String known : ask(node, "CLUSTER", "NODES").split("\n", -1)) {
        if (known.contains("myself,master") && hasSlot(known, slot)) {
          return node;
        }
      }
    }
    throw new IllegalStateException("nobody has slot " + slot);
  }

  /**
   * Moves a slot with its keys as an operator does it, clients reading all the while.
   *
   * @param halfWay run when the first keys are moved and the slot still belongs to the old owner
   */
  public void migrate(int slot, int target, Runnable halfWay) {
    Node from = nodes.get(ownerOf(slot));
    Node to = nodes.get(target);
    String number = Integer.toString(slot);
    to.client().ask("CLUSTER", "SETSLOT", number, "IMPORTING", from.id());
    from.client().ask("CLUSTER", "SETSLOT", number, "MIGRATING", to.id());
    for (boolean isFirst = true; ; isFirst = false) {
      List<String> keys =
          from.client().askList(List.of("CLUSTER", "GETKEYSINSLOT", number, isFirst ? "1" : "100"));
      if (keys.isEmpty()) {
        break;
      }
      List<String> migrate =
          new ArrayList<>(
              List.of(
                  "MIGRATE", "127.0.0.1", Integer.toString(to.port()), "", "0", "5000", "KEYS"));
      migrate.addAll(keys);
      from.client().send(migrate);
      if (isFirst) {
        halfWay.run();
      }
    }
    for (Node node : List.of(to, from)) {
      node.client().ask("CLUSTER", "SETSLOT", number, "NODE", to.id());
    }
  }

  /** Ends a node without a word, as a crash does. */
  public void kill(int node) {
    ProcessHandle process = ProcessHandle.of(nodes.get(node).pid()).orElseThrow();
    process.destroyForcibly();
    process.onExit().join();
  }

  /** Waits until each replica has what its master has; the rest would be lost with the master. */
  public void awaitReplication() {
    int masters = nodes.size() / 2;
    for (int master = 0; master < masters; master++) {
      int asked = master;
      await().until(() -> ask(asked, "WAIT", "1", "1000").equals("1"));
      String keys = ask(asked, "DBSIZE");
      await().until(() -> ask(asked + masters, "DBSIZE").equals(keys));
    }
  }

  /** Makes a node mute: its connections stay, nothing is answered. */
  public void suspend(int node) {
    signal(nodes.get(node), "STOP");
  }

  public void resume(int node) {
    signal(nodes.get(node), "CONT");
  }

  @Override
  public void close() {
    for (Node node : nodes) {
      node.client().close();
      ProcessHandle.of(node.pid()).ifPresent(ProcessHandle::destroyForcibly);
      try {
        node.server().stop();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private Node startNode() {
    try {
      int port = freePort();
      RedisServerBuilder builder =
          RedisExecutable.newServer(port, program)
              .setting("cluster-enabled yes")
              .setting("cluster-node-timeout 1000");
      if (!settings.isEmpty()) {
        builder.bind("127.0.0.1 " + ANNOUNCED);
      }
      settings.forEach(builder::setting);
      RedisServer server = builder.build();
      server.start();
      RespClient client = new RespClient(port);
      String pid = client.ask("INFO", "server").replaceAll("(?s).*process_id:(\\d+).*", "$1");
      Node node =
          new Node(server, client, port, Long.parseLong(pid), client.ask("CLUSTER", "MYID"));
      nodes.add(node);
      client.ask("CLUSTER", "SET-CONFIG-EPOCH", Integer.toString(nodes.size()));
      if (nodes.size() > 1) {
        client.ask("CLUSTER", "MEET", "127.0.0.1", Integer.toString(port(0)));
      }
      return node;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until each node knows all others and finds all slots covered. */
  private void awaitAgreement() {
    for (int node = 0; node < nodes.size(); node++) {
      int asked = node;
      await()
          .until(
              () -> {
                String info = ask(asked, "CLUSTER", "INFO");
                return info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_assigned:" + SLOTS)
                    && info.contains("cluster_known_nodes:" + nodes.size() + "\r");
              });
    }
  }

  /** Whether a line of {@code CLUSTER NODES} has the slot: from its ninth word on. */
  private static boolean hasSlot(String line, int slot) {
    return Arrays.stream(line.trim().split(" ", -1))
        .skip(8)
        .filter(range -> !range.startsWith("["))
        .map(range -> range.split("-", -1))
        .anyMatch(
            range ->
                Integer.parseInt(range[0]) <= slot
                    && slot <= Integer.parseInt(range[range.length - 1]));
  }

  private static void signal(Node node, String name) {
    try {
      var unused =
          new ProcessBuilder("kill", "-" + name, Long.toString(node.pid())).start().waitFor();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static int freePort() {
    while (true) {
      int port = anyPort();
      if (port + BUS <= 65_535 && isFree(port + BUS)) {
        return port;
      }
      // Those that the system gives are mostly too high: take one far below.
      if (port - BUS > 1_024 && isFree(port - BUS)) {
        return port - BUS;
      }
    }
  }

  private static int anyPort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isFree(int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort() == port;
    } catch (IOException e) {
      return false;
    }
  }

  private static ConditionFactory await() {
    return Awaitility.await()
        .atMost(Duration.ofSeconds(30))
        .pollInterval(Duration.ofMillis(20))
        .ignoreExceptions();
  }
}
