package dev.tarn.bench.testbed;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Console;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.SparkContext;

/**
 * Measures what Spark's jobs take, several times each, and stops those that take longer than a
 * patience. What was stopped counts with the time until then, and is not started again.
 */
public final class Stopwatch {

  private final SparkContext spark;
  private final Console console;
  private final long patience;

  /** The seconds of each run, by what was measured. */
  private final Map<String, List<Double>> seconds = new LinkedHashMap<>();

  private final Set<String> stopped = new LinkedHashSet<>();

  /**
   * Makes one that has measured nothing.
   *
   * @param patience seconds after which something is stopped
   */
  public Stopwatch(SparkContext spark, Console console, long patience) {
    this.spark = spark;
    this.console = console;
    this.patience = patience;
  }

  /**
   * Does some work, unless it was stopped before.
   *
   * @param isWarmUp true if its time does not count
   */
  public void take(String what, boolean isWarmUp, Runnable work) {
    if (isStopped(what)) {
      return;
    }
    long start = System.nanoTime();
    boolean isDone = isDoneInTime(work);
    double took = (System.nanoTime() - start) / 1e9;
    console.say(isDone ? "  %s: %.1f s" : "  %s: stopped after %.1f s", what, took);
    if (!isDone) {
      stopped.add(what);
    }
    if (!isWarmUp || !isDone) {
      seconds.computeIfAbsent(what, key -> new ArrayList<>()).add(took);
    }
  }

  /** Says whether something was stopped, so that its time is a bound. */
  public boolean isStopped(String what) {
    return stopped.contains(what);
  }

  /** Gives the median of the seconds of all runs. */
  public double median(String what) {
    List<Double> sorted = seconds.get(what).stream().sorted().toList();
    return sorted.get((sorted.size() - 1) / 2);
  }

  /** Names what was measured, in the order in which it was measured first. */
  public List<String> names() {
    return List.copyOf(seconds.keySet());
  }

  /** Adds the median of everything that was not stopped. */
  public void addTo(Figures figures) {
    names().stream()
        .filter(what -> !isStopped(what))
        .forEach(what -> figures.addOfTables(what + ": s", median(what)));
  }

  /** Adds a row to a table: what, its seconds, and how many a second that is of some number. */
  public void addTo(TextTable table, String what, long count) {
    boolean isStopped = isStopped(what);
    table.row(
        what,
        (isStopped ? "stopped after %.1f" : "%.1f").formatted(median(what)),
        isStopped ? "" : "%,.0f".formatted(count / median(what)));
  }

  /** Says behind a ratio that it is a bound, if its first part was stopped. */
  public String bound(String what) {
    return isStopped(what) ? " (at least: it was stopped)" : "";
  }

  /** Does some work, or stops it when patience ends; says whether it was done. */
  private boolean isDoneInTime(Runnable work) {
    AtomicBoolean isLate = new AtomicBoolean();
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    try {
      var unused =
          clock.scheduleWithFixedDelay(
              () -> {
                isLate.set(true);
                spark.cancelAllJobs();
              },
              patience,
              1,
              TimeUnit.SECONDS);
      work.run();
      return true;
    } catch (Exception e) { // Scala does not declare SparkException
      if (isLate.get()) {
        return false;
      }
      if (e instanceof RuntimeException unchecked) {
        throw unchecked;
      }
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    } finally {
      clock.shutdownNow();
    }
  }
}
