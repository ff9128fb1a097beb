package dev.tarn.etl.job;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.compute.AsOfs;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.List;

/** Runs the command {@code build}: computes a view for one as-of or several and publishes them. */
public final class BuildJob {

  private BuildJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    List<Instant> asOfs = AsOfs.of(line, Instant.now());
    boolean skip = !line.has("as-of") && !line.flag("rebuild");
    boolean asJson = line.isJson();
    FeatureView view = Definitions.load(settings).view(line.text("view"));
    try (Lake lake = Lake.open(settings)) {
      List<Build.Outcome> outcomes = new Build(lake, console).build(view, asOfs, skip);
      if (asJson) {
        console.result(json(view, outcomes));
      }
    }
  }

  private static String json(FeatureView view, List<Build.Outcome> outcomes) {
    JsonArray asOfs = new JsonArray();
    for (Build.Outcome outcome : outcomes) {
      JsonObject object = new JsonObject();
      object.addProperty("as_of", outcome.asOf().toString());
      object.addProperty("built", outcome.built());
      object.addProperty("rows", outcome.rows());
      outcome.changed().ifPresent(changed -> object.addProperty("changed", changed));
      object.addProperty("snapshot_id", Long.toString(outcome.snapshotId()));
      object.addProperty("seconds", outcome.took().toMillis() / 1000.0);
      asOfs.add(object);
    }
    JsonObject whole = new JsonObject();
    whole.addProperty("feature_view", view.name());
    whole.addProperty("definition_hash", view.definitionHash());
    whole.add("as_ofs", asOfs);
    return whole.toString();
  }
}
