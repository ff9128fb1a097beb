package dev.tarn.etl.definition;

import com.google.protobuf.Value;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.FeatureView.History;
import dev.tarn.etl.definition.Source.Format;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser$;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructType;

/**
 * All definitions below {@code conf/features/}, checked against each other. What only the SQL can
 * tell (does it give these columns?) is checked by {@code build.ViewQuery}.
 */
public final class Definitions {

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,62}");
  private static final Set<DataType> KEY_TYPES =
      Set.of(DataTypes.StringType, DataTypes.IntegerType, DataTypes.LongType, DataTypes.DateType);

  /** Stands in for an entity that is not defined, so that the rest of its view is checked. */
  private static final String UNKNOWN = "";

  private final Problems problems = new Problems();
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
    return load(settings.home(), Path.of(tarn.getString("definitions")), folders.atKey("tarn"));
  }

  /**
   * Reads a folder.
   *
   * @param base what positions are told relative to
   * @param substitutions what {@code ${…}} may refer to besides the files themselves
   */
  static Definitions load(Path base, Path folder, Config substitutions) {
    Definitions definitions = new Definitions();
    List<Node> files = new ArrayList<>();
    for (Path file : confFiles(folder)) {
      files.add(new Node(base, definitions.problems, parse(base, file, substitutions).root()));
    }
    // By kind, not by file: a view may stand before its entity, or in another file.
    files.forEach(definitions::readEntities);
    files.forEach(definitions::readSources);
    files.forEach(definitions::readViews);
    definitions.refuseAmbiguousFeatures();
    files.forEach(definitions::readServices);
    files.forEach(Node::refuseUnknownKeys);
    definitions.problems.throwIfAny();
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

  private void readEntities(Node file) {
    for (Map.Entry<String, Node> entry : file.named("entities")) {
      Node node = entry.getValue();
      List<Entity.Key> keys = new ArrayList<>();
      for (Node key : node.list("keys", "[{ name = user_id, type = bigint }]")) {
        Optional<String> name = key.required("name", "user_id");
        Optional<DataType> type = type(key);
        key.refuseUnknownKeys();
        if (type.isPresent() && !KEY_TYPES.contains(type.get())) {
          problems.add(
              key.position("type"),
              "a key can't be %s: use string, int, bigint or date"
                  .formatted(type.get().simpleString()));
        }
        if (name.filter(FeatureView.RESERVED::contains).isPresent()) {
          problems.add(
              key.position("name"),
              "'%s' is a column of feature tables already; a key needs another name"
                  .formatted(name.get()));
        }
        if (name.isPresent() && type.isPresent() && isName(name.get(), key.position("name"))) {
          keys.add(new Entity.Key(name.get(), type.get()));
        }
      }
      refuseDuplicates("key", keys, Entity.Key::name, key -> node.position("keys"));
      if (!node.has("keys") || (keys.isEmpty() && problems.isEmpty())) {
        problems.add(
            node.position(), "keys is missing: keys = [{ name = user_id, type = bigint }]");
      }
      Entity entity =
          new Entity(
              entry.getKey(),
              keys,
              node.text("description").orElse(""),
              node.text("owner").orElse(""),
              node.position());
      node.refuseUnknownKeys();
      put(entities, "entity", entity.name(), entity, Entity::position);
    }
  }

  private void readSources(Node file) {
    for (Map.Entry<String, Node> entry : file.named("sources")) {
      Node node = entry.getValue();
      Optional<Format> format = format(node);
      boolean isTable = format.equals(Optional.of(Format.ICEBERG));
      Optional<String> location =
          isTable
              ? node.required("table", "tarn.raw.transactions")
              : node.required("path", "\"s3://lake/transactions\"");
      Optional<StructType> schema = schema(node);
      Map<String, String> options = new TreeMap<>();
      node.object("options")
          .ifPresent(
              given ->
                  given
                      .keys()
                      .forEach(key -> given.text(key).ifPresent(text -> options.put(key, text))));
      boolean isText = format.filter(kind -> kind == Format.CSV || kind == Format.JSON).isPresent();
      if (isText && !node.has("schema")) {
        problems.add(
            node.position(),
            "schema is missing, and a guess would change with the data:"
                + " schema = \"user_id BIGINT, amount DECIMAL(10,2)\"");
      }
      if (isTable && schema.isPresent()) {
        problems.add(node.position("schema"), "an Iceberg table brings its own schema");
      }
      Optional<String> timestamp = node.text("timestamp");
      node.refuseUnknownKeys();
      if (format.isPresent() && location.isPresent()) {
        Source source =
            new Source(
                entry.getKey(),
                format.get(),
                location.get(),
                schema,
                timestamp,
                options,
                node.position());
        put(sources, "source", source.name(), source, Source::position);
      }
    }
  }

  private Optional<Format> format(Node node) {
    return node.required("format", "parquet")
        .flatMap(
            text -> {
              Optional<Format> format =
                  Stream.of(Format.values())
                      .filter(value -> value.name().equalsIgnoreCase(text))
                      .findFirst();
              if (format.isEmpty()) {
                List<String> known =
                    Stream.of(Format.values())
                        .map(value -> value.name().toLowerCase(Locale.ROOT))
                        .toList();
                problems.add(
                    node.position("format"),
                    "there is no format '%s'%s".formatted(text, Suggestion.forName(text, known)));
              }
              return format;
            });
  }

  private Optional<StructType> schema(Node node) {
    return node.text("schema")
        .flatMap(
            ddl -> {
              try {
                return Optional.of(StructType.fromDDL(ddl));
              } catch (Exception e) { // Scala does not declare ParseException
                problems.add(
                    node.position("schema"),
                    "schema does not parse, e.g. \"user_id BIGINT, amount DECIMAL(10,2)\": "
                        + firstLine(e));
                return Optional.empty();
              }
            });
  }

  private void readViews(Node file) {
    for (Map.Entry<String, Node> entry : file.named("feature-views")) {
      Node node = entry.getValue();
      Optional<Entity> entity =
          node.required("entity", "user")
              .flatMap(name -> known(entities, "entity", name, node.position("entity")));
      List<Source> used = new ArrayList<>();
      for (Map.Entry<String, Position> source : node.texts("sources")) {
        known(sources, "source", source.getKey(), source.getValue()).ifPresent(used::add);
      }
      if (!node.has("sources")) {
        problems.add(node.position(), "sources is missing: sources = [transactions]");
      }
      Optional<String> sql =
          node.required("sql", "\"\"\"SELECT … FROM … WHERE … :as_of … GROUP BY …\"\"\"");
      List<Feature> features = readFeatures(node, entity);
      List<Check> checks =
          node.object("checks").map(given -> readChecks(given, features)).orElse(List.of());
      FeatureView view =
          new FeatureView(
              entry.getKey(),
              entity.orElse(new Entity(UNKNOWN, List.of(), "", "", node.position())),
              used,
              sql.orElse(""),
              features,
              history(node),
              node.duration("max-age"),
              checks,
              node.text("description").orElse(""),
              node.text("owner").orElse(""),
              tags(node),
              node.position(),
              node.position("sql"));
      node.refuseUnknownKeys();
      put(views, "feature view", view.name(), view, FeatureView::position);
    }
  }

  private History history(Node view) {
    Optional<String> given = view.text("history");
    if (given.isEmpty() || given.get().equals("full")) {
      return History.FULL;
    }
    if (!given.get().equals("changes")) {
      problems.add(
          view.position("history"),
          "there is no history '%s'%s"
              .formatted(given.get(), Suggestion.forName(given.get(), List.of("full", "changes"))));
    }
    return History.CHANGES;
  }

  private List<Feature> readFeatures(Node view, Optional<Entity> entity) {
    List<Feature> features = new ArrayList<>();
    for (Node node : view.list("features", "[{ name = txn_count_7d, type = bigint }]")) {
      Optional<String> name = node.required("name", "txn_count_7d");
      Optional<DataType> type = type(node);
      Optional<Value> byDefault = Optional.empty();
      Optional<ConfigValue> given = node.value("default");
      if (given.isPresent() && type.isPresent()) {
        byDefault = DefaultValues.of(given.get(), type.get());
        if (byDefault.isEmpty()) {
          problems.add(
              node.position("default"),
              DefaultValues.isPossible(type.get())
                  ? "default = %s is not a value of type %s"
                      .formatted(given.get().unwrapped(), type.get().simpleString())
                  : "a feature of type %s can't have a default"
                      .formatted(type.get().simpleString()));
        }
      }
      Optional<String> was = node.text("was");
      String description = node.text("description").orElse("");
      String owner = node.text("owner").orElse("");
      List<String> tags = tags(node);
      node.refuseUnknownKeys();
      if (name.isEmpty() || type.isEmpty() || !isName(name.get(), node.position("name"))) {
        continue;
      }
      if (FeatureView.RESERVED.contains(name.get())
          || entity.filter(e -> e.keyNames().contains(name.get())).isPresent()) {
        problems.add(
            node.position("name"),
            "'%s' is a column of feature tables already; a feature needs another name"
                .formatted(name.get()));
      }
      features.add(
          new Feature(
              name.get(), type.get(), byDefault, was, description, owner, tags, node.position()));
    }
    refuseDuplicates("feature", features, Feature::name, Feature::position);
    refuseWrongWas(features, entity);
    if (!view.has("features")) {
      problems.add(
          view.position(), "features is missing: features = [{ name = amount, type = double }]");
    }
    return features;
  }

  /** A column can be renamed to one feature only, and not while it is needed under its name. */
  private void refuseWrongWas(List<Feature> features, Optional<Entity> entity) {
    Set<String> taken =
        features.stream().map(Feature::name).collect(Collectors.toCollection(HashSet::new));
    taken.addAll(FeatureView.RESERVED);
    entity.ifPresent(known -> taken.addAll(known.keyNames()));
    for (Feature feature : features) {
      if (feature.was().isPresent() && !taken.add(feature.was().get())) {
        problems.add(
            feature.position(),
            "was = %s: '%s' is a column of this view still, or renamed twice"
                .formatted(feature.was().get(), feature.was().get()));
      }
    }
  }

  private List<Check> readChecks(Node node, List<Feature> features) {
    List<Check> checks = new ArrayList<>();
    Map<String, Feature> byName =
        features.stream()
            .collect(Collectors.toMap(Feature::name, f -> f, (a, b) -> a, LinkedHashMap::new));
    for (Map.Entry<String, Position> name : node.texts("not-null")) {
      known(byName, "feature", name.getKey(), name.getValue())
          .ifPresent(feature -> checks.add(new Check.NotNull(feature.name(), name.getValue())));
    }
    for (Map.Entry<String, Node> range : node.named("range")) {
      Node bounds = range.getValue();
      Optional<Double> min = bounds.number("min");
      Optional<Double> max = bounds.number("max");
      bounds.refuseUnknownKeys();
      if (min.isEmpty() && max.isEmpty()) {
        problems.add(bounds.position(), "a range has min, max or both");
      }
      known(byName, "feature", range.getKey(), bounds.position())
          .ifPresent(
              feature -> {
                if (!(feature.type() instanceof NumericType)) {
                  // Spark would turn the values into numbers or nulls, and nulls pass.
                  problems.add(
                      bounds.position(),
                      "a range is for numbers, and '%s' is %s"
                          .formatted(feature.name(), feature.type().simpleString()));
                }
                checks.add(new Check.Range(feature.name(), min, max, bounds.position()));
              });
    }
    node.object("accepted-values")
        .ifPresent(
            accepted -> {
              for (String name : new java.util.TreeSet<>(accepted.keys())) {
                List<String> values = accepted.texts(name).stream().map(Map.Entry::getKey).toList();
                Position position = accepted.position(name);
                known(byName, "feature", name, position)
                    .ifPresent(f -> checks.add(new Check.AcceptedValues(name, values, position)));
              }
            });
    node.number("min-rows")
        .ifPresent(
            rows -> {
              if (rows != Math.rint(rows) || rows < 0) {
                problems.add(node.position("min-rows"), "min-rows is a whole number from 0 up");
              }
              checks.add(new Check.MinRows(rows.longValue(), node.position("min-rows")));
            });
    node.number("max-row-count-change")
        .ifPresent(
            share -> {
              Position position = node.position("max-row-count-change");
              if (share < 0) {
                problems.add(position, "max-row-count-change is a share from 0 up: 0.1 is a tenth");
              }
              checks.add(new Check.MaxRowCountChange(share, position));
            });
    node.refuseUnknownKeys();
    return checks;
  }

  /** A feature is asked for by entity and name, so an entity can't have two of one name. */
  private void refuseAmbiguousFeatures() {
    Map<String, FeatureView> first = new HashMap<>();
    for (FeatureView view : views.values()) {
      if (isUnknown(view.entity())) {
        continue;
      }
      for (Feature feature : view.features()) {
        FeatureView other = first.putIfAbsent(view.entity().name() + " " + feature.name(), view);
        if (other != null && !other.name().equals(view.name())) {
          problems.add(
              feature.position(),
              "entity '%s' has a feature '%s' in view '%s' already; give this one another name"
                  .formatted(view.entity().name(), feature.name(), other.name()));
        }
      }
    }
  }

  private void readServices(Node file) {
    for (Map.Entry<String, Node> entry : file.named("feature-services")) {
      Node node = entry.getValue();
      Set<String> features = new LinkedHashSet<>();
      Set<Entity> used = new LinkedHashSet<>();
      List<FeatureTransforms> transforms = new ArrayList<>();
      for (Node.Element element : node.elements("features", "[user_activity.amount]")) {
        Optional<String> name =
            element
                .text()
                .or(() -> element.node().flatMap(n -> n.required("feature", "view.feature")));
        Optional<FeatureView> view =
            name.flatMap(given -> readServiceFeature(given, element.position()));
        if (view.isPresent()) {
          used.add(view.get().entity());
          if (!features.add(name.get())) {
            problems.add(element.position(), "'%s' is listed twice".formatted(name.get()));
          }
        }
        element
            .node()
            .ifPresent(
                given -> readTransforms(given, view, name.orElse("")).ifPresent(transforms::add));
      }
      if (!node.has("features")) {
        problems.add(node.position(), "features is missing: features = [user_activity.amount]");
      }
      if (used.size() > 1 && used.stream().noneMatch(Definitions::isUnknown)) {
        problems.add(
            node.position("features"),
            "features of one entity only, and these are of "
                + used.stream().map(Entity::name).collect(Collectors.joining(" and ")));
      }
      String description = node.text("description").orElse("");
      String owner = node.text("owner").orElse("");
      node.refuseUnknownKeys();
      used.stream()
          .findFirst()
          .ifPresent(
              entity ->
                  put(
                      services,
                      "feature service",
                      entry.getKey(),
                      new FeatureService(
                          entry.getKey(),
                          entity,
                          List.copyOf(features),
                          List.copyOf(transforms),
                          description,
                          owner,
                          node.position()),
                      FeatureService::position));
    }
  }

  private Optional<FeatureTransforms> readTransforms(
      Node given, Optional<FeatureView> view, String name) {
    Optional<FeatureType> type =
        view.flatMap(of -> of.feature(name.substring(name.indexOf('.') + 1)))
            .flatMap(feature -> SparkTypes.stored(feature.type()));
    if (type.isEmpty()) {
      // Said already; what its transforms may be depends on it.
      return Optional.empty();
    }
    FeatureTransforms transforms =
        FeatureTransforms.newBuilder()
            .setFeatureName(name)
            .addAllSteps(new TransformReader(problems).read(given, type.get()))
            .build();
    given.refuseUnknownKeys();
    return Optional.of(transforms);
  }

  private static boolean isUnknown(Entity entity) {
    return entity.name().equals(UNKNOWN);
  }

  private Optional<FeatureView> readServiceFeature(String name, Position position) {
    int dot = name.indexOf('.');
    if (dot < 1) {
      problems.add(position, "'%s' is not view.feature".formatted(name));
      return Optional.empty();
    }
    Optional<FeatureView> view = known(views, "feature view", name.substring(0, dot), position);
    if (view.isPresent() && view.get().feature(name.substring(dot + 1)).isEmpty()) {
      List<String> names = view.get().features().stream().map(Feature::name).toList();
      problems.add(
          position,
          "view '%s' has no feature '%s'%s"
              .formatted(
                  view.get().name(),
                  name.substring(dot + 1),
                  Suggestion.forName(name.substring(dot + 1), names)));
      return Optional.empty();
    }
    return view;
  }

  private Optional<DataType> type(Node node) {
    return node.required("type", "bigint")
        .flatMap(
            text -> {
              Position position = node.position("type");
              try {
                DataType type = CatalystSqlParser$.MODULE$.parseDataType(text);
                if (SparkTypes.stored(type).isPresent()) {
                  if (SparkTypes.depth(type) > SparkTypes.MAX_DEPTH) {
                    problems.add(
                        position,
                        "type %s is nested deeper than %d".formatted(text, SparkTypes.MAX_DEPTH));
                  }
                  return Optional.of(type);
                }
                problems.add(
                    position,
                    "type %s can't be served exactly; there are: %s"
                        .formatted(text, SparkTypes.SUPPORTED));
              } catch (Exception e) { // Scala does not declare ParseException
                problems.add(
                    position,
                    "'%s' is not a type%s"
                        .formatted(
                            text,
                            Suggestion.forName(text, List.of(SparkTypes.SUPPORTED.split(", ")))));
              }
              return Optional.empty();
            });
  }

  private static List<String> tags(Node node) {
    return node.texts("tags").stream().map(Map.Entry::getKey).toList();
  }

  private boolean isName(String name, Position position) {
    if (NAME.matcher(name).matches()) {
      return true;
    }
    problems.add(
        position,
        "'%s' is not a name: use lower-case letters, digits and '_', with a letter first"
            .formatted(name));
    return false;
  }

  private <T> void put(
      Map<String, T> map, String kind, String name, T value, Function<T, Position> position) {
    if (!isName(name, position.apply(value))) {
      return;
    }
    T before = map.putIfAbsent(name, value);
    if (before != null) {
      problems.add(
          position.apply(value),
          "%s '%s' is defined at %s already".formatted(kind, name, position.apply(before)));
    }
  }

  private <T> Optional<T> known(Map<String, T> map, String kind, String name, Position position) {
    if (!map.containsKey(name)) {
      problems.add(
          position,
          "there is no %s '%s'%s".formatted(kind, name, Suggestion.forName(name, map.keySet())));
    }
    return Optional.ofNullable(map.get(name));
  }

  private <T> void refuseDuplicates(
      String kind, List<T> list, Function<T, String> name, Function<T, Position> position) {
    Map<String, T> seen = new HashMap<>();
    for (T element : list) {
      T before = seen.putIfAbsent(name.apply(element), element);
      if (before != null) {
        problems.add(
            position.apply(element),
            "%s '%s' is there already, at %s"
                .formatted(kind, name.apply(element), position.apply(before)));
      }
    }
  }

  private static List<Path> confFiles(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UsageException(
          "no definitions: there is no folder %s (setting 'definitions')".formatted(folder));
    }
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> found =
          files
              .filter(file -> file.getFileName().toString().endsWith(".conf"))
              .filter(Files::isRegularFile)
              .sorted()
              .toList();
      if (found.isEmpty()) {
        throw new UsageException(
            "no definitions: there is no *.conf file in or below %s (setting 'definitions')"
                .formatted(folder));
      }
      return found;
    } catch (IOException | UncheckedIOException e) {
      throw new UsageException(
          "can't read the definitions at %s (setting 'definitions'): %s".formatted(folder, e), e);
    }
  }

  private static Config parse(Path base, Path file, Config substitutions) {
    try {
      ConfigParseOptions strict = ConfigParseOptions.defaults().setAllowMissing(false);
      Config parsed = ConfigFactory.parseFile(file.toFile(), strict);
      if (parsed.hasPath("tarn")) {
        throw new ConfigException.Generic(
            parsed.getValue("tarn").origin().description() + ": settings go to conf/tarn.conf");
      }
      return parsed.withFallback(substitutions).resolve().withoutPath("tarn");
    } catch (ConfigException e) {
      ConfigOrigin origin = e.origin();
      Position position =
          new Position(
              base.toAbsolutePath().relativize(file.toAbsolutePath()).toString(),
              origin == null ? 1 : Math.max(1, origin.lineNumber()));
      String message = e.getMessage();
      // It begins with the file and line, which position says already.
      int prefix = origin == null ? -1 : message.indexOf(origin.description() + ": ");
      throw new UsageException(
          "1 problem in the definitions\n  %s: %s"
              .formatted(
                  position,
                  prefix < 0
                      ? message
                      : message.substring(prefix + origin.description().length() + 2)),
          e);
    }
  }

  private static String firstLine(Throwable e) {
    return e.getMessage().strip().lines().findFirst().orElse("");
  }
}
