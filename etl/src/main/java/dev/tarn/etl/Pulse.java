package dev.tarn.etl;

import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.SparkStatusTracker;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does something twice a second beside a long step, until it is closed. */
public final class Pulse implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Pulse.class);

  private final Thread thread;

  /** Starts. What {@code beat} throws is logged; it goes on with the next. */
  public Pulse(Runnable beat) {
    thread = new Thread(() -> run(beat), "pulse");
    thread.setDaemon(true);
    thread.start();
  }

  /** Shows how many of the tasks that Spark has under way are done, behind {@code what}. */
  public static Pulse ofTasks(Lake lake, Console console, String what) {
    SparkStatusTracker tracker = lake.spark().sparkContext().statusTracker();
    return new Pulse(
        () -> {
          int done = 0;
          int all = 0;
          for (int id : tracker.getActiveStageIds()) {
            scala.Option<SparkStageInfo> stage = tracker.getStageInfo(id);
            if (stage.isDefined()) {
              done += stage.get().numCompletedTasks();
              all += stage.get().numTasks();
            }
          }
          console.progress(
              "%s%s",
              what, all == 0 ? "" : String.format(Locale.ROOT, ": task %d of %d", done, all));
        });
  }

  /** Stops; no beat begins after this. */
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
