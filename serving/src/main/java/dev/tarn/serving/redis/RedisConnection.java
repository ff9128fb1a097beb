package dev.tarn.serving.redis;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.api.StatefulConnection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A connection to Redis, with a second one for the notices of releases. {@link #hashes} and {@link
 * #field} block; {@link #fill} does not.
 */
public final class RedisConnection implements AutoCloseable {

  private final RedisSettings settings;
  private final Nodes nodes;
  private final StatefulConnection<String, String> notices;

  /** Stands for this connection, so that a cache's keys do not keep the connection in memory. */
  private final Object identity = new Object();

  RedisConnection(RedisSettings settings, Nodes nodes, StatefulConnection<String, String> notices) {
    this.settings = settings;
    this.nodes = nodes;
    this.notices = notices;
  }

  public boolean isOpen() {
    return nodes.isOpen() && notices.isOpen();
  }

  /** Returns the number of open connections: those for rows, and the one for notices. */
  public int connections() {
    return nodes.connections() + (notices.isOpen() ? 1 : 0);
  }

  /** Says what the user should change about Redis, as it was when this was connected. */
  public List<String> warnings() {
    return nodes.warnings();
  }

  /** Returns an object that stands for this connection and for no earlier or later one. */
  public Object identity() {
    return identity;
  }

  /**
   * Reads all fields of some hashes of texts, which must be in one slot; a missing hash has no
   * fields. The reads go out in one write, so no other client's command comes between them.
   */
  public List<Map<String, String>> hashes(List<String> keys) throws RedisUnavailableException {
    List<ControlRead<Map<String, String>>> reads = keys.stream().map(ControlRead::hash).toList();
    nodes.send(reads);
    List<Map<String, String>> hashes = new ArrayList<>();
    for (ControlRead<Map<String, String>> read : reads) {
      hashes.add(await(read));
    }
    return hashes;
  }

  /** Reads one field of a hash of texts. */
  public Optional<String> field(String key, String field) throws RedisUnavailableException {
    ControlRead<Optional<String>> read = ControlRead.field(key, field);
    nodes.send(List.of(read));
    return await(read);
  }

  /**
   * Sends a batch and completes when it is filled. The future fails with a {@link
   * RedisUnavailableException} if the connection is lost, or if nothing comes over it for {@code
   * redis.timeout}.
   */
  public CompletableFuture<Void> fill(RowBatch batch) {
    batch.sendTo(nodes);
    return batch.filled().exceptionallyCompose(e -> CompletableFuture.failedFuture(failure(e)));
  }

  @Override
  public void close() {
    nodes.close();
    notices.close();
  }

  private <T> T await(ControlRead<T> read) throws RedisUnavailableException {
    while (true) {
      try {
        return read.answer().get(settings.timeout().toMillis(), TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw RedisUnavailableException.of(settings, e);
      } catch (ExecutionException e) {
        throw failure(e);
      } catch (TimeoutException e) {
        // The wire fails what Redis does not answer. This is for what Lettuce lost with the
        // connection.
        if (!isOpen()) {
          throw failure(e);
        }
      }
    }
  }

  private RedisUnavailableException failure(Throwable e) {
    nodes.failed();
    return RedisUnavailableException.of(settings, e);
  }
}
