package dev.tarn.serving.redis;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * All rows that one request reads, as one round trip: its HGETs go out together and one future
 * completes with the last answer. Filled by one thread, then sent once.
 */
public final class RowBatch {

  private static final byte[] HGET = "HGET".getBytes(StandardCharsets.US_ASCII);

  private final byte[][] rows;
  private final List<Hget> commands;
  private final AtomicInteger awaited;
  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /**
   * A batch that fills {@code rows}, or some of them.
   *
   * @param count how many will be added, one at least
   */
  public RowBatch(byte[][] rows, int count) {
    this.rows = rows;
    commands = new ArrayList<>(count);
    awaited = new AtomicInteger(count);
  }

  /** Adds a row, by its index: a field of a bucket. */
  public void add(int index, byte[] bucket, byte[] entityId) {
    commands.add(new Hget(index, bucket, entityId));
  }

  void sendTo(Nodes nodes) {
    nodes.send(commands);
  }

  /**
   * Completes when all rows that were added are there, null where the bucket has no such entity;
   * fails as a whole if one answer is an error or does not come.
   */
  CompletableFuture<Void> filled() {
    return future;
  }

  private final class Hget extends KeyedCommand {

    private final int index;

    Hget(int index, byte[] bucket, byte[] entityId) {
      super(HGET, bucket, entityId);
      this.index = index;
    }

    @Override
    void answered(Object row) {
      rows[index] = (byte[]) row;
      if (awaited.decrementAndGet() == 0) {
        future.complete(null);
      }
    }

    @Override
    void failed(Throwable failure) {
      future.completeExceptionally(failure);
    }
  }
}
