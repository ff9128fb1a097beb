package dev.tarn.etl.definition;

import java.util.List;
import java.util.stream.Stream;

/** The way in which the rows of a feature view are computed. */
public sealed interface Computation permits SqlQuery, Windows {

  /** The sources that are read. */
  List<Source> sources();

  /** The parts of the definition that decide what is computed, besides sources and features. */
  Stream<String> fingerprint();
}
