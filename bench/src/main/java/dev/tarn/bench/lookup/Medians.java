package dev.tarn.bench.lookup;

import java.util.List;
import java.util.stream.Stream;

/** Computes medians. */
final class Medians {

  private Medians() {}

  /** Takes the greater of the two in the middle of an even number of values. */
  static double of(Stream<Double> values) {
    List<Double> sorted = values.sorted().toList();
    return sorted.get(sorted.size() / 2);
  }
}
