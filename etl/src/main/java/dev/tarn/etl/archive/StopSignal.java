package dev.tarn.etl.archive;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.util.SignalUtils;

/** The wish that a run that goes on and on ends after what it has begun, and no sooner. */
public final class StopSignal {

  private final CountDownLatch asked = new CountDownLatch(1);

  /** Takes SIGTERM and SIGINT for that wish. A second one ends the process at once. */
  public static StopSignal ofProcess() {
    StopSignal stop = new StopSignal();
    SignalUtils.register("TERM", stop::handle);
    SignalUtils.register("INT", stop::handle);
    return stop;
  }

  private Object handle() {
    boolean isFirst = !isAsked();
    ask();
    return isFirst;
  }

  /** Wishes it. */
  public void ask() {
    asked.countDown();
  }

  public boolean isAsked() {
    return asked.getCount() == 0;
  }

  /** Waits; not for longer than until somebody wishes it. */
  public void await(Duration longest) {
    try {
      if (!asked.await(longest.toMillis(), TimeUnit.MILLISECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ask();
    }
  }
}
