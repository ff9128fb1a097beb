package dev.tarn.serving.access;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Looks every {@code serving.reload} whether files have changed. */
final class FileWatch implements AutoCloseable {

  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread daemon = new Thread(task, "reload");
            daemon.setDaemon(true);
            return daemon;
          });

  /** Begins to look, unless there are no files. */
  FileWatch(List<WatchedFiles> files, Duration every) {
    if (!files.isEmpty()) {
      var unused =
          thread.scheduleWithFixedDelay(
              () -> files.forEach(WatchedFiles::refresh),
              every.toMillis(),
              every.toMillis(),
              TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
