package dev.tarn.etl.verify;

import dev.tarn.etl.verify.Difference.DifferenceKind;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The findings of a comparison.
 *
 * @param online entities that lookups find, unreadable ones among them
 * @param tooOld those of them whose row is older than the max age, so that no lookup answers it
 * @param offline entities in the snapshot
 * @param counts of the entities that differ, by kind
 * @param first some of them, in order of id
 * @param show largest number of them
 * @param features in the version record's order
 */
record Findings(
    long online,
    long tooOld,
    long offline,
    Map<DifferenceKind, Long> counts,
    List<Difference> first,
    int show,
    List<FeatureFindings> features)
    implements Serializable {

  Findings plus(Findings other) {
    Map<DifferenceKind, Long> sum = new EnumMap<>(DifferenceKind.class);
    sum.putAll(counts);
    other.counts.forEach((kind, count) -> sum.merge(kind, count, Long::sum));
    List<Difference> both = new ArrayList<>(first);
    both.addAll(other.first);
    List<FeatureFindings> sums = new ArrayList<>();
    for (int i = 0; i < features.size(); i++) {
      sums.add(features.get(i).plus(other.features.get(i)));
    }
    return new Findings(
        online + other.online,
        tooOld + other.tooOld,
        offline + other.offline,
        sum,
        smallest(both, show),
        show,
        sums);
  }

  /** Number of entities that are not online as they are in the snapshot. */
  long differing() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  /** The first differences, in an order that is the same in every run. */
  static List<Difference> smallest(List<Difference> differences, int show) {
    List<Difference> sorted = new ArrayList<>(differences);
    sorted.sort(Comparator.comparing(Difference::entityId).thenComparing(Difference::kind));
    return new ArrayList<>(sorted.subList(0, Math.min(show, sorted.size())));
  }
}
