package dev.tarn.serving;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * An open connection to Redis, with a second one for the notices of releases. {@link #hash} and
 * {@link #field} block; {@link #fill} does not.
 */
final class RedisConnection implements AutoCloseable {

  private final RedisSettings settings;
  private final StatefulRedisConnection<byte[], byte[]> commands;
  private final StatefulRedisPubSubConnection<String, String> notices;

  RedisConnection(
      RedisSettings settings,
      StatefulRedisConnection<byte[], byte[]> commands,
      StatefulRedisPubSubConnection<String, String> notices) {
    this.settings = settings;
    this.commands = commands;
    this.notices = notices;
  }

  boolean isOpen() {
    return commands.isOpen() && notices.isOpen();
  }

  /** All fields of a hash of text; none if there is no such key. */
  Map<String, String> hash(String key) throws RedisUnavailableException {
    return await(() -> commands.async().hgetall(utf8(key))).entrySet().stream()
        .collect(Collectors.toMap(entry -> text(entry.getKey()), entry -> text(entry.getValue())));
  }

  /** One field of a hash of text. */
  Optional<String> field(String key, String field) throws RedisUnavailableException {
    return Optional.ofNullable(await(() -> commands.async().hget(utf8(key), utf8(field))))
        .map(RedisConnection::text);
  }

  /**
   * Sends a batch, in one flush, and completes when it is filled. Fails with a {@link
   * RedisUnavailableException} if the connection is lost, or after {@code redis.timeout}.
   */
  CompletableFuture<Void> fill(RowBatch batch) {
    try {
      batch.sendOver(commands);
    } catch (RedisException e) {
      return CompletableFuture.failedFuture(RedisUnavailableException.of(settings, e));
    }
    return batch
        .filled()
        .orTimeout(settings.timeout().toMillis(), TimeUnit.MILLISECONDS)
        .exceptionallyCompose(
            e -> CompletableFuture.failedFuture(RedisUnavailableException.of(settings, e)));
  }

  @Override
  public void close() {
    commands.close();
    notices.close();
  }

  private <T> T await(Supplier<RedisFuture<T>> command) throws RedisUnavailableException {
    try {
      return command.get().get(settings.timeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw RedisUnavailableException.of(settings, e);
    } catch (ExecutionException | TimeoutException | RedisException e) {
      throw RedisUnavailableException.of(settings, e);
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(byte[] utf8) {
    return new String(utf8, StandardCharsets.UTF_8);
  }
}
