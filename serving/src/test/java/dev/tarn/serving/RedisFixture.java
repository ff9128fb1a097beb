package dev.tarn.serving;

import dev.tarn.redis.FreePort;
import dev.tarn.redis.RedisExecutable;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import redis.embedded.RedisServer;
import redis.embedded.core.RedisServerBuilder;

/** A real Redis on a free port of the loopback interface; each test has a namespace of its own. */
public final class RedisFixture implements AutoCloseable {

  private static final AtomicInteger NAMESPACES = new AtomicInteger();
  private static final RedisFixture SHARED = start();

  private final int port;
  private final List<String> settings;
  private RedisServer server;
  private long suspended;

  private RedisFixture(int port, List<String> settings) {
    this.port = port;
    this.settings = settings;
    restart();
  }

  /** Returns the Redis of this JVM, for tests that leave it running. It ends with the JVM. */
  public static RedisFixture shared() {
    return SHARED;
  }

  /** Starts a Redis for a test that stops it. */
  public static RedisFixture start(String... settings) {
    return new RedisFixture(freePort(), List.of(settings));
  }

  public static int freePort() {
    return FreePort.find();
  }

  /** Returns settings to reach it, with a namespace that nobody has used before. */
  public RedisSettings settings() {
    return settings(Duration.ofSeconds(2), "", 0);
  }

  public RedisSettings settings(Duration timeout, String password, int database) {
    return new RedisSettings(
        "127.0.0.1", port, database, "", password, false, "", timeout, unusedKeys());
  }

  /** Returns settings to reach any Redis of this machine, with an unused namespace. */
  public static RedisSettings settings(int port, Duration timeout) {
    return new RedisSettings("127.0.0.1", port, 0, "", "", false, "", timeout, unusedKeys());
  }

  /** Returns settings of the same Redis and namespace, with another timeout. */
  public static RedisSettings with(RedisSettings settings, Duration timeout) {
    return new RedisSettings(
        settings.host(),
        settings.port(),
        settings.database(),
        settings.user(),
        settings.password(),
        settings.tls(),
        settings.tlsCa(),
        timeout,
        settings.keys());
  }

  public static String namespace(RedisSettings settings) {
    return settings.keys().sequence().replaceAll("[{}]|:.*", "");
  }

  private static RedisKeys unusedKeys() {
    return new RedisKeys("test-" + NAMESPACES.incrementAndGet());
  }

  /** Starts Redis again, empty, on the same port as before. */
  public void restart() {
    try {
      RedisServerBuilder builder = RedisExecutable.newServer(port);
      settings.forEach(builder::setting);
      server = builder.build();
      server.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public void stop() {
    try {
      server.stop();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Suspends Redis until {@link #resume}: connections stay, and nothing is answered. */
  public void suspend() {
    suspended = askPid();
    signal("STOP");
  }

  public void resume() {
    signal("CONT");
    suspended = 0;
  }

  /** Kills Redis while it is suspended. */
  public void killSuspended() {
    signal("KILL");
    suspended = 0;
  }

  @Override
  public void close() {
    if (suspended != 0) {
      resume();
    }
    stop();
  }

  private void signal(String name) {
    try {
      int status =
          new ProcessBuilder("kill", "-" + name, Long.toString(suspended))
              .inheritIO()
              .start()
              .waitFor();
      if (status != 0) {
        throw new IllegalStateException("kill -%s %d: %d".formatted(name, suspended, status));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private long askPid() {
    RedisClient client = RedisClient.create("redis://127.0.0.1:" + port);
    try {
      return client
          .connect()
          .sync()
          .info("server")
          .lines()
          .filter(line -> line.startsWith("process_id:"))
          .map(line -> Long.parseLong(line.substring("process_id:".length())))
          .findFirst()
          .orElseThrow();
    } finally {
      client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    }
  }

  /** Returns the address for a client that pushes. */
  public static RedisURI uri(RedisSettings settings) {
    RedisURI.Builder uri =
        RedisURI.builder()
            .withHost(settings.host())
            .withPort(settings.port())
            .withDatabase(settings.database());
    if (!settings.user().isEmpty()) {
      uri.withAuthentication(settings.user(), settings.password().toCharArray());
    } else if (!settings.password().isEmpty()) {
      uri.withPassword(settings.password().toCharArray());
    }
    return uri.build();
  }

  public static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
