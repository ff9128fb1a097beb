package dev.tarn.serving.ops;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts the lookups under way and refuses those beyond {@code serving.max-in-flight}: a server
 * that takes more than it answers makes every call late, one that sheds answers most in time.
 */
public final class InFlight {

  private final int most;
  private final AtomicInteger count = new AtomicInteger();
  private final LongAdder shed = new LongAdder();

  public InFlight(int most) {
    this.most = most;
  }

  /** Whether there is room for one more, which then is under way until {@link #leave}. */
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

  public int most() {
    return most;
  }

  int count() {
    return count.get();
  }

  long shed() {
    return shed.sum();
  }
}
