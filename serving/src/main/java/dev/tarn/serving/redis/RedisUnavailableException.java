package dev.tarn.serving.redis;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/**
 * Says that Redis can't be asked now; a later try may succeed. The message says where Redis is,
 * what is wrong and what to do.
 */
public final class RedisUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  private RedisUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The text that Netty's native transport puts before the system's error message. */
  private static final Pattern NATIVE_CALL =
      Pattern.compile("^\\w+\\(\\.\\.\\) failed with error\\(-\\d+\\): ");

  static RedisUnavailableException sentinel(RedisSettings redis) {
    return new RedisUnavailableException(
        "%s is a Redis Sentinel, which holds no data: set redis.host and redis.port to an address"
                .formatted(redis.address())
            + " that always leads to the master (SENTINEL GET-MASTER-ADDR-BY-NAME says which it is"
            + " now); docs/redis.md has more",
        null);
  }

  static RedisUnavailableException of(RedisSettings redis, Throwable failure) {
    Throwable root = failure;
    Optional<ClusterNodeException> node = Optional.empty();
    boolean isTls = false;
    while (root.getCause() != null && !(root instanceof RedisCommandExecutionException)) {
      root = root.getCause();
      if (root instanceof ClusterNodeException found) {
        node = Optional.of(found);
      }
      isTls |= root instanceof SSLException;
    }
    String why =
        root.getMessage() == null
            ? root.getClass().getSimpleName()
            : NATIVE_CALL.matcher(root.getMessage()).replaceFirst("");
    if (root instanceof RedisCommandExecutionException) {
      return new RedisUnavailableException(refusal(redis, why), failure);
    }
    if (isTls) {
      return new RedisUnavailableException(
          "no TLS with Redis at %s (%s): redis.tls-ca names a PEM file with the certificates to"
                  .formatted(redis.address(), why)
              + " trust, redis.host has to be a name in the server's certificate, and redis.tls ="
              + " false is for a Redis without TLS",
          failure);
    }
    if (root instanceof TimeoutException) {
      why = "no answer within %d ms".formatted(redis.timeout().toMillis());
    } else if (root.getClass() == RedisException.class) {
      // Lettuce's own message is about its queues.
      why = "connection lost";
    }
    if (node.isPresent()) {
      String problem = node.get().getMessage();
      return new RedisUnavailableException(
          "Redis Cluster at %s: %s: lookups go on when it is back or a replica took over; redis-cli"
                  .formatted(
                      redis.address(),
                      root == node.get() ? problem : "%s (%s)".formatted(problem, why))
              + " cluster nodes shows the state",
          failure);
    }
    return new RedisUnavailableException(
        "Redis at %s does not answer (%s): start it with ./tarn up, or set redis.host and redis.port%s"
            .formatted(
                redis.address(),
                why,
                // A server without TLS does not answer a TLS handshake: it waits for more bytes.
                redis.tls() ? "; redis.tls = false is for a Redis without TLS" : ""),
        failure);
  }

  /** Explains an error that Redis answered. */
  private static String refusal(RedisSettings redis, String why) {
    if (why.startsWith("NOAUTH") || why.startsWith("WRONGPASS") || why.startsWith("ERR AUTH")) {
      return redis.user().isEmpty()
          ? "Redis at %s refuses the password (%s): set TARN_REDIS_PASSWORD"
              .formatted(redis.address(), why)
          : "Redis at %s refuses the user '%s' or its password (%s): set redis.user and TARN_REDIS_PASSWORD"
              .formatted(redis.address(), redis.user(), why);
    }
    if (why.startsWith("NOPERM")) {
      return "Redis at %s does not permit what serving needs to %s (%s): docs/redis.md has the permissions to grant"
          .formatted(
              redis.address(),
              redis.user().isEmpty()
                  ? "the default user (redis.user is empty)"
                  : "redis.user = '%s'".formatted(redis.user()),
              why);
    }
    if (why.contains("SELECT is not allowed in cluster mode")) {
      return "Redis at %s is a cluster, which has database 0 alone, and redis.database = %d: set it to 0, and redis.namespace to keep several Tarns apart"
          .formatted(redis.address(), redis.database());
    }
    return "Redis at %s answers '%s'".formatted(redis.address(), why);
  }
}
