package dev.tarn.bench.faults;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.local.LocalProcess;
import dev.tarn.etl.local.RedisProcess;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.Jedis;

/** A Redis that can be killed, started again with its append-only file, and filled up. */
final class FaultsRedis implements AutoCloseable {

  private final RedisSettings settings;
  private final Path folder;
  private Process process;

  private FaultsRedis(RedisSettings settings, Path folder) {
    this.settings = settings;
    this.folder = folder;
  }

  static FaultsRedis start(RedisSettings settings, Path folder) throws IOException {
    FaultsRedis redis = new FaultsRedis(settings, folder);
    redis.start();
    return redis;
  }

  /** Ends a Redis that an earlier run could not end. */
  static void endLeftOver(Path folder) {
    new LocalProcess(folder.resolve("redis.pid")).stop();
  }

  Jedis connect() {
    return new Jedis(settings.host(), settings.port(), 10_000);
  }

  void start() throws IOException {
    process = RedisProcess.start(settings, folder);
    new LocalProcess(folder.resolve("redis.pid")).remember(process.toHandle());
    RedisProcess.awaitAnswer(settings, process::isAlive, folder);
  }

  /** Sends SIGKILL, and waits until the process is gone. */
  void kill() {
    process.destroyForcibly();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        throw new TarnException("Redis, process %d, can't be killed".formatted(process.pid()));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Lets Redis take this many bytes more and no others. */
  void limit(long bytes) {
    try (Jedis jedis = connect()) {
      long used =
          jedis
              .info("memory")
              .lines()
              .filter(line -> line.startsWith("used_memory:"))
              .mapToLong(line -> Long.parseLong(line.substring("used_memory:".length())))
              .findFirst()
              .orElseThrow();
      jedis.configSet("maxmemory", String.format(Locale.ROOT, "%d", used + bytes));
    }
  }

  void unlimit() {
    try (Jedis jedis = connect()) {
      jedis.configSet("maxmemory", "0");
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
