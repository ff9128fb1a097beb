package dev.tarn.serving.redis;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntPredicate;
import java.util.function.LongBinaryOperator;

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
  private final LongBinaryOperator memory;
  private final IntPredicate sample;

  /**
   * The rows that are still awaited, times {@link #ONE_ROW}, and the bytes of the others. They are
   * in one number so that each answer takes one step.
   */
  private final AtomicLong awaitedAndBytes;

  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /** The bytes for which there is memory. */
  private volatile long granted;

  /** What the memory said when there was none. */
  private volatile Optional<RuntimeException> refusal = Optional.empty();

  private long bytesAtRefusal;

  /** The bytes of a refused batch's sample that may still be kept. */
  private long room;

  /** Whether memory was asked for the sample. */
  private boolean isRoomAsked;

  /** Whether all rows are there; guarded by this object, as is whatever drops rows. */
  private boolean isFilled;

  /**
   * Creates a batch that fills some or all of {@code rows}.
   *
   * @param count the number of rows that will be added, at least one
   * @param granted the bytes of rows for which memory is taken already
   * @param memory takes memory for more bytes, at least the first argument and rather the second,
   *     and returns how many; or throws
   * @param sample the indexes of the rows of which a batch without memory keeps a few. It drops the
   *     others, and goes on to count the bytes of all
   */
  public RowBatch(
      byte[][] rows, int count, long granted, LongBinaryOperator memory, IntPredicate sample) {
    this.rows = rows;
    this.granted = granted;
    this.memory = memory;
    this.sample = sample;
    // A little is not worth asking for.
    room = Math.max(granted, LEAST_GRANT);
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
  void sendTo(Nodes nodes) {
    nodes.send(commands);
  }

  /** Returns the bytes of the rows that have come, also of those that are dropped. */
  public long bytes() {
    return awaitedAndBytes.get() & (ONE_ROW - 1);
  }

  /**
   * Returns what the memory threw, if there was none for the rows; some of them are dropped then.
   */
  public Optional<RuntimeException> refusal() {
    return refusal;
  }

  /** Returns the bytes of the rows that came after those for which there was no memory. */
  public long bytesAfterRefusal() {
    return bytes() - bytesAtRefusal;
  }

  /**
   * Completes when all added rows have come, null where the bucket has no such entity. It fails as
   * a whole if one answer is an error or does not come.
   */
  CompletableFuture<Void> filled() {
    return future;
  }

  /** Takes memory for these bytes and some more; drops rows if there is none. */
  private synchronized void grow(long bytes) {
    // A batch that is filled is in use. In a cluster, two threads may come here at its end.
    if (bytes <= granted || refusal.isPresent() || isFilled) {
      return;
    }
    long least = bytes - granted;
    try {
      granted += memory.applyAsLong(least, least + Math.max(bytes / 8, LEAST_GRANT));
    } catch (RuntimeException e) {
      bytesAtRefusal = bytes;
      refusal = Optional.of(e);
      commands.forEach(command -> dropOrKeep(command.index));
    }
  }

  private synchronized void dropOrKeep(int index) {
    byte[] row = rows[index];
    if (row == null || isFilled) {
      return;
    }
    if (sample.test(index) && hasRoom(row.length)) {
      room -= row.length;
    } else {
      rows[index] = null;
    }
  }

  private boolean hasRoom(int bytes) {
    if (bytes > room && !isRoomAsked) {
      isRoomAsked = true;
      try {
        room += memory.applyAsLong(bytes, Math.max(bytes, LEAST_GRANT));
      } catch (RuntimeException e) {
        // There is still none, and the batch is refused already.
        return false;
      }
    }
    return bytes <= room;
  }

  private synchronized void fill() {
    isFilled = true;
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
      boolean isRefused = refusal.isPresent();
      if (isRefused) {
        dropOrKeep(index);
      }
      // Only now: the last answer, perhaps of another node, completes the batch.
      long now = awaitedAndBytes.addAndGet((row == null ? 0 : row.length) - ONE_ROW);
      long bytes = now & (ONE_ROW - 1);
      if (bytes > granted && !isRefused) {
        grow(bytes);
      }
      if (now == bytes) {
        fill();
        future.complete(null);
      }
    }

    @Override
    void failed(Throwable failure) {
      future.completeExceptionally(failure);
    }
  }
}
