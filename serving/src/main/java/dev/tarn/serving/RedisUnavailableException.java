package dev.tarn.serving;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import java.util.concurrent.TimeoutException;

/**
 * Redis can't be asked now; a later try may succeed. The message says where it is, what is wrong
 * and what to do.
 */
final class RedisUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  private RedisUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }

  static RedisUnavailableException of(RedisSettings redis, Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && !(root instanceof RedisCommandExecutionException)) {
      root = root.getCause();
    }
    String why = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
    if (why.startsWith("NOAUTH") || why.startsWith("WRONGPASS") || why.startsWith("ERR AUTH")) {
      return new RedisUnavailableException(
          "Redis at %s refuses the password (%s): set TARN_REDIS_PASSWORD"
              .formatted(redis.address(), why),
          failure);
    }
    if (root instanceof RedisCommandExecutionException) {
      return new RedisUnavailableException(
          "Redis at %s answers '%s'".formatted(redis.address(), why), failure);
    }
    if (root instanceof TimeoutException) {
      why = "no answer within %d ms".formatted(redis.timeout().toMillis());
    } else if (root.getClass() == RedisException.class) {
      // Lettuce's words for it are about its own queues.
      why = "connection lost";
    }
    return new RedisUnavailableException(
        "Redis at %s does not answer (%s): start it with ./tarn up, or set redis.host and redis.port"
            .formatted(redis.address(), why),
        failure);
  }
}
