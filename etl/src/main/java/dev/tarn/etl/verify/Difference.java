package dev.tarn.etl.verify;

import java.io.Serializable;
import java.util.List;
import java.util.Locale;

/**
 * An entity that is not online as it is in the snapshot.
 *
 * @param detail the reason why it is unreadable, or its wrong place; else empty
 * @param features the features whose values differ
 */
public record Difference(
    String entityId, DifferenceKind kind, String detail, List<FeatureDifference> features)
    implements Serializable {

  /** The way in which an entity differs. */
  public enum DifferenceKind {
    /** Another value of a feature, or another event timestamp. */
    DIFFERENT,
    /** The entity is in the snapshot and not online. */
    MISSING,
    /** The entity is online and not in the snapshot. */
    FOREIGN,
    /** The entity is online, but its bytes are not a row. */
    UNREADABLE,
    /** The entity is online in a bucket that no lookup for it reads. */
    MISPLACED;

    String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** The words that follow a number of such entities. */
    String sentence(long count) {
      boolean isOne = count == 1;
      return switch (this) {
        case DIFFERENT -> isOne ? "has other values" : "have other values";
        case MISSING -> isOne ? "is missing online" : "are missing online";
        case FOREIGN -> isOne ? "is not in the snapshot" : "are not in the snapshot";
        case UNREADABLE -> "can't be read";
        case MISPLACED -> isOne ? "lies in a wrong bucket" : "lie in wrong buckets";
      };
    }
  }

  /** A feature's two values, as text. */
  public record FeatureDifference(String feature, String online, String offline)
      implements Serializable {}

  /** A line for people. */
  String text() {
    String id = "entity '" + entityId + "'";
    return switch (kind) {
      case DIFFERENT ->
          id
              + ": "
              + String.join(
                  "; ",
                  features.stream()
                      .map(
                          feature ->
                              "%s is %s online, %s in the snapshot"
                                  .formatted(
                                      feature.feature(), feature.online(), feature.offline()))
                      .toList());
      case MISSING, FOREIGN -> id + " " + kind.sentence(1);
      case UNREADABLE -> id + " can't be read: " + detail;
      case MISPLACED -> id + " lies in " + detail + ", where no lookup finds it";
    };
  }
}
