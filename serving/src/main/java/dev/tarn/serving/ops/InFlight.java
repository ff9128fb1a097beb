package dev.tarn.serving.ops;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts the lookups under way and refuses those beyond {@code serving.max-in-flight}. A server
 * that takes more than it can answer makes every call late; one that refuses some answers the
 * others in time.
 */
public final class InFlight {

  private final int most;
  private final AtomicInteger count = new AtomicInteger();
  private final LongAdder shed = new LongAdder();

  public InFlight(int most) {
    this.most = most;
  }

  /** Returns whether there is room for one more call, which then counts until {@link #leave}. */
  boolean enter() {
    if (count.incrementAndGet() <= most) {
      return true;
    }
    count.decrementAndGet();
    shed.increment();
    return false;
  }

  void leave() {
    count.decrementAndGet();
  }

  /** Adds the metrics of these calls. */
  public void register(Metrics metrics) {
    metrics.gauge("tarn_in_flight_calls", "Lookups under way", count::get);
    metrics.counter(
        "tarn_shed_calls_total",
        "Lookups refused because serving.max-in-flight were under way",
        shed::sum);
  }
}
