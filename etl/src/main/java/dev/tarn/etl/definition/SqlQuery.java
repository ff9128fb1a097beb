package dev.tarn.etl.definition;

import java.util.List;
import java.util.stream.Stream;

/**
 * Spark SQL over the sources that gives the entity's key columns and the features, one row an
 * entity; {@code :as_of} is the moment that it computes for.
 */
public record SqlQuery(String text, List<Source> sources, Position position)
    implements Computation {

  @Override
  public Stream<String> fingerprint() {
    return Stream.of(text.strip());
  }
}
