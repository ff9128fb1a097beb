package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;

/** Reads the type that a definition declares for a key or a feature. */
final class DeclaredType {

  private DeclaredType() {}

  /** The type at {@code type}; empty if it is missing or can't be served, which is a problem. */
  static Optional<DataType> of(Node node, Problems problems) {
    return node.required("type", "bigint")
        .flatMap(
            text -> {
              Position position = node.position("type");
              try {
                DataType type = SparkTypes.parse(text);
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
}
