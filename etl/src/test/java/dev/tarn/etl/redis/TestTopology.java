package dev.tarn.etl.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.exceptions.JedisDataException;

/** Checks where the keys of a cluster are, by what it says of its nodes. */
class TestTopology {

  private static final HostAndPort ASKED = new HostAndPort("redis.example", 7000);

  /** Slot 12739, as the documentation of Redis has it. */
  private static final byte[] KEY = "123456789".getBytes(StandardCharsets.US_ASCII);

  @Test
  void slotsAreOfTheFirstNodeOfTheirRange() {
    Topology topology =
        Topology.cluster(
            List.of(
                List.of(0L, 12738L, node("10.0.0.1", 7001)),
                List.of(12739L, 16383L, node("10.0.0.2", 7002), node("10.0.0.3", 7003))),
            ASKED);
    assertThat(topology.owner(KEY)).hasToString("10.0.0.2:7002");
    assertThat(topology.masters()).hasToString("[10.0.0.1:7001, 10.0.0.2:7002]");
    assertThat(topology.servers()).hasToString("[10.0.0.1:7001, 10.0.0.2:7002, 10.0.0.3:7003]");
  }

  @Test
  void aNodeWithoutHostIsAtTheOneThatWasAsked() {
    for (String host : Arrays.asList(null, "")) {
      Topology topology = Topology.cluster(List.of(List.of(0L, 16383L, node(host, 7002))), ASKED);
      assertThat(topology.owner(KEY)).hasToString("redis.example:7002");
    }
  }

  @Test
  void aNodeWhoseNameIsNotSetIsAtItsIpAddress() {
    List<Object> unnamed = node("?", 7002);
    assertThat(Topology.cluster(List.of(List.of(0L, 16383L, unnamed)), ASKED).owner(KEY))
        .hasToString("redis.example:7002");
    unnamed.set(3, List.of(bytes("hostname"), bytes(""), bytes("ip"), bytes("10.0.0.2")));
    assertThat(Topology.cluster(List.of(List.of(0L, 16383L, unnamed)), ASKED).owner(KEY))
        .hasToString("10.0.0.2:7002");
  }

  @Test
  void aRedirectWithoutHostMeansTheOneThatWasAsked() {
    assertThat(Topology.target(new HostAndPort("", 7002), ASKED).orElseThrow())
        .hasToString("redis.example:7002");
    assertThat(Topology.target(new HostAndPort("10.0.0.2", 7002), ASKED).orElseThrow())
        .hasToString("10.0.0.2:7002");
    assertThat(Topology.target(new HostAndPort("?", 7002), ASKED)).isEmpty();
  }

  @Test
  void aSlotThatNobodyHasIsWaitedFor() {
    for (List<Long> range : List.of(List.of(0L, 12738L), List.of(12740L, 16383L))) {
      Topology topology =
          Topology.cluster(
              List.of(List.of(range.get(0), range.get(1), node("10.0.0.1", 7001))), ASKED);
      assertThatThrownBy(() -> topology.owner(KEY))
          .isInstanceOfSatisfying(
              JedisDataException.class, e -> assertThat(RedisServers.isPassing(e)).isTrue())
          .hasMessage("CLUSTERDOWN no server has slot 12739");
    }
  }

  @Test
  void oneServerHasAllSlots() {
    Topology topology = Topology.single(new HostAndPort("10.0.0.1", 6379), Set.of(ASKED));
    assertThat(topology.owner(KEY)).hasToString("10.0.0.1:6379");
    assertThat(topology.masters()).hasToString("[10.0.0.1:6379]");
    assertThat(topology.servers()).hasToString("[10.0.0.1:6379, redis.example:7000]");
  }

  private static List<Object> node(String host, long port) {
    return Arrays.asList(host == null ? null : bytes(host), port, bytes("id"), List.of());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
