package dev.tarn.serving.redis;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * All rows that one request reads, in one round trip: the HGETs go out together, and one future
 * completes with the last answer. One thread adds the rows, then sends the batch once.
 */
public final class RowBatch {

  private static final byte[] HGET = "HGET".getBytes(StandardCharsets.US_ASCII);

  private final byte[][] rows;
  private final List<Hget> commands;
  private final AtomicInteger awaited;
  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /**
   * Creates a batch that fills some or all of {@code rows}.
   *
   * @param count the number of rows that will be added, at least one
   */
  public RowBatch(byte[][] rows, int count) {
    this.rows = rows;
    commands = new ArrayList<>(count);
    awaited = new AtomicInteger(count);
  }

  /**
   * Adds a row to read.
   *
   * @param index the row's index in the array that this batch fills
   */
  public void add(int index, byte[] bucket, byte[] entityId) {
    commands.add(new Hget(index, bucket, entityId));
  }

  void sendTo(Nodes nodes) {
    nodes.send(commands);
  }

  /**
   * Completes when all added rows are there, null where the bucket has no such entity. It fails as
   * a whole if one answer is an error or does not come.
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
