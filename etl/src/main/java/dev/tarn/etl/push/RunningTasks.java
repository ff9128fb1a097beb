package dev.tarn.etl.push;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;

/**
 * Counts the tasks that Spark is running. A job fails with the first of its tasks while the others
 * run on for a moment. Whoever removes what they wrote must wait until they have ended.
 */
final class RunningTasks extends SparkListener implements AutoCloseable {

  private final SparkContext spark;
  private int running;

  RunningTasks(SparkContext spark) {
    this.spark = spark;
    spark.addSparkListener(this);
  }

  @Override
  public synchronized void onTaskStart(SparkListenerTaskStart start) {
    running++;
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    running--;
    notifyAll();
  }

  /** Waits until no task is running; returns false if that takes longer. */
  boolean awaitNone(Duration longest) {
    try {
      // The starts may have been announced and not yet be counted.
      spark.listenerBus().waitUntilEmpty(longest.toMillis());
      long deadline = System.nanoTime() + longest.toNanos();
      synchronized (this) {
        while (running > 0) {
          long left = deadline - System.nanoTime();
          if (left <= 0) {
            return false;
          }
          TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return true;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (TimeoutException e) {
      return false;
    }
  }

  @Override
  public void close() {
    spark.removeSparkListener(this);
  }
}
