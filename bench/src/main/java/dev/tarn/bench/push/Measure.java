package dev.tarn.bench.push;

import com.google.gson.JsonObject;
import java.util.Comparator;
import java.util.List;

/**
 * One run of one way to write.
 *
 * @param redisBytes what Redis's used_memory grew by
 * @param payloadBytes entity ids and encoded rows; 0: not told
 * @param liveHeap most bytes that were live after a garbage collection; 0: not told
 */
record Measure(double seconds, long rows, long redisBytes, long payloadBytes, long liveHeap) {

  /** The run with the median time. */
  static Measure median(List<Measure> runs) {
    return runs.stream()
        .sorted(Comparator.comparingDouble(Measure::seconds))
        .toList()
        .get((runs.size() - 1) / 2);
  }

  JsonObject json() {
    JsonObject object = new JsonObject();
    object.addProperty("seconds", seconds);
    object.addProperty("rows_per_second", Math.round(rows / seconds));
    object.addProperty("redis_bytes", redisBytes);
    object.addProperty("payload_bytes", payloadBytes);
    object.addProperty("live_heap_bytes", liveHeap);
    return object;
  }
}
