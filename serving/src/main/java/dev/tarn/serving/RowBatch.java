package dev.tarn.serving;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.ValueOutput;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * All rows that one request reads, as one round trip: its HGETs go out in one flush and one future
 * completes with the last answer. Filled by one thread, then sent once.
 */
final class RowBatch {

  private final byte[][] rows;
  private final List<Hget> commands;
  private final AtomicInteger awaited;
  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /** A batch that fills {@code rows}, one at least, with exactly as many. */
  RowBatch(byte[][] rows) {
    this.rows = rows;
    commands = new ArrayList<>(rows.length);
    awaited = new AtomicInteger(rows.length);
  }

  /** Adds the next row: a field of a bucket. */
  void add(byte[] bucket, byte[] entityId) {
    CommandArgs<byte[], byte[]> args = new CommandArgs<>(ByteArrayCodec.INSTANCE);
    commands.add(new Hget(commands.size(), args.add(bucket).add(entityId)));
  }

  /**
   * Sends the batch.
   *
   * @throws RedisException if the connection is lost
   */
  void sendOver(StatefulConnection<byte[], byte[]> connection) {
    var unused = connection.dispatch(commands);
  }

  /**
   * Completes when all rows are there, in the order in which they were added, null where the bucket
   * has no such entity; fails as a whole if one answer is an error or does not come.
   */
  CompletableFuture<Void> filled() {
    return future;
  }

  /** Tells the batch itself, where Lettuce's own AsyncCommand would be one more future a row. */
  private final class Hget extends Command<byte[], byte[], byte[]> {

    private final int index;

    Hget(int index, CommandArgs<byte[], byte[]> args) {
      super(CommandType.HGET, new ValueOutput<>(ByteArrayCodec.INSTANCE), args);
      this.index = index;
    }

    @Override
    public void complete() {
      super.complete();
      if (getOutput().hasError()) {
        future.completeExceptionally(new RedisCommandExecutionException(getOutput().getError()));
        return;
      }
      rows[index] = getOutput().get();
      if (awaited.decrementAndGet() == 0) {
        future.complete(null);
      }
    }

    @Override
    public boolean completeExceptionally(Throwable failure) {
      boolean isNew = super.completeExceptionally(failure);
      future.completeExceptionally(failure);
      return isNew;
    }

    @Override
    public void cancel() {
      super.cancel();
      future.completeExceptionally(new RedisException("connection lost"));
    }
  }
}
