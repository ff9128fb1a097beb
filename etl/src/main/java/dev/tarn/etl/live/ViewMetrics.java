package dev.tarn.etl.live;

import java.util.concurrent.atomic.LongAdder;

/** What the live job has done for one view. Thread-safe. */
final class ViewMetrics {

  private final LongAdder events = new LongAdder();
  private final LongAdder late = new LongAdder();
  private final LongAdder conflicts = new LongAdder();
  private final LongAdder swept = new LongAdder();
  private volatile long withoutKey;
  private volatile long cachedEntities;
  private volatile long cachedBytes;

  void applied(long count, long lateOnes) {
    events.add(count);
    late.add(lateOnes);
  }

  void conflict() {
    conflicts.increment();
  }

  void swept() {
    swept.increment();
  }

  void withoutKey(long count) {
    withoutKey = count;
  }

  void cached(long entities, long bytes) {
    cachedEntities = entities;
    cachedBytes = bytes;
  }

  long events() {
    return events.sum();
  }

  long late() {
    return late.sum();
  }

  long conflicts() {
    return conflicts.sum();
  }

  long sweptEntries() {
    return swept.sum();
  }

  long eventsWithoutKey() {
    return withoutKey;
  }

  long cachedEntities() {
    return cachedEntities;
  }

  long cachedBytes() {
    return cachedBytes;
  }
}
