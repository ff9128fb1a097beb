package dev.tarn.etl.build;

import dev.tarn.cli.Settings;
import dev.tarn.etl.Console;
import dev.tarn.etl.Lake;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;

/**
 * The command {@code validate}: all definitions against each other and each view's SQL against its
 * features. Spark analyses the SQL and reads nothing but the schemas of sources that declare none.
 */
public final class ValidateJob {

  private ValidateJob() {}

  public static void run(Settings settings, Console console) {
    Definitions definitions = Definitions.load(settings);
    Problems problems = new Problems();
    try (Lake lake = Lake.open(settings)) {
      for (FeatureView view : definitions.views()) {
        ViewQuery.check(lake.spark(), view, problems);
      }
    }
    problems.throwIfAny();
    console.result(
        "All definitions are right: %d entities, %d sources, %d feature views, %d feature services."
            .formatted(
                definitions.entities().size(),
                definitions.sources().size(),
                definitions.views().size(),
                definitions.services().size()));
  }
}
