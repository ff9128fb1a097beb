package dev.tarn.etl.definition;

import com.google.protobuf.Value;
import com.typesafe.config.ConfigValue;
import dev.tarn.cli.Hocon;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.DataType;

/** Reads the features of a feature view. */
final class FeatureReader {

  private final Problems problems;
  private final Names names;

  FeatureReader(Problems problems, Names names) {
    this.problems = problems;
    this.names = names;
  }

  /**
   * The features in the list at {@code features} of a view.
   *
   * @param typeOf reads what says the type of a feature
   * @param example of the list, for messages
   */
  List<Feature> read(
      Node view,
      Optional<Entity> entity,
      Function<Node, Optional<DataType>> typeOf,
      String example) {
    List<Feature> features = new ArrayList<>();
    for (Node node : view.list("features", example)) {
      Optional<String> name = node.required("name", "txn_count_7d");
      Optional<DataType> type = typeOf.apply(node);
      Optional<Value> byDefault = Optional.empty();
      Optional<ConfigValue> given = node.value("default");
      if (given.isPresent() && type.isPresent()) {
        byDefault = DefaultValues.of(given.get(), type.get());
        if (byDefault.isEmpty()) {
          problems.add(
              node.position("default"),
              DefaultValues.isPossible(type.get())
                  ? "default = %s is not a value of type %s%s"
                      .formatted(
                          Hocon.text(given.get()),
                          type.get().simpleString(),
                          DefaultValues.remedy(given.get(), type.get()))
                  : "a feature of type %s can't have a default"
                      .formatted(type.get().simpleString()));
        }
      }
      Optional<String> was = node.text("was");
      String description = node.text("description").orElse("");
      String owner = node.text("owner").orElse("");
      List<String> tags = node.names("tags");
      node.refuseUnknownKeys();
      if (name.isEmpty() || type.isEmpty() || !names.isName(name.get(), node.position("name"))) {
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
    names.refuseDuplicates("feature", features, Feature::name, Feature::position);
    refuseWrongWas(features, entity);
    if (!view.has("features")) {
      problems.add(view.position(), "features is missing: features = " + example);
    }
    return features;
  }

  /** Refuses to rename a column to two features, or while it is needed under its own name. */
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
}
