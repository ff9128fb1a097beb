package dev.tarn.etl.verify;

import dev.tarn.cli.Plural;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.verify.Difference.DifferenceKind;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The result of comparing a version with its snapshot.
 *
 * @param isReleased whether the version was released when the verification began
 * @param share of the entities that were compared; 1 for all
 * @param online entities that lookups find
 * @param tooOld those of them whose row is older than the max age, so that no lookup answers it
 * @param offline entities in the snapshot
 * @param counts of the entities that differ, by kind
 * @param first some of them, in order of id
 */
public record Verification(
    VersionRecord record,
    boolean isReleased,
    double share,
    Instant at,
    Duration took,
    long online,
    long tooOld,
    long offline,
    Map<DifferenceKind, Long> counts,
    List<Difference> first,
    List<OfFeature> features) {

  /** The statistics of one feature on both sides. */
  public record OfFeature(
      StoredFeature feature, Statistics online, Statistics offline, long differing) {}

  static Verification of(
      VersionRecord record,
      boolean isReleased,
      double share,
      Instant at,
      Duration took,
      Findings findings) {
    List<OfFeature> features = new ArrayList<>();
    for (int i = 0; i < record.getFeaturesCount(); i++) {
      FeatureFindings found = findings.features().get(i);
      features.add(
          new OfFeature(record.getFeatures(i), found.online(), found.offline(), found.differing()));
    }
    return new Verification(
        record,
        isReleased,
        share,
        at,
        took,
        findings.online(),
        findings.tooOld(),
        findings.offline(),
        findings.counts(),
        findings.first(),
        features);
  }

  boolean isAll() {
    return share == 1;
  }

  /** Number of entities that are not online as they are in the snapshot. */
  long differing() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Whether the version record has another number of entities than were found. */
  boolean isCountWrong() {
    return isAll() && record.getRows() != online;
  }

  /** Whether nothing at all differs. */
  public boolean isEqual() {
    return differing() == 0 && !isCountWrong();
  }

  /** Says how many rows are not answered because of their age; empty: all are answered. */
  Optional<String> ofAge() {
    if (tooOld == 0) {
      return Optional.empty();
    }
    return Optional.of(
        "%s answered: rows older than the max age of %s are OUTSIDE_MAX_AGE"
            .formatted(
                tooOld == online
                    ? "none of them is"
                    : "%,d of them %s not".formatted(tooOld, Plural.choose(tooOld, "is", "are")),
                Moments.length(Duration.ofSeconds(record.getMaxAge().getSeconds()))));
  }

  /**
   * Says how many entities differ in which way, e.g. {@code 1 is missing online, 2 have other
   * values}.
   */
  String kinds() {
    List<String> parts = new ArrayList<>();
    counts.forEach((kind, count) -> parts.add("%,d %s".formatted(count, kind.sentence(count))));
    return String.join(", ", parts);
  }
}
