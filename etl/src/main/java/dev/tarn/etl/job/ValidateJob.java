package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.compute.ViewQuery;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;

/**
 * Runs the command {@code validate}: checks all definitions against each other and each view's SQL
 * against its features. Spark analyses the SQL and reads nothing but the schemas of sources that
 * declare none.
 */
public final class ValidateJob {

  private ValidateJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    Definitions definitions = Definitions.load(settings);
    Problems problems = new Problems();
    Summary summary;
    try (Lake lake = Lake.open(settings)) {
      for (FeatureView view : definitions.views()) {
        ViewQuery.check(lake.spark(), view, problems);
      }
      summary = summary(definitions, lake);
    }
    problems.throwIfAny();
    for (Source source : definitions.sources()) {
      if (source.timestamp().isEmpty()) {
        console.say(
            "warning: %s: source '%s' has no timestamp, so a build sees all of its rows, also what came after its as-of; if they have a time, say timestamp = … (a column or an expression)",
            source.position(), source.name());
      }
    }
    line.optional("out").ifPresent(out -> write(Path.of(out), Json.pretty(summary) + "\n"));
    console.result(
        "All definitions are right: %s, %s, %s, %s."
            .formatted(
                Plural.of(definitions.entities().size(), "entity"),
                Plural.of(definitions.sources().size(), "source"),
                Plural.of(definitions.views().size(), "feature view"),
                Plural.of(definitions.services().size(), "feature service")));
  }

  /**
   * Summarizes what a scheduler must know of the definitions: which views and services there are.
   */
  private static Summary summary(Definitions definitions, Lake lake) {
    List<ViewSummary> views =
        definitions.views().stream()
            .map(
                view ->
                    new ViewSummary(
                        view.name(),
                        lake.sqlName(view.name()),
                        view.entity().name(),
                        view.description(),
                        view.owner(),
                        view.tags(),
                        view.definitionHash(),
                        view.live().flatMap(live -> view.windows()).map(w -> w.source().name())))
            .toList();
    List<ServiceSummary> services =
        definitions.services().stream()
            .map(
                service ->
                    new ServiceSummary(
                        service.name(),
                        service.entity().name(),
                        service.description(),
                        service.owner(),
                        definitions.views().stream()
                            .filter(service::uses)
                            .map(FeatureView::name)
                            .toList()))
            .toList();
    return new Summary(TarnVersion.current(), views, services);
  }

  private record Summary(
      String tarnVersion, List<ViewSummary> featureViews, List<ServiceSummary> featureServices) {}

  private record ViewSummary(
      String name,
      String table,
      String entity,
      String description,
      String owner,
      List<String> tags,
      String definitionHash,
      Optional<String> liveSource) {}

  private record ServiceSummary(
      String name, String entity, String description, String owner, List<String> featureViews) {}

  /** Writes the file whole or not at all, since a scheduler may read it at any moment. */
  private static void write(Path file, String text) {
    Path target = file.toAbsolutePath();
    Path half = target.resolveSibling("." + target.getFileName() + ".half");
    try {
      Files.writeString(half, text);
      Files.move(half, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new TarnException("can't write out=%s: %s".formatted(file, Causes.reason(e)), e);
    }
  }
}
