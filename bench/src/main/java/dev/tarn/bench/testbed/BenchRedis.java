package dev.tarn.bench.testbed;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.Jedis;
import redis.embedded.RedisServer;

/** A Redis for one benchmark, without persistence, on a free port of this machine. */
public final class BenchRedis implements AutoCloseable {

  private final RedisServer server;
  private final int port;

  private BenchRedis(RedisServer server, int port) {
    this.server = server;
    this.port = port;
  }

  public static BenchRedis start(Path folder) throws IOException {
    Files.createDirectories(folder);
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    RedisServer server =
        RedisServer.newRedisServer()
            .port(port)
            .bind("127.0.0.1")
            .setting("save \"\"")
            .setting("dir " + folder)
            .build();
    server.start();
    return new BenchRedis(server, port);
  }

  public int port() {
    return port;
  }

  public Jedis connect() {
    return new Jedis("127.0.0.1", port, 60_000);
  }

  public void flush() {
    try (Jedis jedis = connect()) {
      jedis.flushAll();
    }
  }

  public long usedMemory() {
    try (Jedis jedis = connect()) {
      Matcher matcher = Pattern.compile("used_memory:(\\d+)").matcher(jedis.info("memory"));
      return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }
  }

  /** Reads the processor time that Redis has used so far, in microseconds. */
  public double cpuMicros() {
    try (Jedis jedis = connect()) {
      return Pattern.compile("used_cpu_(?:sys|user):([0-9.]+)")
              .matcher(jedis.info("cpu"))
              .results()
              .mapToDouble(result -> Double.parseDouble(result.group(1)))
              .sum()
          * 1e6;
    }
  }

  @Override
  public void close() throws IOException {
    server.stop();
  }
}
