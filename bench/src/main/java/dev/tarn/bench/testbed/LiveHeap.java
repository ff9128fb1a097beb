package dev.tarn.bench.testbed;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.stream.Stream;

/** Measures the most heap that was in use after a garbage collection since it was made. */
public final class LiveHeap {

  public LiveHeap() {
    System.gc();
    pools().forEach(MemoryPoolMXBean::resetPeakUsage);
  }

  /** Gives the peak of the old generation, which has what a job keeps for longer than a moment. */
  public long peak() {
    return pools()
        .filter(pool -> pool.getName().contains("Old"))
        .mapToLong(pool -> pool.getPeakUsage().getUsed())
        .sum();
  }

  private static Stream<MemoryPoolMXBean> pools() {
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == MemoryType.HEAP);
  }
}
