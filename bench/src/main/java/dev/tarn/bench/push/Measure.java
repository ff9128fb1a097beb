package dev.tarn.bench.push;

import com.google.gson.JsonObject;
import java.util.Comparator;
import java.util.List;

/**
 * The result of one run of one way to write.
 *
 * @param redisBytes growth of Redis's used_memory
 * @param payloadBytes entity ids and encoded rows; 0 if not known
 * @param liveHeap most bytes that were live after a garbage collection; 0 if not known
 */
record Measure(double seconds, long rows, long redisBytes, long payloadBytes, long liveHeap) {

  /** Picks the run with the median time. */
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
