package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.compute.AsOfs;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;

/** Runs the command {@code build}: computes views for one as-of or several and publishes them. */
public final class BuildJob {

  private BuildJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    if (line.has("view") == line.has("views")) {
      throw new UsageException(
          "build needs view=… or views=…,… (or views=all): the feature views to build");
    }
    List<Instant> asOfs = AsOfs.of(line, Instant.now());
    boolean skip = !line.has("as-of") && !line.flag("rebuild");
    boolean asJson = line.isJson();
    Definitions definitions = Definitions.load(settings);
    if (line.has("view")) {
      FeatureView view = definitions.view(line.text("view"));
      try (Lake lake = Lake.open(settings)) {
        List<Build.AsOfOutcome> outcomes = new Build(lake, console).build(view, asOfs, skip);
        if (asJson) {
          console.result(Json.of(result(view, outcomes)));
        }
      }
      return;
    }
    List<FeatureView> views = views(definitions, line.list("views"));
    try (Lake lake = Lake.open(settings)) {
      List<Build.ViewOutcome> outcomes = new Build(lake, console).buildAll(views, asOfs, skip);
      if (asJson) {
        List<BuildResult> results =
            outcomes.stream().map(outcome -> result(outcome.view(), outcome.asOfs())).toList();
        console.result(Json.of(new BuildResults(results)));
      }
      throwIfAnyFailed(outcomes);
    }
  }

  private static List<FeatureView> views(Definitions definitions, List<String> names) {
    List<FeatureView> views =
        names.equals(List.of("all"))
            ? List.copyOf(definitions.views())
            : names.stream().distinct().map(definitions::view).toList();
    if (views.isEmpty()) {
      throw new UsageException("views=: there are no feature views to build");
    }
    return views;
  }

  private static void throwIfAnyFailed(List<Build.ViewOutcome> outcomes) {
    List<String> failures =
        outcomes.stream()
            .flatMap(outcome -> outcome.failure().stream())
            .map(TarnException::getMessage)
            .toList();
    if (!failures.isEmpty()) {
      int built = outcomes.size() - failures.size();
      throw new TarnException(
          "%d of %s failed%s\n%s"
              .formatted(
                  failures.size(),
                  Plural.of(outcomes.size(), "feature view"),
                  built == 0
                      ? ""
                      : Plural.choose(built, "; the other is built", "; the others are built"),
                  String.join("\n", new LinkedHashSet<>(failures))));
    }
  }

  private static BuildResult result(FeatureView view, List<Build.AsOfOutcome> outcomes) {
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
    return new BuildResult(view.name(), view.definitionHash(), asOfs);
  }

  private record BuildResults(List<BuildResult> featureViews) {}

  private record BuildResult(String featureView, String definitionHash, List<AsOf> asOfs) {}

  private record AsOf(
      String asOf,
      boolean built,
      long rows,
      Optional<Long> changed,
      String snapshotId,
      double seconds) {}
}
