package dev.tarn.etl.definition;

import java.util.List;
import java.util.Optional;

/**
 * What must hold for the rows of an as-of before {@code main} moves to them. That no key is null
 * and no entity comes twice is always checked and needs no definition.
 */
public sealed interface Check {

  Position position();

  /** A check of each row by itself. */
  sealed interface OfRow extends Check {
    String feature();
  }

  /** The feature has a value. */
  record NotNull(String feature, Position position) implements OfRow {}

  /** The feature, where it has a value, is within the bounds, both included. NaN never is. */
  record Range(String feature, Optional<Double> min, Optional<Double> max, Position position)
      implements OfRow {}

  /** The feature, where it has a value, is one of these. */
  record AcceptedValues(String feature, List<String> values, Position position) implements OfRow {}

  /** The as-of has at least so many rows. */
  record MinRows(long rows, Position position) implements Check {}

  /**
   * The as-of has about as many rows as the one before it.
   *
   * @param share largest change either way, as a share of the rows before: 0.1 is a tenth
   */
  record MaxRowCountChange(double share, Position position) implements Check {}
}
