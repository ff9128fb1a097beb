package dev.tarn.serving;

import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.CommandOutput;
import io.lettuce.core.output.MapOutput;
import io.lettuce.core.output.ValueOutput;
import io.lettuce.core.protocol.CommandType;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A read of a hash of text among the control keys. */
final class ControlRead<T> extends KeyedCommand<T> {

  private final CompletableFuture<T> future = new CompletableFuture<>();

  private ControlRead(
      CommandType type, CommandOutput<byte[], byte[], T> output, String key, byte[]... more) {
    super(type, output, utf8(key), more);
  }

  static ControlRead<Map<byte[], byte[]>> hash(String key) {
    return new ControlRead<>(CommandType.HGETALL, new MapOutput<>(ByteArrayCodec.INSTANCE), key);
  }

  /** Its answer is null if there is no such field. */
  static ControlRead<byte[]> field(String key, String field) {
    return new ControlRead<>(
        CommandType.HGET, new ValueOutput<>(ByteArrayCodec.INSTANCE), key, utf8(field));
  }

  CompletableFuture<T> answer() {
    return future;
  }

  @Override
  void answered(T answer) {
    future.complete(answer);
  }

  @Override
  void failed(Throwable failure) {
    future.completeExceptionally(failure);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
