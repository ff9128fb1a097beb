package dev.tarn.serving.redis;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.api.StatefulConnection;
import io.netty.util.Timeout;
import io.netty.util.Timer;
import io.netty.util.TimerTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;

/**
 * A connection to Redis, with a second one for the notices of releases. {@link #hashes} and {@link
 * #field} block; {@link #fill} does not.
 */
public final class RedisConnection implements AutoCloseable {

  private final RedisSettings settings;
  private final Nodes nodes;
  private final StatefulConnection<String, String> notices;
  private final Timer timer;

  /** Stands for this connection, so that a cache's keys do not keep the connection in memory. */
  private final Object identity = new Object();

  RedisConnection(
      RedisSettings settings,
      Nodes nodes,
      StatefulConnection<String, String> notices,
      Timer timer) {
    this.settings = settings;
    this.nodes = nodes;
    this.notices = notices;
    this.timer = timer;
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
   * RedisUnavailableException} if the connection is lost, or after {@code redis.timeout} without
   * any answer over it; and with what the batch's memory throws.
   *
   * <p>While Redis answers the lookups before this one, this one waits: Redis is there, and much
   * was asked of it.
   */
  public CompletableFuture<Void> fill(RowBatch batch) {
    CompletableFuture<Void> filled = batch.filled();
    Patience patience = new Patience(filled);
    patience.begin(batch.sendTo(nodes));
    return filled
        .whenComplete((done, failure) -> patience.end())
        .exceptionallyCompose(
            e -> CompletableFuture.failedFuture(batch.isRefused() ? e : failure(e)));
  }

  /** Fails a batch once no answer has come for {@code redis.timeout}. */
  private final class Patience implements TimerTask {

    private final CompletableFuture<Void> filled;
    private LongSupplier answers;
    private volatile long seen;
    private volatile Timeout next;

    Patience(CompletableFuture<Void> filled) {
      this.filled = filled;
    }

    void begin(LongSupplier answersOfConnection) {
      answers = answersOfConnection;
      await();
    }

    // CompletableFuture.orTimeout would wake a thread for nearly every lookup.
    private void await() {
      seen = answers.getAsLong();
      next = timer.newTimeout(this, settings.timeout().toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void run(Timeout now) {
      if (filled.isDone()) {
        return;
      }
      if (answers.getAsLong() == seen) {
        filled.completeExceptionally(new TimeoutException());
      } else {
        await();
      }
    }

    void end() {
      next.cancel();
    }
  }

  @Override
  public void close() {
    nodes.close();
    notices.close();
  }

  private <T> T await(ControlRead<T> read) throws RedisUnavailableException {
    try {
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
