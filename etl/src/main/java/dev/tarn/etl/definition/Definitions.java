package dev.tarn.etl.definition;

import com.typesafe.config.Config;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.manifest.StoredService;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The definitions below {@code conf/features/}, checked against each other. Whether a view's SQL
 * gives its columns is checked by {@code compute.ViewQuery}.
 */
public final class Definitions {

  /**
   * The system property with the folder in which the user stands: messages name files as seen from
   * there. Without it they name them as seen from Tarn's own folder.
   */
  public static final String STANDING = "tarn.standing";

  private final Map<String, Entity> entities = new LinkedHashMap<>();
  private final Map<String, Source> sources = new LinkedHashMap<>();
  private final Map<String, FeatureView> views = new LinkedHashMap<>();
  private final Map<String, FeatureService> services = new LinkedHashMap<>();

  private Definitions() {}

  /**
   * Reads the folder that {@code definitions} of the settings names.
   *
   * @throws UsageException with every problem found, each with file, line and what to write instead
   */
  public static Definitions load(Settings settings) {
    Config tarn = settings.read(config -> config);
    // Nothing else: what a file can refer to can end in a message, and passwords must not.
    Config folders = tarn.withOnlyPath("home").withFallback(tarn.withOnlyPath("state"));
    Path standing =
        Optional.ofNullable(System.getProperty(STANDING)).map(Path::of).orElse(settings.home());
    return load(standing, Path.of(tarn.getString("definitions")), folders.atKey("tarn"));
  }

  /**
   * Reads a folder.
   *
   * @param base folder that the positions of files below it are relative to
   * @param substitutions values that {@code ${…}} may refer to besides the files themselves
   */
  static Definitions load(Path base, Path folder, Config substitutions) {
    Problems problems = new Problems();
    Names names = new Names(problems);
    Definitions definitions = new Definitions();
    List<Node> files = DefinitionFiles.read(base, folder, substitutions, problems);
    // By kind, not by file: a view may stand before its entity, or in another file.
    EntityReader entities = new EntityReader(problems, names);
    files.forEach(file -> entities.read(file, definitions.entities));
    SourceReader sources = new SourceReader(problems, names);
    files.forEach(file -> sources.read(file, definitions.sources));
    ViewReader views = new ViewReader(problems, names, definitions.entities, definitions.sources);
    files.forEach(file -> views.read(file, definitions.views));
    views.refuseAmbiguousFeatures(definitions.views());
    views.refuseNamesOfBases(definitions.views());
    ServiceReader services = new ServiceReader(problems, names, definitions.views);
    files.forEach(file -> services.read(file, definitions.services));
    files.forEach(Node::refuseUnknownKeys);
    problems.throwIfAny();
    return definitions;
  }

  public Collection<FeatureView> views() {
    return views.values();
  }

  public Collection<FeatureService> services() {
    return services.values();
  }

  /** The feature services that use any of these views, as servers read them. */
  public List<StoredService> storedServices(List<FeatureView> used) {
    return services.values().stream()
        .filter(service -> used.stream().anyMatch(service::uses))
        .map(FeatureService::stored)
        .toList();
  }

  public Collection<Entity> entities() {
    return entities.values();
  }

  public Collection<Source> sources() {
    return sources.values();
  }

  /**
   * A stream source by name.
   *
   * @throws UsageException if there is none, or it is another kind of source
   */
  public Source streamSource(String name) {
    Source source =
        Optional.ofNullable(sources.get(name))
            .orElseThrow(
                () ->
                    new UsageException(
                        "there is no source '%s'%s"
                            .formatted(name, Suggestion.forName(name, sources.keySet()))));
    if (source.stream().isEmpty()) {
      throw new UsageException(
          "source '%s' (%s) is no stream source: it has format = %s, and events come from format = kafka"
              .formatted(name, source.position(), source.format().name().toLowerCase(Locale.ROOT)));
    }
    return source;
  }

  /**
   * A view by name.
   *
   * @throws UsageException if there is none
   */
  public FeatureView view(String name) {
    return Optional.ofNullable(views.get(name))
        .orElseThrow(
            () ->
                new UsageException(
                    "there is no feature view '%s'%s"
                        .formatted(name, Suggestion.forName(name, views.keySet()))));
  }

  /**
   * A feature service by name.
   *
   * @throws UsageException if there is none
   */
  public FeatureService service(String name) {
    return Optional.ofNullable(services.get(name))
        .orElseThrow(
            () ->
                new UsageException(
                    "there is no feature service '%s'%s"
                        .formatted(name, Suggestion.forName(name, services.keySet()))));
  }
}
