package dev.tarn.bench.stream;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** Does something at a rate, in a thread of its own, until it is closed. */
public final class Traffic implements AutoCloseable {

  private final Thread thread;
  private final AtomicLong count = new AtomicLong();
  private volatile boolean isOver;

  private Traffic(double perSecond, Runnable each) {
    thread = new Thread(() -> run(perSecond, each), "traffic");
    thread.setDaemon(true);
  }

  /**
   * Starts it.
   *
   * @param perSecond infinite: as fast as it goes
   */
  public static Traffic start(double perSecond, Runnable each) {
    Traffic traffic = new Traffic(perSecond, each);
    traffic.thread.start();
    return traffic;
  }

  /** How often it was done. */
  public long count() {
    return count.get();
  }

  private void run(double perSecond, Runnable each) {
    long start = System.nanoTime();
    long due = 0;
    while (!isOver) {
      double seconds = (System.nanoTime() - start) / 1e9;
      // What a pause has held up comes at once, but not more than a second's worth.
      double wanted = Double.isInfinite(perSecond) ? due + 1_000 : seconds * perSecond;
      if (wanted - due > perSecond) {
        start += (long) ((wanted - due - perSecond) / perSecond * 1e9);
      }
      for (long todo = (long) Math.min(wanted - due, perSecond); todo > 0 && !isOver; todo--) {
        each.run();
        due++;
        count.set(due);
      }
      if (!Double.isInfinite(perSecond)) {
        LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(500));
      }
    }
  }

  @Override
  public void close() {
    isOver = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
