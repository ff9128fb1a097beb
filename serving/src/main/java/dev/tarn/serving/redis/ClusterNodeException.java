package dev.tarn.serving.redis;

import io.lettuce.core.RedisException;

/** A part of a cluster can't be asked: the message says which, the cause, if any, why. */
final class ClusterNodeException extends RedisException {
  private static final long serialVersionUID = 1L;

  ClusterNodeException(String message, Throwable cause) {
    super(message, cause);
  }
}
