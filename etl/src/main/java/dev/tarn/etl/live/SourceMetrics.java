package dev.tarn.etl.live;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/** How the live job follows one source. Thread-safe. */
final class SourceMetrics {

  /** Upper bounds of the classes that write times are counted in, seconds. */
  static final double[] BOUNDS = {
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
  };

  /**
   * Where a partition is.
   *
   * @param lag offsets that are not applied yet
   * @param through the time up to which it is applied, microseconds; 0: not known
   */
  record Place(long lag, long through) {}

  /** What went wrong last. */
  record Trouble(Instant at, String what) {}

  private final LongAdder rejected = new LongAdder();
  private final LongAdder repeated = new LongAdder();
  private final LongAdder rebalances = new LongAdder();
  private final LongAdder troubles = new LongAdder();
  private final LongAdder[] written = new LongAdder[BOUNDS.length + 1];
  private final LongAdder writtenNanos = new LongAdder();
  private final Map<Integer, Place> places = new ConcurrentSkipListMap<>();
  private final Map<String, ViewMetrics> views = new ConcurrentHashMap<>();
  private volatile Optional<Trouble> last = Optional.empty();

  /** What keeps the job from following now; empty: nothing. */
  private volatile Optional<String> stopped = Optional.of("it starts");

  SourceMetrics() {
    for (int i = 0; i < written.length; i++) {
      written[i] = new LongAdder();
    }
  }

  ViewMetrics view(String name) {
    return views.computeIfAbsent(name, n -> new ViewMetrics());
  }

  Map<String, ViewMetrics> views() {
    return views;
  }

  void rejected() {
    rejected.increment();
  }

  void repeated() {
    repeated.increment();
  }

  void rebalanced() {
    rebalances.increment();
  }

  void trouble(String what) {
    troubles.increment();
    last = Optional.of(new Trouble(Instant.now(), what));
  }

  void stopped(Optional<String> why) {
    stopped = why;
  }

  void wrote(long nanos) {
    double seconds = nanos / 1e9;
    int index = 0;
    while (index < BOUNDS.length && seconds > BOUNDS[index]) {
      index++;
    }
    written[index].increment();
    writtenNanos.add(nanos);
  }

  void place(int partition, Place place) {
    places.put(partition, place);
  }

  void gone(int partition) {
    places.remove(partition);
  }

  long rejectedMessages() {
    return rejected.sum();
  }

  long repeatedEvents() {
    return repeated.sum();
  }

  long rebalances() {
    return rebalances.sum();
  }

  long troubles() {
    return troubles.sum();
  }

  long[] writes() {
    long[] counts = new long[written.length];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = written[i].sum();
    }
    return counts;
  }

  double writeSeconds() {
    return writtenNanos.sum() / 1e9;
  }

  Map<Integer, Place> places() {
    return places;
  }

  Optional<Trouble> lastTrouble() {
    return last;
  }

  Optional<String> stopped() {
    return stopped;
  }
}
