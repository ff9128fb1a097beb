package dev.tarn.etl;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.bench.BenchFaultsJob;
import dev.tarn.etl.bench.BenchLookupJob;
import dev.tarn.etl.bench.BenchPushJob;
import dev.tarn.etl.bench.BenchTrainJob;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Failures;
import dev.tarn.etl.job.BuildJob;
import dev.tarn.etl.job.DemoJob;
import dev.tarn.etl.job.ExpireJob;
import dev.tarn.etl.job.FitJob;
import dev.tarn.etl.job.GetJob;
import dev.tarn.etl.job.ManifestsJob;
import dev.tarn.etl.job.PushJob;
import dev.tarn.etl.job.RollbackJob;
import dev.tarn.etl.job.TrainJob;
import dev.tarn.etl.job.UnpinJob;
import dev.tarn.etl.job.ValidateJob;
import dev.tarn.etl.job.VerifyJob;
import dev.tarn.etl.job.VersionsJob;
import dev.tarn.etl.local.LocalRedis;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every job of Tarn: {@code tarn-etl.jar <command> [name=value ...]}. */
public final class Main {

  private static final Logger LOG = LoggerFactory.getLogger(Main.class);

  private Main() {}

  public static void main(String[] args) {
    int status = run(new Console(System.out, System.err), args);
    if (status != 0) {
      System.exit(status);
    }
  }

  /** Runs one command; the result is the exit status: 0 done, 1 failed, 2 bad use. */
  static int run(Console console, String... args) {
    return run(console, Settings::load, args);
  }

  static int run(Console console, Function<CommandLine, Settings> load, String... args) {
    try {
      Optional<CommandLine> line = CommandLine.parse(args);
      if (line.isPresent()) {
        dispatch(line.get(), load.apply(line.get()), console);
      }
      return 0;
    } catch (TarnException e) {
      LOG.error("failed", e);
      console.say("tarn: %s", e.getMessage());
      return e.exitStatus();
    } catch (RuntimeException e) {
      LOG.error("failed", e);
      console.say("tarn: unexpected: %s (the log has the details)", Failures.reason(e));
      return 1;
    }
  }

  private static void dispatch(CommandLine line, Settings settings, Console console) {
    switch (line.command()) {
      case VALIDATE -> ValidateJob.run(line, settings, console);
      case BUILD -> BuildJob.run(line, settings, console);
      case PUSH -> PushJob.run(line, settings, console);
      case VERIFY -> VerifyJob.run(line, settings, console);
      case ROLLBACK -> RollbackJob.run(line, settings, console);
      case UNPIN -> UnpinJob.run(line, settings, console);
      case VERSIONS -> VersionsJob.run(line, settings, console);
      case EXPIRE -> ExpireJob.run(line, settings, console);
      case TRAIN -> TrainJob.run(line, settings, console);
      case MANIFESTS -> ManifestsJob.list(line, settings, console);
      case RETIRE -> ManifestsJob.retire(line, settings, console);
      case FIT -> FitJob.run(line, settings, console);
      case GET -> GetJob.run(line, settings, console);
      case UP -> LocalRedis.up(settings, console);
      case DOWN -> LocalRedis.down(settings, console);
      case DEMO -> DemoJob.run(line, settings, console);
      case BENCH_PUSH -> BenchPushJob.run(line, settings, console);
      case BENCH_LOOKUP -> BenchLookupJob.run(line, settings, console);
      case BENCH_TRAIN -> BenchTrainJob.run(line, settings, console);
      case BENCH_FAULTS -> BenchFaultsJob.run(line, settings, console);
      case BENCH_CLIENT ->
          throw new UsageException(
              "'bench client' measures in Python: run it as ./tarn bench client");
      case SERVE ->
          throw new UsageException(
              "'serve' is in tarn-serving.jar: java -jar tarn-serving.jar serve");
    }
  }
}
