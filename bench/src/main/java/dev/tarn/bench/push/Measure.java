package dev.tarn.bench.push;

import dev.tarn.bench.testbed.Figures;
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

  double redisBytesPerRow() {
    return (double) redisBytes / rows;
  }

  /** Adds what the table of measures shows. */
  void addTo(Figures figures, String name) {
    figures.addOfTables(name + ": s", seconds);
    figures.addOfTables(name + ": rows/s", rows / seconds);
    if (redisBytes != 0) {
      figures.addOfTables(name + ": Redis bytes/row", redisBytesPerRow());
    }
    if (liveHeap != 0) {
      figures.addOfTables(name + ": live heap MB", (double) (liveHeap >> 20));
    }
  }
}
