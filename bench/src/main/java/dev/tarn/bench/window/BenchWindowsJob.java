package dev.tarn.bench.window;

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
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The command {@code bench windows}: sums the same events in the same windows with Tarn and in two
 * ways of Spark SQL, in turn, in one run, after it has compared their values on some rows. All read
 * the same Iceberg table and give all columns to a sink that drops them. Everything happens in a
 * folder and a catalog of its own; tables from an earlier run of the same sizes are used again.
 */
public final class BenchWindowsJob {

  private final Console console;
  private final WindowSizes sizes;
  private final WindowTables tables;
  private final WindowWays ways;
  private final Stopwatch watch;
  private final WindowReport report;

  private BenchWindowsJob(
      Console console,
      WindowSizes sizes,
      WindowTables tables,
      WindowWays ways,
      Stopwatch watch,
      WindowReport report) {
    this.console = console;
    this.sizes = sizes;
    this.tables = tables;
    this.ways = ways;
    this.watch = watch;
    this.report = report;
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    WindowSizes sizes = WindowSizes.of(line);
    int runs = (int) line.number("runs", 1, 3);
    long patience = line.number("patience", 1, 600);
    boolean hasRivals = !line.optional("rivals").orElse("true").equals("false");
    Path folder = given.state().resolve("bench").resolve("windows");
    Settings settings = BenchSettings.of(line, folder, 1);
    try (Lake lake = Lake.open(settings)) {
      WindowTables tables = new WindowTables(lake, console, folder, sizes);
      WindowWays ways = new WindowWays(lake, settings, line.settingWords(), tables);
      Stopwatch watch = new Stopwatch(lake.spark().sparkContext(), console, patience);
      WindowReport report = new WindowReport(watch, sizes, runs, hasRivals);
      tables.prepare();
      console.say(
          "values of %,d rows are equal", new WindowValues(ways, tables, sizes).compare(hasRivals));
      BenchWindowsJob job = new BenchWindowsJob(console, sizes, tables, ways, watch, report);
      for (int run = 0; run <= runs; run++) {
        console.say(run == 0 ? "warm-up" : "run %d of %d", run, runs);
        job.measure(run == 0, hasRivals);
      }
      job.measureOneEntity();
      if (sizes.messages() > 0) {
        if (WindowArchive.hasBroker(given)) {
          try (WindowArchive archive = WindowArchive.start(lake, given, line, folder, tables)) {
            for (int run = 0; run <= runs; run++) {
              archive.measure(watch, run == 0);
            }
          }
        } else {
          console.say(
              "no topic is archived: mvn process-test-resources -pl proto writes the class path of the broker");
        }
      }
      report.print(console, asJson);
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + e.getMessage(), e);
    }
  }

  private void measure(boolean isWarmUp, boolean hasRivals) {
    take(WindowReport.FIVE, isWarmUp, WindowSizes.FIVE, tables.spine());
    take(WindowReport.HOUR, isWarmUp, "hour", tables.spine());
    take(WindowReport.MONTH, isWarmUp, "month", tables.spine());
    take(WindowReport.MIXED, isWarmUp, "mixed", tables.spine());
    take(WindowReport.FEWER_DAYS, isWarmUp, "fewer_days", tables.shortSpine());
    if (hasRivals) {
      watch.take(
          WindowReport.WINDOW_FUNCTIONS,
          isWarmUp,
          () -> WindowWays.drop(ways.windowFunctions(tables.spine(), "true")));
      watch.take(
          WindowReport.RANGE_JOIN,
          isWarmUp,
          () -> WindowWays.drop(ways.rangeJoin(tables.spine(sizes.joinRows()))));
    }
    if (sizes.asOfs() > 0) {
      build(WindowReport.ONE_AS_OF, isWarmUp, 1);
      build(WindowReport.AS_OFS, isWarmUp, sizes.asOfs());
    }
  }

  private void take(String what, boolean isWarmUp, String service, Dataset<Row> spine) {
    watch.take(what, isWarmUp, () -> WindowWays.drop(ways.tarn(service, spine)));
  }

  private void build(String what, boolean isWarmUp, int days) {
    ways.unbuild();
    watch.take(what, isWarmUp, () -> ways.build(days));
  }

  private void measureOneEntity() {
    if (sizes.hot() > 0) {
      console.say("one entity: %1$,d events, and %1$,d rows that ask", sizes.hot());
      LiveHeap heap = new LiveHeap();
      take(WindowReport.ONE_ENTITY, false, "one_entity", tables.hotSpine());
      report.liveHeap(heap.peak());
    }
  }
}
