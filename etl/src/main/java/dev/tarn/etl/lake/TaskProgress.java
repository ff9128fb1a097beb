package dev.tarn.etl.lake;

import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import java.util.Locale;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.SparkStatusTracker;

/** Shows on the console how many of the running Spark tasks are done. */
public final class TaskProgress {

  private TaskProgress() {}

  /** Starts to show progress behind {@code what}; close the result to stop. */
  public static Pulse show(Lake lake, Console console, String what) {
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
}
