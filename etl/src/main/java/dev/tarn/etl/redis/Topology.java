package dev.tarn.etl.redis;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.JedisClusterCRC16;

/**
 * The servers of a Redis and which of them has which key. A Redis without cluster is one server
 * that has all slots.
 *
 * <p>A cluster need not say where its nodes are ({@code cluster-preferred-endpoint-type}), and a
 * node that nobody has met does not know its own address. Where no host is given, the one that was
 * asked is meant; {@code ?} stands for a host name that is not set, and then the node's IP address
 * counts.
 */
final class Topology implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int SLOTS = 16_384;

  /** The host that a cluster gives for a node whose name it does not know. */
  private static final String UNKNOWN_NAME = "?";

  /** The last of some slots in a row, and the server that has them. */
  private record Slots(int last, HostAndPort owner) implements Serializable {}

  private final NavigableMap<Integer, Slots> slots;
  private final List<HostAndPort> servers;
  private final boolean isCluster;

  private Topology(
      NavigableMap<Integer, Slots> slots, Set<HostAndPort> servers, boolean isCluster) {
    this.slots = slots;
    this.servers = List.copyOf(servers);
    this.isCluster = isCluster;
  }

  /** Whether keys of several slots can't be used together. */
  boolean isCluster() {
    return isCluster;
  }

  /**
   * A Redis without cluster.
   *
   * @param others servers that are its replicas or named it
   */
  static Topology single(HostAndPort master, Set<HostAndPort> others) {
    NavigableMap<Integer, Slots> slots = new TreeMap<>();
    slots.put(0, new Slots(SLOTS - 1, master));
    Set<HostAndPort> servers = new LinkedHashSet<>();
    servers.add(master);
    servers.addAll(others);
    return new Topology(slots, servers, false);
  }

  /**
   * A cluster.
   *
   * @param clusterSlots the answer to CLUSTER SLOTS
   * @param asked the node that gave it
   */
  static Topology cluster(List<?> clusterSlots, HostAndPort asked) {
    NavigableMap<Integer, Slots> slots = new TreeMap<>();
    Set<HostAndPort> servers = new LinkedHashSet<>();
    for (Object range : clusterSlots) {
      List<?> parts = (List<?>) range;
      for (int i = 2; i < parts.size(); i++) {
        HostAndPort server = server((List<?>) parts.get(i), asked);
        servers.add(server);
        if (i == 2) {
          slots.put(number(parts.get(0)), new Slots(number(parts.get(1)), server));
        }
      }
    }
    return new Topology(slots, servers, true);
  }

  /**
   * The server that a redirect names.
   *
   * @param asked the server that redirects; its host is meant where none is named
   * @return empty if the redirect has a name that is not set
   */
  static Optional<HostAndPort> target(HostAndPort named, HostAndPort asked) {
    if (named.getHost().equals(UNKNOWN_NAME)) {
      return Optional.empty();
    }
    return Optional.of(
        named.getHost().isEmpty() ? new HostAndPort(asked.getHost(), named.getPort()) : named);
  }

  /** The servers that have keys. */
  List<HostAndPort> masters() {
    Set<HostAndPort> masters = new LinkedHashSet<>();
    slots.values().forEach(range -> masters.add(range.owner()));
    return List.copyOf(masters);
  }

  /** All servers that are known, replicas among them. */
  List<HostAndPort> servers() {
    return servers;
  }

  /**
   * The server that has a key.
   *
   * @throws JedisDataException if no server has its slot
   */
  HostAndPort owner(byte[] key) {
    int slot = JedisClusterCRC16.getSlot(key);
    Map.Entry<Integer, Slots> range = slots.floorEntry(slot);
    if (range == null || range.getValue().last() < slot) {
      throw new JedisDataException("CLUSTERDOWN no server has slot " + slot);
    }
    return range.getValue().owner();
  }

  private static HostAndPort server(List<?> node, HostAndPort asked) {
    String host = node.get(0) == null ? "" : text(node.get(0));
    if (host.equals(UNKNOWN_NAME)) {
      host = node.size() > 3 ? ip((List<?>) node.get(3)) : "";
    }
    return new HostAndPort(host.isEmpty() ? asked.getHost() : host, number(node.get(1)));
  }

  /** The IP address among the further names and values of a node; empty if there is none. */
  private static String ip(List<?> metadata) {
    for (int i = 0; i + 1 < metadata.size(); i += 2) {
      if (text(metadata.get(i)).equals("ip")) {
        return text(metadata.get(i + 1));
      }
    }
    return "";
  }

  private static int number(Object integer) {
    return Math.toIntExact((Long) integer);
  }

  private static String text(Object bytes) {
    return new String((byte[]) bytes, StandardCharsets.UTF_8);
  }
}
