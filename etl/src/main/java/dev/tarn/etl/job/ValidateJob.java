package dev.tarn.etl.job;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.compute.ViewQuery;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Failures;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureService;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * The command {@code validate}: all definitions against each other and each view's SQL against its
 * features. Spark analyses the SQL and reads nothing but the schemas of sources that declare none.
 */
public final class ValidateJob {

  private static final Gson GSON =
      new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

  private ValidateJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    Definitions definitions = Definitions.load(settings);
    Problems problems = new Problems();
    JsonObject json;
    try (Lake lake = Lake.open(settings)) {
      for (FeatureView view : definitions.views()) {
        ViewQuery.check(lake.spark(), view, problems);
      }
      json = json(definitions, lake);
    }
    problems.throwIfAny();
    line.optional("out").ifPresent(out -> write(Path.of(out), GSON.toJson(json) + "\n"));
    console.result(
        "All definitions are right: %d entities, %d sources, %d feature views, %d feature services."
            .formatted(
                definitions.entities().size(),
                definitions.sources().size(),
                definitions.views().size(),
                definitions.services().size()));
  }

  /** What a scheduler must know of the definitions: which views and services there are. */
  private static JsonObject json(Definitions definitions, Lake lake) {
    JsonArray views = new JsonArray();
    for (FeatureView view : definitions.views()) {
      JsonObject object = new JsonObject();
      object.addProperty("name", view.name());
      object.addProperty("table", lake.sqlName(view.name()));
      object.addProperty("entity", view.entity().name());
      object.addProperty("description", view.description());
      object.addProperty("owner", view.owner());
      JsonArray tags = new JsonArray();
      view.tags().forEach(tags::add);
      object.add("tags", tags);
      object.addProperty("definition_hash", view.definitionHash());
      views.add(object);
    }
    JsonArray services = new JsonArray();
    for (FeatureService service : definitions.services()) {
      JsonObject object = new JsonObject();
      object.addProperty("name", service.name());
      object.addProperty("entity", service.entity().name());
      object.addProperty("description", service.description());
      object.addProperty("owner", service.owner());
      JsonArray used = new JsonArray();
      definitions.views().stream().filter(service::uses).map(FeatureView::name).forEach(used::add);
      object.add("feature_views", used);
      services.add(object);
    }
    JsonObject whole = new JsonObject();
    whole.addProperty("tarn_version", TarnVersion.current());
    whole.add("feature_views", views);
    whole.add("feature_services", services);
    return whole;
  }

  /** Whole or not at all: a scheduler may read the file at any moment. */
  private static void write(Path file, String text) {
    Path target = file.toAbsolutePath();
    Path half = target.resolveSibling("." + target.getFileName() + ".half");
    try {
      Files.writeString(half, text);
      Files.move(half, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new TarnException("can't write out=%s: %s".formatted(file, Failures.reason(e)), e);
    }
  }
}
