package dev.tarn.bench.train;

import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.LiveHeap;
import dev.tarn.bench.testbed.Stopwatch;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The command {@code bench train}: joins the same spine to the same tables with Tarn and in two
 * other ways, in turn, in one run. All read the same Iceberg snapshots and give all columns to a
 * sink that drops them. Everything happens in a folder and a catalog of its own; tables from an
 * earlier run of the same sizes are used again. Where something is stopped, because it takes too
 * long, ratios to it are bounds.
 */
public final class BenchTrainJob {

  private final Console console;
  private final Stopwatch watch;
  private final TrainSizes sizes;
  private final TrainWays ways;
  private final TrainReport report;
  private final int runs;
  private final boolean hasRivals;

  private BenchTrainJob(
      Console console,
      Stopwatch watch,
      TrainSizes sizes,
      TrainWays ways,
      TrainReport report,
      CommandLine line) {
    this.console = console;
    this.watch = watch;
    this.sizes = sizes;
    this.ways = ways;
    this.report = report;
    this.runs = runs(line);
    this.hasRivals = hasRivals(line);
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    TrainSizes sizes = TrainSizes.of(line);
    Path folder = given.state().resolve("bench").resolve("train");
    Settings settings = BenchSettings.of(line, folder, 1);
    try (Lake lake = Lake.open(settings)) {
      TrainTables tables = new TrainTables(lake, settings, console, folder, sizes);
      TrainWays ways = new TrainWays(lake, line.settingWords(), tables, sizes);
      Stopwatch watch =
          new Stopwatch(lake.spark().sparkContext(), console, line.number("patience", 1, 600));
      TrainReport report = new TrainReport(watch, sizes, runs(line), hasRivals(line));
      BenchTrainJob job = new BenchTrainJob(console, watch, sizes, ways, report, line);
      tables.prepare();
      job.measure();
      report.print(console, asJson);
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
                TrainReport.FEASTS_WAY,
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
    watch.take(TrainReport.name(name, views, count), isWarmUp, work);
  }
}
