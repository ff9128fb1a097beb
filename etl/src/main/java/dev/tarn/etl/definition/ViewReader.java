package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import dev.tarn.etl.definition.FeatureView.History;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.types.StructType;

/** Reads the feature views of a definition file. */
final class ViewReader {

  private static final String FEATURES = "[{ name = amount, type = double }]";
  private static final String WINDOW_FEATURES =
      "[{ name = orders_7d, aggregate = count, window = 7d }]";

  private final Problems problems;
  private final Names names;
  private final Map<String, Entity> entities;
  private final Map<String, Source> sources;
  private final FeatureReader features;
  private final CheckReader checks;

  ViewReader(
      Problems problems, Names names, Map<String, Entity> entities, Map<String, Source> sources) {
    this.problems = problems;
    this.names = names;
    this.entities = entities;
    this.sources = sources;
    features = new FeatureReader(problems, names);
    checks = new CheckReader(problems, names);
  }

  /** Adds the views below {@code feature-views} to those read before. */
  void read(Node file, Map<String, FeatureView> views) {
    for (Map.Entry<String, Node> entry : file.named("feature-views")) {
      Node node = entry.getValue();
      Optional<Entity> entity =
          node.required("entity", "user")
              .flatMap(name -> names.known(entities, "entity", name, node.position("entity")));
      boolean isWindowView =
          node.has("source") || (!node.has("sql") && node.anyHas("features", "aggregate"));
      Optional<Source> source = isWindowView ? eventSource(node) : Optional.empty();
      WindowReader windows = new WindowReader(problems, source);
      List<Feature> given =
          isWindowView
              ? features.read(node, entity, windows::type, WINDOW_FEATURES)
              : features.read(
                  node, entity, feature -> DeclaredType.of(feature, problems), FEATURES);
      Computation computation =
          isWindowView
              ? windows(entry.getKey(), node, source, entity, windows.features())
              : query(node);
      List<Check> givenChecks =
          node.object("checks").map(object -> checks.read(object, given)).orElse(List.of());
      FeatureView view =
          new FeatureView(
              entry.getKey(),
              entity.orElse(Entity.unknown(node.position())),
              computation,
              given,
              history(node),
              node.duration("max-age"),
              givenChecks,
              node.text("description").orElse(""),
              node.text("owner").orElse(""),
              node.names("tags"),
              node.position());
      node.refuseUnknownKeys();
      names.put(views, "feature view", view.name(), view, FeatureView::position);
    }
  }

  private SqlQuery query(Node node) {
    List<Source> used = new ArrayList<>();
    for (Map.Entry<String, Position> source : node.texts("sources")) {
      names.known(sources, "source", source.getKey(), source.getValue()).ifPresent(used::add);
    }
    if (!node.has("sources")) {
      problems.add(
          node.position(),
          "sources is missing: sources = [transactions] for SQL, or source = transactions for windows");
    }
    Optional<String> sql =
        node.required("sql", "\"\"\"SELECT … FROM … WHERE … :as_of … GROUP BY …\"\"\"");
    return new SqlQuery(sql.orElse(""), used, node.position("sql"));
  }

  private Optional<Source> eventSource(Node node) {
    String key = node.has("source") ? "source" : "sources";
    Optional<String> given;
    if (node.isList(key)) {
      List<String> several = node.names(key);
      given = several.size() == 1 ? Optional.of(several.get(0)) : Optional.empty();
      problems.add(
          node.position(key),
          "a window view has one source, and not a list: source = "
              + (several.isEmpty() ? "payments" : several.get(0)));
    } else {
      given = node.text(key);
      if (key.equals("sources")) {
        problems.add(
            node.position(key),
            node.has(key)
                ? "a window view has one source: source = " + given.orElse("payments")
                : "source is missing: source = payments");
      }
    }
    Optional<Source> source =
        given.flatMap(name -> names.known(sources, "source", name, node.position(key)));
    if (source.isPresent() && source.get().timestamp().isEmpty()) {
      problems.add(
          node.position(key),
          "source '%s' has no timestamp, so its rows are no events; say timestamp = … in the source (%s)"
              .formatted(source.get().name(), source.get().position()));
    }
    for (String other : List.of("sql", "sources")) {
      if (!other.equals(key) && node.has(other)) {
        problems.add(
            node.position(other),
            "a view has sources and sql, or source and aggregates: leave out %s or source"
                .formatted(other));
      }
    }
    return source;
  }

  private Windows windows(
      String view,
      Node node,
      Optional<Source> source,
      Optional<Entity> entity,
      List<WindowFeature> aggregates) {
    Map<String, String> keys = node.flat("keys");
    for (String key : keys.keySet()) {
      if (entity.isPresent() && !entity.get().keyNames().contains(key)) {
        problems.add(
            node.position("keys"),
            "keys: '%s' is no key of entity '%s'%s"
                .formatted(
                    key, entity.get().name(), Suggestion.forName(key, entity.get().keyNames())));
      }
    }
    Windows windows =
        new Windows(
            source.orElse(Source.unknown(node.position())),
            keys,
            node.text("where"),
            aggregates,
            LiveReader.read(node, source, aggregates, problems),
            node.position("keys"),
            node.position("where"));
    Optional<StructType> columns = source.flatMap(Source::columns);
    if (columns.isPresent()) {
      // Other sources are looked at when all definitions are known to be right.
      entity.ifPresent(of -> windows.checkKeys(view, node.position(), of, columns.get(), problems));
      windows.checkWhere(columns.get(), problems);
    }
    return windows;
  }

  /** Refuses two features of one name for an entity, since lookups ask by entity and name. */
  void refuseAmbiguousFeatures(Collection<FeatureView> views) {
    Map<String, FeatureView> first = new HashMap<>();
    for (FeatureView view : views) {
      if (view.entity().isUnknown()) {
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

  /** Refuses views whose feature table would be where the bases of a live view go. */
  void refuseNamesOfBases(Collection<FeatureView> views) {
    for (FeatureView live : views) {
      for (FeatureView other : views) {
        if (live.live().isPresent() && other.name().equals(live.name() + FeatureView.BASE_SUFFIX)) {
          problems.add(
              other.position(),
              "the table '%s' has the bases of live view '%s' (%s): give this view another name"
                  .formatted(other.name(), live.name(), live.position()));
        }
      }
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
}
