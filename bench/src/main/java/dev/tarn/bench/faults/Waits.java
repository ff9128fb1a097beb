package dev.tarn.bench.faults;

import dev.tarn.cli.TarnException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waits, and starts work that waits. */
final class Waits {

  private Waits() {}

  static void pause(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Does some work in a thread of its own after a while. */
  static void later(long millis, Runnable work) {
    Thread thread =
        new Thread(
            () -> {
              pause(millis);
              work.run();
            },
            "fault");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Waits two minutes at the most.
   *
   * @throws TarnException with this message if that is not enough
   */
  static void await(CountDownLatch latch, String message) {
    try {
      if (!latch.await(2, TimeUnit.MINUTES)) {
        throw new TarnException(message);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }
}
