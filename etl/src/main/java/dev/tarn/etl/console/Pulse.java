package dev.tarn.etl.console;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does something twice a second during a long step, until it is closed. */
public final class Pulse implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Pulse.class);

  private final Thread thread;

  /** Starts. If {@code beat} throws, that is logged, and the next beat comes all the same. */
  public Pulse(Runnable beat) {
    thread = new Thread(() -> run(beat), "pulse");
    thread.setDaemon(true);
    thread.start();
  }

  /** Stops; no beat begins afterwards. */
  @Override
  public void close() {
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void run(Runnable beat) {
    try {
      while (true) {
        TimeUnit.MILLISECONDS.sleep(500);
        try {
          beat.run();
        } catch (RuntimeException e) {
          LOG.warn("a beat failed", e);
        }
      }
    } catch (InterruptedException e) {
      // Closed.
    }
  }
}
