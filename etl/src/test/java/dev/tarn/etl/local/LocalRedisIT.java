package dev.tarn.etl.local;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

class LocalRedisIT {

  private final Workbench bench = new Workbench();
  private final Path state = bench.path("state");
  private final int port = Workbench.freePort();

  @BeforeEach
  void useAFolderAndAPortOfItsOwn() {
    bench.set("state", state.toString()).set("redis.port", Integer.toString(port));
  }

  @AfterEach
  void down() {
    bench.run("down");
  }

  @Test
  void upStartsRedisAndUpAgainFindsItRunning() {
    assertThat(bench.run("up")).isZero();
    assertThat(bench.output().strip())
        .isEqualTo(
            "Redis runs on 127.0.0.1:%d; its data are in %s"
                .formatted(port, state.resolve("redis")));
    String process = text("redis.pid");
    assertThat(bench.run("up")).isZero();
    assertThat(bench.output().strip())
        .isEqualTo(
            "Redis is running on 127.0.0.1:%d already; its data are in %s"
                .formatted(port, state.resolve("redis")));
    assertThat(text("redis.pid")).isEqualTo(process);
    try (Jedis jedis = new Jedis("127.0.0.1", port)) {
      assertThat(jedis.configGet("hash-max-ziplist-value")).contains("1024");
      assertThat(jedis.configGet("bind")).contains("127.0.0.1");
    }
  }

  @Test
  void theDataStayOverDownAndUp() {
    assertThat(bench.run("up")).isZero();
    try (Jedis jedis = new Jedis("127.0.0.1", port)) {
      jedis.hset("tarn:view:v1:0", "1", "row");
    }
    bench.output();
    assertThat(bench.run("down")).isZero();
    assertThat(bench.output().strip()).isEqualTo("Redis is stopped; its data stay");
    assertThat(bench.run("up")).isZero();
    try (Jedis jedis = new Jedis("127.0.0.1", port)) {
      assertThat(jedis.hget("tarn:view:v1:0", "1")).isEqualTo("row");
    }
  }

  @Test
  void downWhereNothingRunsIsNoFailure() {
    assertThat(bench.run("down")).isZero();
    assertThat(bench.output().strip()).isEqualTo("no local Redis was running");
    assertThat(bench.run("up")).isZero();
    assertThat(bench.run("down")).isZero();
    bench.output();
    assertThat(bench.run("down")).isZero();
    assertThat(bench.output().strip()).isEqualTo("no local Redis was running");
  }

  @Test
  void aPortThatSomethingElseHasIsRefused() throws IOException {
    try (ServerSocket other = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      assertThat(other.isBound()).isTrue();
      assertThat(bench.run("up")).isEqualTo(1);
      assertThat(bench.output().strip())
          .isEqualTo(
              "tarn: port %d is in use by something else: stop it, or choose another with redis.port=…"
                  .formatted(port));
      assertThat(state.resolve("redis").resolve("redis.pid")).doesNotExist();
    }
  }

  @Test
  void upOnAnotherPortNamesThePortThatItRunsOn() {
    assertThat(bench.run("up")).isZero();
    bench.output();
    bench.set("redis.port", Integer.toString(Workbench.freePort()));
    assertThat(bench.run("up")).isEqualTo(1);
    assertThat(bench.output().strip())
        .isEqualTo(
            "tarn: the local Redis runs on port %d: use redis.port=%d, or stop it with ./tarn down"
                .formatted(port, port));
  }

  @Test
  void aProcessIdOfAnotherProcessIsNotTakenForRedis() throws IOException {
    Files.createDirectories(state.resolve("redis"));
    Files.writeString(
        state.resolve("redis").resolve("redis.pid"),
        ProcessHandle.current().pid() + " 2020-01-01T00:00:00Z");
    assertThat(bench.run("down")).isZero();
    assertThat(bench.output().strip()).isEqualTo("no local Redis was running");
    assertThat(ProcessHandle.current().isAlive()).isTrue();
  }

  @Test
  void onlyThisMachinesRedisIsStarted() {
    bench.set("redis.host", "redis.example.com");
    assertThat(bench.run("up")).isEqualTo(1);
    assertThat(bench.output().strip())
        .isEqualTo(
            "tarn: redis.host is redis.example.com: ./tarn up starts a Redis on this machine only");
    bench.set("redis.host", "127.0.0.1");
  }

  @Test
  void aPasswordIsAsked() {
    bench.set("redis.password", "secret");
    assertThat(bench.run("up")).isZero();
    assertThat(bench.run("versions")).isZero();
    bench.set("redis.password", "");
    assertThat(bench.run("versions")).isEqualTo(1);
    assertThat(bench.output()).contains("NOAUTH");
  }

  private String text(String file) {
    try {
      return Files.readString(state.resolve("redis").resolve(file));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
