package dev.tarn.etl.local;

import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisSettings;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;
import redis.embedded.core.ExecutableProvider;

/**
 * Starts the Redis of the embedded-redis package as a process on this machine, with its append-only
 * file in a folder, so that its data outlive it.
 */
public final class RedisProcess {

  private RedisProcess() {}

  /** Starts Redis; {@link #awaitAnswer} waits until it is ready. */
  public static Process start(RedisSettings redis, Path folder) throws IOException {
    Files.createDirectories(folder.resolve("bin"));
    File executable =
        ExecutableProvider.newJarResourceProvider(folder.resolve("bin").toFile()).get();
    return new ProcessBuilder(command(executable, redis, folder))
        .directory(folder.toFile())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  /**
   * Waits until Redis answers: a large append-only file takes a while to load, and Redis says so
   * until then.
   *
   * @throws TarnException if it does not within a minute, or ends
   */
  public static void awaitAnswer(RedisSettings redis, BooleanSupplier isAlive, Path folder) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    Optional<JedisException> failure = Optional.empty();
    while (System.nanoTime() < deadline && isAlive.getAsBoolean()) {
      try (Jedis jedis = new Jedis("127.0.0.1", redis.port())) {
        if (!redis.password().isEmpty()) {
          jedis.auth(redis.password());
        }
        jedis.ping();
        return;
      } catch (JedisException e) {
        failure = Optional.of(e);
      }
      try {
        TimeUnit.MILLISECONDS.sleep(50);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    throw new TarnException(
        "Redis did not come up on %s%s; see %s"
            .formatted(
                redis.address(),
                failure.map(e -> " (" + e.getMessage() + ")").orElse(""),
                folder.resolve("redis.log")));
  }

  private static List<String> command(File executable, RedisSettings redis, Path folder) {
    List<String> command =
        new java.util.ArrayList<>(
            List.of(
                executable.getAbsolutePath(),
                "--port",
                Integer.toString(redis.port()),
                "--bind",
                "127.0.0.1",
                "--dir",
                folder.toString(),
                "--logfile",
                folder.resolve("redis.log").toString(),
                "--appendonly",
                "yes",
                // Rows up to this size keep a bucket in its compact form.
                "--hash-max-ziplist-value",
                "1024"));
    if (!redis.password().isEmpty()) {
      command.addAll(List.of("--requirepass", redis.password()));
    }
    return command;
  }
}
