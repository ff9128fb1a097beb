package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.compute.AsOfs;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Runs the command {@code build}: computes a view for one as-of or several and publishes them. */
public final class BuildJob {

  private BuildJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    List<Instant> asOfs = AsOfs.of(line, Instant.now());
    boolean skip = !line.has("as-of") && !line.flag("rebuild");
    boolean asJson = line.isJson();
    FeatureView view = Definitions.load(settings).view(line.text("view"));
    try (Lake lake = Lake.open(settings)) {
      List<Build.AsOfOutcome> outcomes = new Build(lake, console).build(view, asOfs, skip);
      if (asJson) {
        console.result(json(view, outcomes));
      }
    }
  }

  private static String json(FeatureView view, List<Build.AsOfOutcome> outcomes) {
    List<AsOf> asOfs =
        outcomes.stream()
            .map(
                outcome ->
                    new AsOf(
                        outcome.asOf().toString(),
                        outcome.built(),
                        outcome.rows(),
                        outcome.changed(),
                        Long.toString(outcome.snapshotId()),
                        outcome.took().toMillis() / 1000.0))
            .toList();
    return Json.of(new BuildResult(view.name(), view.definitionHash(), asOfs));
  }

  private record BuildResult(String featureView, String definitionHash, List<AsOf> asOfs) {}

  private record AsOf(
      String asOf,
      boolean built,
      long rows,
      Optional<Long> changed,
      String snapshotId,
      double seconds) {}
}
