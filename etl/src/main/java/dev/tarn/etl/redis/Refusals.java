package dev.tarn.etl.redis;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisException;

/** Explains to the user why Redis can't be reached, or what it refuses. */
public final class Refusals {

  /** The beginnings of what Redis says of a user or a password that it does not let in. */
  private static final List<String> LOG_IN = List.of("NOAUTH", "WRONGPASS", "ERR AUTH");

  /** What sockets throw, apart from TLS, whose inner causes say more. */
  private static final List<Class<? extends IOException>> NETWORK =
      List.of(SocketException.class, SocketTimeoutException.class, UnknownHostException.class);

  private Refusals() {}

  /** The explanation of a failure that Redis caused; empty if it did not. */
  public static Optional<TarnException> explain(RedisSettings redis, Throwable failure) {
    return Causes.find(failure, JedisException.class).map(e -> explained(redis, e, failure));
  }

  /** Tells whether Redis refuses something because the user may not do it. */
  public static boolean isForbidden(Throwable failure) {
    String why = Causes.reason(failure);
    // The latter is the answer to a script.
    return why.contains("NOPERM") || why.contains("The user executing the script");
  }

  private static TarnException explained(RedisSettings redis, JedisException e, Throwable failure) {
    String why = Causes.reason(e);
    if (LOG_IN.stream().anyMatch(why::startsWith)) {
      return new TarnException(
          "can't use Redis at %s: it refuses %s (%s): set redis.user and TARN_REDIS_PASSWORD"
              .formatted(
                  redis.address(),
                  redis.user().isEmpty()
                      ? "the password"
                      : "the user '%s' or its password".formatted(redis.user()),
                  why),
          failure);
    }
    if (isForbidden(e)) {
      return new TarnException(
          "Redis at %s does not permit what this command needs to %s (%s): docs/redis.md has the permissions to grant"
              .formatted(redis.address(), user(redis), why),
          failure);
    }
    if (why.contains("SELECT is not allowed in cluster mode")) {
      return new TarnException(
          "Redis at %s is a cluster, which has database 0 alone, and redis.database = %d: set it to 0, and redis.namespace to keep several Tarns apart"
              .formatted(redis.address(), redis.database()),
          failure);
    }
    if (why.startsWith("OOM")) {
      return new TarnException(
          "Redis at %s is full (maxmemory): %s. Raise maxmemory, or keep fewer versions (push.keep)"
              .formatted(redis.address(), why),
          failure);
    }
    if (Causes.has(e, JedisConnectionException.class)) {
      return new TarnException(
          ("can't use Redis at %s (settings redis.host, redis.port): %s."
                  + " ./tarn up starts a local one")
              .formatted(redis.address(), trouble(e)),
          failure);
    }
    return new TarnException(
        "can't use Redis at %s: it answers '%s'".formatted(redis.address(), why), failure);
  }

  /** What the network said, without what Jedis says of its pool and its sockets. */
  private static String trouble(JedisException e) {
    return Causes.causes(e).stream()
        // What each address of a host said is not among the causes.
        .flatMap(cause -> Stream.concat(Stream.of(cause), Stream.of(cause.getSuppressed())))
        .filter(cause -> NETWORK.stream().anyMatch(kind -> kind.isInstance(cause)))
        .reduce((first, last) -> last)
        .map(Refusals::said)
        .orElseGet(() -> Causes.innermost(e).replaceFirst("\\.$", ""));
  }

  private static String said(Throwable network) {
    return network instanceof UnknownHostException
        ? "there is no host '%s'".formatted(network.getMessage().replaceFirst(":.*", ""))
        : String.valueOf(network.getMessage());
  }

  static String user(RedisSettings redis) {
    return redis.user().isEmpty()
        ? "the default user (redis.user is empty)"
        : "redis.user = '%s'".formatted(redis.user());
  }
}
