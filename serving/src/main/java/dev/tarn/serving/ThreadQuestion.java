package dev.tarn.serving;

import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandType;
import io.netty.channel.EventLoop;
import java.util.concurrent.CompletableFuture;

/**
 * Asks a connection of Lettuce's, which does not tell, on which thread it reads and writes. {@link
 * RedisWire} answers it; it never gets to Redis.
 */
final class ThreadQuestion extends Command<byte[], byte[], Void> {

  private final CompletableFuture<EventLoop> answer = new CompletableFuture<>();

  ThreadQuestion() {
    super(CommandType.ECHO, null);
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
