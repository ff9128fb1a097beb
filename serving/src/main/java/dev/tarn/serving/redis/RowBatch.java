package dev.tarn.serving.redis;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * All rows that one request reads, in one round trip: the HGETs go out together, and one future
 * completes with the last answer. One thread adds the rows, then sends the batch once.
 */
public final class RowBatch {

  private static final byte[] HGET = "HGET".getBytes(StandardCharsets.US_ASCII);

  /** One row, in the sum of rows that are awaited and bytes that have come. */
  private static final long ONE_ROW = 1L << 40;

  private static final int LEAST_GRANT = 65_536;

  private final byte[][] rows;
  private final List<Hget> commands;
  private final LongConsumer memory;

  /**
   * The rows that are still awaited, times {@link #ONE_ROW}, and the bytes of the others. They are
   * in one number so that each answer takes one step.
   */
  private final AtomicLong awaitedAndBytes;

  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /** The bytes for which there is memory. */
  private volatile long granted;

  private volatile boolean isRefused;

  /**
   * Creates a batch that fills some or all of {@code rows}.
   *
   * @param count the number of rows that will be added, at least one
   * @param granted the bytes of rows for which memory is taken already
   * @param memory takes memory for more bytes, or throws; then the batch fails with that, and drops
   *     the rows that are still to come
   */
  public RowBatch(byte[][] rows, int count, long granted, LongConsumer memory) {
    this.rows = rows;
    this.granted = granted;
    this.memory = memory;
    commands = new ArrayList<>(count);
    awaitedAndBytes = new AtomicLong(count * ONE_ROW);
  }

  /**
   * Adds a row to read.
   *
   * @param index the row's index in the array that this batch fills
   */
  public void add(int index, byte[] bucket, byte[] entityId) {
    commands.add(new Hget(index, bucket, entityId));
  }

  /** Sends the batch; see {@link Nodes#send}. */
  LongSupplier sendTo(Nodes nodes) {
    return nodes.send(commands);
  }

  /** Returns the bytes of the rows that have come. */
  public long bytes() {
    return awaitedAndBytes.get() & (ONE_ROW - 1);
  }

  /** Returns whether there was no memory for the rows. */
  boolean isRefused() {
    return isRefused;
  }

  /**
   * Completes when all added rows are there, null where the bucket has no such entity. It fails as
   * a whole if one answer is an error or does not come.
   */
  CompletableFuture<Void> filled() {
    return future;
  }

  /** Takes memory for these bytes and some more; returns false if there is none. */
  private synchronized boolean grant(long bytes) {
    if (isRefused) {
      return false;
    }
    try {
      if (bytes > granted) {
        long next = bytes + Math.max(bytes / 8, LEAST_GRANT);
        memory.accept(next - granted);
        granted = next;
      }
      return true;
    } catch (RuntimeException e) {
      isRefused = true;
      future.completeExceptionally(e);
      // The commands that are still to be answered hold on to the array.
      Arrays.fill(rows, null);
      return false;
    }
  }

  private final class Hget extends KeyedCommand {

    private final int index;

    Hget(int index, byte[] bucket, byte[] entityId) {
      super(HGET, bucket, entityId);
      this.index = index;
    }

    @Override
    void answered(Object answer) {
      if (future.isDone()) {
        // It has failed, and nobody takes the rows.
        return;
      }
      byte[] row = (byte[]) answer;
      rows[index] = row;
      // Only now: the last answer, perhaps of another node, completes the batch.
      long now = awaitedAndBytes.addAndGet((row == null ? 0 : row.length) - ONE_ROW);
      long bytes = now & (ONE_ROW - 1);
      if ((bytes <= granted || grant(bytes)) && now == bytes) {
        future.complete(null);
      }
    }

    @Override
    void failed(Throwable failure) {
      future.completeExceptionally(failure);
    }
  }
}
