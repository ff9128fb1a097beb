package dev.tarn.serving.redis;

import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandType;
import io.netty.channel.EventLoop;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Asks a connection of Lettuce's, which does not tell, on which thread it reads and writes. {@link
 * RedisWire} answers it; it never gets to Redis.
 */
final class ThreadQuestion extends Command<byte[], byte[], Void> {

  private final CompletableFuture<EventLoop> answer = new CompletableFuture<>();

  ThreadQuestion() {
    super(CommandType.ECHO, null);
  }

  /**
   * The thread of a connection.
   *
   * @throws RedisException if the connection takes no commands: was it made a moment ago, it may
   *     take them soon, see {@link RedisConnector#first}
   */
  static EventLoop ask(StatefulRedisConnection<byte[], byte[]> connection) {
    ThreadQuestion question = new ThreadQuestion();
    var unused = connection.dispatch(question);
    try {
      return question.answer.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RedisException refused
          ? refused
          : new RedisConnectionException("connection lost", e);
    } catch (CancellationException e) {
      throw new RedisConnectionException("connection lost", e);
    }
  }

  CompletableFuture<EventLoop> answer() {
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
