package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Reads the feature services of a definition file. */
final class ServiceReader {

  private final Problems problems;
  private final Names names;
  private final Map<String, FeatureView> views;

  ServiceReader(Problems problems, Names names, Map<String, FeatureView> views) {
    this.problems = problems;
    this.names = names;
    this.views = views;
  }

  /** Adds the services below {@code feature-services} to those read before. */
  void read(Node file, Map<String, FeatureService> services) {
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
        Optional<FeatureView> view = name.flatMap(given -> viewOf(given, element.position()));
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
      if (used.size() > 1 && used.stream().noneMatch(Entity::isUnknown)) {
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
                  names.put(
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
      // The problem is noted already, and the type decides which transforms are allowed.
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

  /** The view of a feature that is given as {@code view.feature}. */
  private Optional<FeatureView> viewOf(String name, Position position) {
    int dot = name.indexOf('.');
    if (dot < 1) {
      problems.add(position, "'%s' is not view.feature".formatted(name));
      return Optional.empty();
    }
    Optional<FeatureView> view =
        names.known(views, "feature view", name.substring(0, dot), position);
    if (view.isPresent() && view.get().feature(name.substring(dot + 1)).isEmpty()) {
      List<String> known = view.get().features().stream().map(Feature::name).toList();
      problems.add(
          position,
          "view '%s' has no feature '%s'%s"
              .formatted(
                  view.get().name(),
                  name.substring(dot + 1),
                  Suggestion.forName(name.substring(dot + 1), known)));
      return Optional.empty();
    }
    return view;
  }
}
