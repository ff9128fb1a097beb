package dev.tarn.bench.train;

import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.LiveHeap;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.SparkContext;

/**
 * The command {@code bench train}: joins the same spine to the same tables with Tarn and in two
 * other ways, in turn, in one run. All read the same Iceberg snapshots and give all columns to a
 * sink that drops them. Everything happens in a folder and a catalog of its own; tables from an
 * earlier run of the same sizes are used again. Where something is stopped, because it takes too
 * long, ratios to it are bounds.
 */
public final class BenchTrainJob {

  private final SparkContext spark;
  private final Console console;
  private final TrainSizes sizes;
  private final TrainWays ways;
  private final TrainReport report;
  private final int runs;
  private final boolean hasRivals;
  private final long patience;

  private BenchTrainJob(
      SparkContext spark,
      Console console,
      TrainSizes sizes,
      TrainWays ways,
      TrainReport report,
      CommandLine line) {
    this.spark = spark;
    this.console = console;
    this.sizes = sizes;
    this.ways = ways;
    this.report = report;
    this.runs = runs(line);
    this.hasRivals = hasRivals(line);
    this.patience = line.number("patience", 1, 600);
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    TrainSizes sizes = TrainSizes.of(line);
    TrainReport report = new TrainReport(sizes, runs(line), hasRivals(line));
    Path folder = given.state().resolve("bench").resolve("train");
    Settings settings = BenchSettings.of(line, folder, 1);
    try (Lake lake = Lake.open(settings)) {
      TrainTables tables = new TrainTables(lake, settings, console, folder, sizes);
      TrainWays ways = new TrainWays(lake, line.settingWords(), tables, sizes);
      BenchTrainJob job =
          new BenchTrainJob(lake.spark().sparkContext(), console, sizes, ways, report, line);
      tables.prepare();
      job.measure();
      console.result(asJson ? report.json().toString() : report.table());
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  private static int runs(CommandLine line) {
    return (int) line.number("runs", 1, 3);
  }

  private static boolean hasRivals(CommandLine line) {
    return !line.optional("rivals").orElse("true").equals("false");
  }

  private void measure() {
    for (int run = 0; run <= runs; run++) {
      boolean isWarmUp = run == 0;
      console.say(isWarmUp ? "warm-up" : "run %d of %d", run, runs);
      for (int count : isWarmUp ? sizes.asOfs().subList(0, 1) : sizes.asOfs()) {
        for (int views : isWarmUp ? List.of(1) : sizes.views(count)) {
          String service = views == 1 ? "one1" : "four";
          take("Tarn", views, count, isWarmUp, () -> ways.tarn(service, views, count, "features"));
          take(
              "Tarn, rows of the last day, max age 2 d",
              views,
              count,
              isWarmUp,
              () -> ways.tarn(service, views, count, "limited"));
          if (hasRivals) {
            take("union and one window", views, count, isWarmUp, () -> ways.union(views, count));
            take(
                "join on entity and time, row_number",
                views,
                count,
                isWarmUp,
                () -> ways.joinAndRank(views, count));
          }
        }
      }
    }
    if (sizes.hot() > 0) {
      console.say("one entity: %,d rows of its history, as many of the spine", sizes.hot());
      LiveHeap heap = new LiveHeap();
      take("Tarn, one entity of %,d rows".formatted(sizes.hot()), 1, 1, false, ways::tarnHot);
      report.liveHeap(heap.peak());
    }
  }

  private void take(String name, int views, int count, boolean isWarmUp, Runnable work) {
    String what = TrainReport.name(name, views, count);
    if (report.isStopped(what)) {
      return;
    }
    long start = System.nanoTime();
    boolean isDone = isDoneInTime(work);
    double took = (System.nanoTime() - start) / 1e9;
    console.say(isDone ? "  %s: %.1f s" : "  %s: stopped after %.1f s", what, took);
    if (!isDone) {
      report.stop(what);
    }
    if (!isWarmUp || !isDone) {
      report.add(what, took);
    }
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
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare SparkException
      if (isLate.get()) {
        return false;
      }
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    } finally {
      clock.shutdownNow();
    }
  }
}
