package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Aggregates over the events of one source: the computation of a window view.
 *
 * @param keys Spark SQL on one event for key columns of the entity that the source does not have
 *     under their names
 * @param where Spark SQL on one event: only events for which it is true count
 * @param features one for each feature of the view, in the same order
 * @param live whether and how the view is kept up to date from the stream
 */
public record Windows(
    Source source,
    Map<String, String> keys,
    Optional<String> where,
    List<WindowFeature> features,
    Optional<Live> live,
    Position keysPosition,
    Position wherePosition)
    implements Computation {

  /** Spark SQL on one event for a key column of the entity. */
  public String key(String column) {
    return keys.getOrDefault(column, "`" + column.replace("`", "``") + "`");
  }

  /**
   * Adds what is wrong with the key columns over the columns of the source.
   *
   * @param view name of the view
   * @param position of the view
   */
  public void checkKeys(
      String view, Position position, Entity entity, StructType columns, Problems problems) {
    List<String> names = Arrays.asList(columns.fieldNames());
    for (Entity.KeyColumn key : entity.keys()) {
      if (!keys.containsKey(key.name()) && !names.contains(key.name())) {
        problems.add(
            position,
            "source '%s' of view '%s' has no column '%s', a key of entity '%s'%s; another column or an expression: keys { %s = \"…\" }"
                .formatted(
                    source.name(),
                    view,
                    key.name(),
                    entity.name(),
                    Suggestion.forName(key.name(), names),
                    key.name()));
        continue;
      }
      EventExpression.Resolved resolved = EventExpression.resolve(key(key.name()), columns);
      if (resolved.problem().isPresent()) {
        problems.add(keysPosition, "keys: %s%s".formatted(key.name(), resolved.problem().get()));
        continue;
      }
      DataType type = resolved.type().orElseThrow();
      if (!key.takes(type)) {
        problems.add(
            keysPosition,
            "key '%s' is %s in source '%s', and entity '%s' has it as %s: keys { %s = \"CAST(%s AS %s)\" }"
                .formatted(
                    key.name(),
                    type.simpleString(),
                    source.name(),
                    entity.name(),
                    key.type().simpleString(),
                    key.name(),
                    keys.getOrDefault(key.name(), key.name()),
                    key.type().simpleString()));
      }
    }
  }

  /** Adds what is wrong with the condition over the columns of the source. */
  public void checkWhere(StructType columns, Problems problems) {
    where
        .flatMap(condition -> EventExpression.condition(condition, columns).problem())
        .ifPresent(problem -> problems.add(wherePosition, "where" + problem));
  }

  @Override
  public List<Source> sources() {
    return List.of(source);
  }

  @Override
  public Stream<String> fingerprint() {
    return Stream.of(
            Stream.of("windows", where.map(condition -> "where " + condition.strip()).orElse("-")),
            new TreeMap<>(keys)
                .entrySet().stream()
                    .map(key -> "key " + key.getKey() + " " + key.getValue().strip()),
            features.stream().map(WindowFeature::fingerprint),
            source.eventId().stream().map(id -> "event-id " + id.column() + " " + id.horizon()))
        .flatMap(parts -> parts);
  }
}
