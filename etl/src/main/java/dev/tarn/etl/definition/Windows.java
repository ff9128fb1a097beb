package dev.tarn.etl.definition;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

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
