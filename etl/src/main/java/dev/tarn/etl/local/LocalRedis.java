package dev.tarn.etl.local;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import redis.clients.jedis.Jedis;

/**
 * Runs the commands {@code up} and {@code down}: starts and stops a real Redis from the
 * embedded-redis package on this machine. Its append-only file is under {@code .tarn/redis}, so
 * that its data outlive it.
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
      RedisProcess.awaitAnswer(redis, () -> process.find().isPresent(), folder);
      console.say("Redis is running on %s already; its data are in %s", redis.address(), folder);
      return;
    }
    if (isTaken(redis)) {
      throw new TarnException(
          "port %d is in use by something else: stop it, or choose another with redis.port=…"
              .formatted(redis.port()));
    }
    try {
      Process started = RedisProcess.start(redis, folder);
      process.remember(started.toHandle());
      Files.writeString(portFile, Integer.toString(redis.port()));
    } catch (IOException e) {
      throw new TarnException("can't start Redis in %s: %s".formatted(folder, e.getMessage()), e);
    }
    RedisProcess.awaitAnswer(redis, () -> process.find().isPresent(), folder);
    console.say("Redis runs on %s; its data are in %s", redis.address(), folder);
  }

  /** Removes all keys of a namespace, which a demo has for itself. */
  public static void forget(Settings settings, String namespace) {
    RedisSettings redis = settings.read(RedisSettings::of);
    try (Jedis jedis = new Jedis("127.0.0.1", redis.port())) {
      if (!redis.password().isEmpty()) {
        jedis.auth(redis.password());
      }
      jedis.select(redis.database());
      for (String pattern : List.of("{" + namespace + "}:*", namespace + ":*")) {
        Set<String> keys = jedis.keys(pattern);
        if (!keys.isEmpty()) {
          jedis.unlink(keys.toArray(new String[0]));
        }
      }
    }
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

  /** The file with the process id of a server in the background. */
  public static Path serverPidFile(Settings settings) {
    return settings.state().resolve("serving.pid");
  }

  /**
   * Refuses another port than the running Redis has: up would wait for an answer on a port where
   * nobody listens.
   */
  private static void refuseOtherPort(RedisSettings redis, Path portFile) {
    try {
      String port = Files.readString(portFile).strip();
      if (!port.equals(Integer.toString(redis.port()))) {
        throw new TarnException(
            "the local Redis runs on port %s: use redis.port=%s, or stop it with ./tarn down"
                .formatted(port, port));
      }
    } catch (IOException e) {
      // Redis was only just started: it is on the port that is asked for, or does not answer.
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
}
