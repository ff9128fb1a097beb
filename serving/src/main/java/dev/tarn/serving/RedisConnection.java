package dev.tarn.serving;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.api.StatefulConnection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * An open connection to Redis, with a second one for the notices of releases. {@link #hash} and
 * {@link #field} block; {@link #fill} does not.
 */
final class RedisConnection implements AutoCloseable {

  private final RedisSettings settings;
  private final Nodes nodes;
  private final StatefulConnection<String, String> notices;

  /** Not the connection itself, so that who keeps it keeps nothing alive. */
  private final Object identity = new Object();

  RedisConnection(RedisSettings settings, Nodes nodes, StatefulConnection<String, String> notices) {
    this.settings = settings;
    this.nodes = nodes;
    this.notices = notices;
  }

  boolean isOpen() {
    return nodes.isOpen() && notices.isOpen();
  }

  /** How many connections are open: for rows, one to each node, and for notices. */
  int connections() {
    return nodes.connections() + (notices.isOpen() ? 1 : 0);
  }

  /** Stands for this connection and for no other, before or after it. */
  Object identity() {
    return identity;
  }

  /** All fields of a hash of text; none if there is no such key. */
  Map<String, String> hash(String key) throws RedisUnavailableException {
    return await(ControlRead.hash(key));
  }

  /** One field of a hash of text. */
  Optional<String> field(String key, String field) throws RedisUnavailableException {
    return await(ControlRead.field(key, field));
  }

  /**
   * Sends a batch and completes when it is filled. Fails with a {@link RedisUnavailableException}
   * if the connection is lost, or after {@code redis.timeout}.
   */
  CompletableFuture<Void> fill(RowBatch batch) {
    batch.sendTo(nodes);
    return batch
        .filled()
        .orTimeout(settings.timeout().toMillis(), TimeUnit.MILLISECONDS)
        .exceptionallyCompose(e -> CompletableFuture.failedFuture(failure(e)));
  }

  @Override
  public void close() {
    nodes.close();
    notices.close();
  }

  private <T> T await(ControlRead<T> read) throws RedisUnavailableException {
    try {
      nodes.send(List.of(read));
      return read.answer().get(settings.timeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw RedisUnavailableException.of(settings, e);
    } catch (ExecutionException | TimeoutException e) {
      throw failure(e);
    }
  }

  private RedisUnavailableException failure(Throwable e) {
    nodes.failed();
    return RedisUnavailableException.of(settings, e);
  }
}
