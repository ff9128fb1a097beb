package dev.tarn.etl.definition;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Aggregates over the events of one source: the computation of a window view.
 *
 * @param where Spark SQL on one event: only events for which it is true count
 * @param features one for each feature of the view, in the same order
 */
public record Windows(
    Source source, Optional<String> where, List<WindowFeature> features, Position wherePosition)
    implements Computation {

  @Override
  public List<Source> sources() {
    return List.of(source);
  }

  @Override
  public Stream<String> fingerprint() {
    return Stream.concat(
        Stream.of("windows", where.map(condition -> "where " + condition.strip()).orElse("-")),
        features.stream().map(WindowFeature::fingerprint));
  }
}
