package dev.tarn.etl.definition;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.NumericType;

/** Reads the checks of a feature view. */
final class CheckReader {

  private final Problems problems;
  private final Names names;

  CheckReader(Problems problems, Names names) {
    this.problems = problems;
    this.names = names;
  }

  /** The checks in the object at {@code checks} of a view with these features. */
  List<Check> read(Node node, List<Feature> features) {
    List<Check> checks = new ArrayList<>();
    Map<String, Feature> byName =
        features.stream()
            .collect(Collectors.toMap(Feature::name, f -> f, (a, b) -> a, LinkedHashMap::new));
    for (Map.Entry<String, Position> name : node.texts("not-null")) {
      names
          .known(byName, "feature", name.getKey(), name.getValue())
          .ifPresent(feature -> checks.add(new Check.NotNull(feature.name(), name.getValue())));
    }
    for (Map.Entry<String, Node> range : node.named("range")) {
      Node bounds = range.getValue();
      Optional<BigDecimal> min = bounds.decimal("min");
      Optional<BigDecimal> max = bounds.decimal("max");
      bounds.refuseUnknownKeys();
      if (min.isEmpty() && max.isEmpty()) {
        problems.add(bounds.position(), "a range has min, max or both");
      }
      names
          .known(byName, "feature", range.getKey(), bounds.position())
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
              for (String name : new TreeSet<>(accepted.keys())) {
                Position position = accepted.position(name);
                names
                    .known(byName, "feature", name, position)
                    .ifPresent(f -> checks.add(accepted(f, accepted.texts(name), position)));
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

  private Check accepted(
      Feature feature, List<Map.Entry<String, Position>> values, Position position) {
    for (Map.Entry<String, Position> value : values) {
      if (feature.type() instanceof NumericType
          && DefaultValues.number(value.getKey(), feature.type()).isEmpty()) {
        problems.add(
            value.getValue(),
            "'%s' has no value %s: it is %s"
                .formatted(feature.name(), value.getKey(), feature.type().simpleString()));
      }
    }
    return new Check.AcceptedValues(
        feature.name(), feature.type(), values.stream().map(Map.Entry::getKey).toList(), position);
  }
}
