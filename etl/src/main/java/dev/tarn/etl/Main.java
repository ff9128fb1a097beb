package dev.tarn.etl;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.JdbcTrouble;
import dev.tarn.etl.console.CommandRun;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.job.ArchiveJob;
import dev.tarn.etl.job.BuildJob;
import dev.tarn.etl.job.DemoJob;
import dev.tarn.etl.job.DemoLiveJob;
import dev.tarn.etl.job.DropJob;
import dev.tarn.etl.job.ExpireJob;
import dev.tarn.etl.job.FitJob;
import dev.tarn.etl.job.GetJob;
import dev.tarn.etl.job.LiveJob;
import dev.tarn.etl.job.ManifestsJob;
import dev.tarn.etl.job.PushJob;
import dev.tarn.etl.job.RollbackJob;
import dev.tarn.etl.job.TrainJob;
import dev.tarn.etl.job.UnpinJob;
import dev.tarn.etl.job.ValidateJob;
import dev.tarn.etl.job.VerifyJob;
import dev.tarn.etl.job.VersionsJob;
import dev.tarn.etl.job.WithdrawJob;
import dev.tarn.etl.local.LocalRedis;
import dev.tarn.etl.redis.Refusals;
import dev.tarn.redis.RedisSettings;
import java.util.Optional;
import java.util.function.Function;

/** Every job of Tarn: {@code tarn-etl.jar <command> [name=value ...]}. */
public final class Main {

  private Main() {}

  public static void main(String[] args) {
    System.setProperty(Definitions.STANDING, System.getProperty("user.dir"));
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
    return CommandRun.run(console, load, Main::dispatch, args);
  }

  private static void dispatch(CommandLine line, Settings settings, Console console) {
    try {
      job(line, settings, console);
    } catch (Exception e) { // Scala does not declare what it throws
      Optional<TarnException> known =
          e instanceof TarnException
              ? JdbcTrouble.explain(settings, e)
              : Refusals.explain(settings.read(RedisSettings::of), e)
                  .or(() -> JdbcTrouble.explain(settings, e));
      if (known.isPresent()) {
        throw known.get();
      }
      throw e;
    }
  }

  private static void job(CommandLine line, Settings settings, Console console) {
    switch (line.command()) {
      case VALIDATE -> ValidateJob.run(line, settings, console);
      case ARCHIVE -> ArchiveJob.run(line, settings, console);
      case BUILD -> BuildJob.run(line, settings, console);
      case LIVE -> LiveJob.run(line, settings, console);
      case PUSH -> PushJob.run(line, settings, console);
      case VERIFY -> VerifyJob.run(line, settings, console);
      case ROLLBACK -> RollbackJob.run(line, settings, console);
      case UNPIN -> UnpinJob.run(line, settings, console);
      case VERSIONS -> VersionsJob.run(line, settings, console);
      case WITHDRAW -> WithdrawJob.run(line, settings, console);
      case DROP -> DropJob.run(line, settings, console);
      case EXPIRE -> ExpireJob.run(line, settings, console);
      case TRAIN -> TrainJob.run(line, settings, console);
      case MANIFESTS -> ManifestsJob.list(line, settings, console);
      case RETIRE -> ManifestsJob.retire(line, settings, console);
      case FIT -> FitJob.run(line, settings, console);
      case GET -> GetJob.run(line, settings, console);
      case UP -> LocalRedis.up(settings, console);
      case DOWN -> LocalRedis.down(settings, console);
      case DEMO -> DemoJob.run(line, settings, console);
      case DEMO_LIVE -> DemoLiveJob.run(line, settings, console);
      case BENCH_PUSH,
          BENCH_LOOKUP,
          BENCH_TRAIN,
          BENCH_WINDOWS,
          BENCH_LIVE,
          BENCH_LAWS,
          BENCH_FAULTS ->
          throw new UsageException(
              "'%1$s' is not in tarn-etl.jar: run it as ./tarn %1$s"
                  .formatted(line.command().word()));
      case BENCH_CLIENT ->
          throw new UsageException(
              "'bench client' measures in Python: run it as ./tarn bench client");
      case SERVE ->
          throw new UsageException(
              "'serve' is in tarn-serving.jar: java -jar tarn-serving.jar serve");
    }
  }
}
