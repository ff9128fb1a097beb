package dev.tarn.serving.redis;

import io.lettuce.core.RedisException;

/** Says which part of a cluster can't be asked; the cause, if there is one, says why. */
final class ClusterNodeException extends RedisException {
  private static final long serialVersionUID = 1L;

  ClusterNodeException(String message, Throwable cause) {
    super(message, cause);
  }
}
