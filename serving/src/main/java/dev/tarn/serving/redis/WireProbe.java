package dev.tarn.serving.redis;

import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandType;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Finds the thread of a Lettuce connection, which Lettuce does not expose. It passes as a command
 * that the {@link RedisWire} answers; it never gets to Redis.
 */
final class WireProbe extends Command<byte[], byte[], Void> {

  private final CompletableFuture<EventExecutor> answer = new CompletableFuture<>();

  WireProbe() {
    super(CommandType.ECHO, null);
  }

  /**
   * Returns the thread that reads and writes a connection.
   *
   * @throws RedisException if the connection accepts no commands; a new one may accept them soon,
   *     see {@link RedisConnector#first}
   */
  static EventExecutor threadOf(StatefulRedisConnection<byte[], byte[]> connection) {
    WireProbe probe = new WireProbe();
    var unused = connection.dispatch(probe);
    try {
      return probe.answer.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RedisException refused
          ? refused
          : new RedisConnectionException("connection lost", e);
    } catch (CancellationException e) {
      throw new RedisConnectionException("connection lost", e);
    }
  }

  CompletableFuture<EventExecutor> answer() {
    return answer;
  }

  @Override
  public boolean completeExceptionally(Throwable failure) {
    answer.completeExceptionally(failure);
    return super.completeExceptionally(failure);
  }

  @Override
  public void cancel() {
    answer.cancel(false);
    super.cancel();
  }
}
