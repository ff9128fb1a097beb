package dev.tarn.etl.local;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Console;
import dev.tarn.redis.RedisSettings;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;
import redis.embedded.core.ExecutableProvider;

/**
 * The commands {@code up} and {@code down}: a real Redis from the embedded-redis package on this
 * machine, with its append-only file under {@code .tarn/redis}, so that its data outlive it.
 */
public final class LocalRedis {

  private LocalRedis() {}

  /** Starts Redis on {@code redis.port} of 127.0.0.1 unless it runs already. */
  public static void up(Settings settings, Console console) {
    RedisSettings redis = settings.read(RedisSettings::of);
    if (!redis.host().equals("127.0.0.1") && !redis.host().equals("localhost")) {
      throw new TarnException(
          "redis.host is %s: ./tarn up starts a Redis on this machine only"
              .formatted(redis.host()));
    }
    Path folder = settings.state().resolve("redis");
    LocalProcess process = new LocalProcess(folder.resolve("redis.pid"));
    Path portFile = folder.resolve("redis.port");
    if (process.find().isPresent()) {
      refuseOtherPort(redis, portFile);
      awaitAnswer(redis, process, folder);
      console.say("Redis is running on %s already; its data are in %s", redis.address(), folder);
      return;
    }
    if (isTaken(redis)) {
      throw new TarnException(
          "port %d is in use by something else: stop it, or choose another with redis.port=…"
              .formatted(redis.port()));
    }
    try {
      Files.createDirectories(folder.resolve("bin"));
      File executable =
          ExecutableProvider.newJarResourceProvider(folder.resolve("bin").toFile()).get();
      Process started =
          new ProcessBuilder(command(executable, redis, folder))
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      process.remember(started.toHandle());
      Files.writeString(portFile, Integer.toString(redis.port()));
    } catch (IOException e) {
      throw new TarnException("can't start Redis in %s: %s".formatted(folder, e.getMessage()), e);
    }
    awaitAnswer(redis, process, folder);
    console.say("Redis runs on %s; its data are in %s", redis.address(), folder);
  }

  /** Stops the Redis of {@link #up} and the server of the demo; their data stay. */
  public static void down(Settings settings, Console console) {
    if (new LocalProcess(serverPidFile(settings)).stop()) {
      console.say("the server is stopped");
    }
    boolean wasRunning =
        new LocalProcess(settings.state().resolve("redis").resolve("redis.pid")).stop();
    console.say(wasRunning ? "Redis is stopped; its data stay" : "no local Redis was running");
  }

  /** Where the process id of a server in the background is kept. */
  public static Path serverPidFile(Settings settings) {
    return settings.state().resolve("serving.pid");
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

  /** Else up would wait for an answer on a port where nobody listens. */
  private static void refuseOtherPort(RedisSettings redis, Path portFile) {
    try {
      String port = Files.readString(portFile).strip();
      if (!port.equals(Integer.toString(redis.port()))) {
        throw new TarnException(
            "the local Redis runs on port %s: use redis.port=%s, or stop it with ./tarn down"
                .formatted(port, port));
      }
    } catch (IOException e) {
      // It was only just started: then it is on the port that is asked for, or does not answer.
    }
  }

  private static boolean isTaken(RedisSettings redis) {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), redis.port()), 500);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** A large append-only file takes a while to load, and Redis says so until then. */
  private static void awaitAnswer(RedisSettings redis, LocalProcess process, Path folder) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    Optional<JedisException> failure = Optional.empty();
    while (System.nanoTime() < deadline && process.find().isPresent()) {
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
}
