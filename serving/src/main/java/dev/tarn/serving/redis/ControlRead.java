package dev.tarn.serving.redis;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Stream;

/** Reads a hash of texts, or one field of it. The control keys are such hashes. */
final class ControlRead<T> extends KeyedCommand {

  private final Function<Object, T> read;
  private final CompletableFuture<T> future = new CompletableFuture<>();

  private ControlRead(Function<Object, T> read, String... words) {
    super(Stream.of(words).map(ControlRead::utf8).toArray(byte[][]::new));
    this.read = read;
  }

  /** Reads all fields; none if there is no such hash. */
  static ControlRead<Map<String, String>> hash(String key) {
    return new ControlRead<>(ControlRead::fields, "HGETALL", key);
  }

  /** Reads one field. */
  static ControlRead<Optional<String>> field(String key, String field) {
    return new ControlRead<>(
        value -> Optional.ofNullable(value).map(ControlRead::text), "HGET", key, field);
  }

  CompletableFuture<T> answer() {
    return future;
  }

  @Override
  void answered(Object answer) {
    future.complete(read.apply(answer));
  }

  @Override
  void failed(Throwable failure) {
    future.completeExceptionally(failure);
  }

  private static Map<String, String> fields(Object answer) {
    List<?> namesAndValues = (List<?>) answer;
    Map<String, String> fields = new HashMap<>();
    for (int i = 0; i < namesAndValues.size(); i += 2) {
      fields.put(text(namesAndValues.get(i)), text(namesAndValues.get(i + 1)));
    }
    return fields;
  }

  private static String text(Object utf8) {
    return new String((byte[]) utf8, StandardCharsets.UTF_8);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
