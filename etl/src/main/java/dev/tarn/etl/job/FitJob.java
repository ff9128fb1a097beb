package dev.tarn.etl.job;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureService;
import dev.tarn.etl.fit.Fit;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.train.TrainingRows;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.redis.ControlJson;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the command {@code fit}: fits the transforms of a feature service. */
public final class FitJob {

  private FitJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    Definitions definitions = Definitions.load(settings);
    FeatureService service = definitions.service(line.text("service"));
    VersionStore versions = new VersionStore(RedisServers.connect(settings));
    if (line.has("spine") && line.has("snapshot")) {
      throw new UsageException("fit takes snapshot= or spine=, not both; with a spine at= pins");
    }
    if (!line.has("spine")) {
      refuseOfSpine(line);
    }
    try (Lake lake = Lake.open(settings)) {
      Fit fit = new Fit(lake, versions);
      Fit.Fitted fitted =
          line.has("spine")
              ? fit.fit(service, TrainingRows.of(line, lake, settings, console))
              : fit.fit(definitions, service, line.list("snapshot"));
      console.result(asJson ? json(fitted) : table(fitted.service()));
      fitted.notes().forEach(note -> console.say("%s", note));
      console.say("feature service %s is fitted, and the servers know", service.name());
    }
  }

  private static void refuseOfSpine(CommandLine line) {
    for (String argument : List.of("where", "time", "types", "options", "at", "as")) {
      if (line.has(argument) || !line.byView(argument).isEmpty()) {
        throw new UsageException("%s= goes with spine=…: the rows to fit on".formatted(argument));
      }
    }
  }

  private static String table(StoredService fitted) {
    TextTable snapshots = new TextTable("feature view", "snapshot id");
    fitted
        .getFittedOnList()
        .forEach(on -> snapshots.row(on.getFeatureView(), Long.toString(on.getSnapshotId())));
    TextTable transforms = new TextTable("feature", "transform");
    fitted
        .getTransformsList()
        .forEach(
            feature ->
                feature
                    .getStepsList()
                    .forEach(step -> transforms.row(feature.getFeatureName(), print(step))));
    return snapshots + "\n\n" + transforms;
  }

  private static String json(Fit.Fitted result) {
    StoredService fitted = result.service();
    Map<String, String> snapshots = new LinkedHashMap<>();
    // Snapshot ids are beyond what JSON readers keep exactly, so they go out as strings.
    fitted
        .getFittedOnList()
        .forEach(on -> snapshots.put(on.getFeatureView(), Long.toString(on.getSnapshotId())));
    Map<String, List<JsonElement>> transforms = new LinkedHashMap<>();
    fitted
        .getTransformsList()
        .forEach(
            feature ->
                transforms.put(
                    feature.getFeatureName(),
                    feature.getStepsList().stream()
                        .map(FitJob::print)
                        .map(JsonParser::parseString)
                        .toList()));
    return Json.of(new FitResult(fitted.getName(), snapshots, transforms, result.notes()));
  }

  private static String print(Transform step) {
    return ControlJson.print(step.toBuilder().clearFit().build());
  }

  private record FitResult(
      String featureService,
      Map<String, String> snapshots,
      Map<String, List<JsonElement>> transforms,
      List<String> notes) {}
}
