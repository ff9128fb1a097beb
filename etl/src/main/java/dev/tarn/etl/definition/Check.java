package dev.tarn.etl.definition;

import java.util.List;
import java.util.Optional;

/**
 * A condition that the rows of an as-of must meet before {@code main} moves to them. Two conditions
 * need no definition: no key is null, and no entity comes twice.
 */
public sealed interface Check {

  Position position();

  /** A check of each single row. */
  sealed interface OfRow extends Check {
    String feature();
  }

  /** Checks that the feature has a value. */
  record NotNull(String feature, Position position) implements OfRow {}

  /** Checks that the feature's values are within the bounds, both included. NaN never is. */
  record Range(String feature, Optional<Double> min, Optional<Double> max, Position position)
      implements OfRow {}

  /** Checks that the feature's values are among these. */
  record AcceptedValues(String feature, List<String> values, Position position) implements OfRow {}

  /** Checks that the as-of has at least this number of rows. */
  record MinRows(long rows, Position position) implements Check {}

  /**
   * Checks that the as-of has about as many rows as the one before it.
   *
   * @param share largest change either way, as a share of the rows before: 0.1 is a tenth
   */
  record MaxRowCountChange(double share, Position position) implements Check {}
}
