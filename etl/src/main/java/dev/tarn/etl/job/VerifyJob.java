package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.verify.Report;
import dev.tarn.etl.verify.ReportFile;
import dev.tarn.etl.verify.Verification;
import dev.tarn.etl.verify.VerificationHistory;
import dev.tarn.etl.verify.Verify;
import dev.tarn.etl.verify.VerifySummary;
import java.nio.file.Path;
import java.util.Optional;

/** Runs the command {@code verify}: compares a version in Redis with its snapshot. */
public final class VerifyJob {

  private VerifyJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    Verify.VerifyRequest request =
        new Verify.VerifyRequest(
            line.optional("version"),
            line.optional("sample").map(VerifyJob::share).orElse(1.0),
            (int) Math.min(10_000, line.number("show", 0, 20)));
    Optional<ReportFile> report = line.optional("report").map(Path::of).map(ReportFile::at);
    FeatureView view = Definitions.load(settings).view(line.text("view"));
    RedisServers redis = RedisServers.connect(settings);
    try (Lake lake = Lake.open(settings)) {
      Verification verification = new Verify(lake, redis, console).verify(view, request);
      report.ifPresent(file -> file.write(Report.of(verification)));
      note(lake, verification, console);
      if (asJson) {
        console.result(VerifySummary.json(verification, report.map(ReportFile::path)));
      } else {
        console.result(VerifySummary.text(verification));
      }
      if (!verification.isEqual()) {
        throw new TarnException(VerifySummary.failure(verification));
      }
    }
  }

  private static double share(String text) {
    try {
      double share = Double.parseDouble(text);
      if (share > 0 && share <= 1) {
        return share;
      }
    } catch (NumberFormatException e) {
      // Reported below, like a number that is out of range.
    }
    throw new UsageException(
        "sample=%s is not a share of the entities: write 0.01 for one of a hundred"
            .formatted(text));
  }

  /** Notes what was found; that stands, also where it can't be noted. */
  private static void note(Lake lake, Verification verification, Console console) {
    try {
      VerificationHistory.add(lake.catalog(), verification);
    } catch (RuntimeException e) {
      console.say(
          "the verification could not be noted in %s: %s",
          lake.sqlName(Ledger.VERIFICATIONS), Causes.reason(e));
    }
  }
}
