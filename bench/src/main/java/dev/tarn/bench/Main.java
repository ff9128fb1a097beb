package dev.tarn.bench;

import dev.tarn.bench.faults.BenchFaultsJob;
import dev.tarn.bench.law.BenchLawsJob;
import dev.tarn.bench.live.BenchLiveJob;
import dev.tarn.bench.lookup.BenchLookupJob;
import dev.tarn.bench.push.BenchPushJob;
import dev.tarn.bench.train.BenchTrainJob;
import dev.tarn.bench.window.BenchWindowsJob;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.CommandRun;
import dev.tarn.etl.console.Console;
import java.util.function.Function;

/**
 * Runs a benchmark: {@code ./tarn bench push|lookup|train|windows|live|laws|faults [name=value
 * ...]}.
 */
public final class Main {

  private Main() {}

  public static void main(String[] args) {
    int status = run(new Console(System.out, System.err), Settings::load, args);
    if (status != 0) {
      System.exit(status);
    }
  }

  /** Runs one benchmark and returns the exit status: 0 done, 1 failed, 2 bad use. */
  public static int run(Console console, Function<CommandLine, Settings> load, String... args) {
    return CommandRun.run(console, load, Main::dispatch, args);
  }

  private static void dispatch(CommandLine line, Settings settings, Console console) {
    switch (line.command()) {
      case BENCH_PUSH -> BenchPushJob.run(line, settings, console);
      case BENCH_LOOKUP -> BenchLookupJob.run(line, settings, console);
      case BENCH_TRAIN -> BenchTrainJob.run(line, settings, console);
      case BENCH_WINDOWS -> BenchWindowsJob.run(line, settings, console);
      case BENCH_LIVE -> BenchLiveJob.run(line, settings, console);
      case BENCH_LAWS -> BenchLawsJob.run(line, settings, console);
      case BENCH_FAULTS -> BenchFaultsJob.run(line, settings, console);
      case BENCH_CLIENT ->
          throw new UsageException(
              "'bench client' measures in Python: run it as ./tarn bench client");
      default ->
          throw new UsageException(
              "'%1$s' is not in tarn-bench.jar: run it as ./tarn %1$s"
                  .formatted(line.command().word()));
    }
  }
}
