package dev.tarn.etl.definition;

import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;

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
  record Range(
      String feature, Optional<BigDecimal> min, Optional<BigDecimal> max, Position position)
      implements OfRow {}

  /**
   * Checks that the feature's values are among these.
   *
   * @param values as they were written; those of a number's type are numbers of it
   */
  record AcceptedValues(String feature, DataType type, List<String> values, Position position)
      implements OfRow {}

  /** Checks that the as-of has at least this number of rows. */
  record MinRows(long rows, Position position) implements Check {}

  /**
   * Checks that the as-of has about as many rows as the one before it.
   *
   * @param share largest change either way, as a share of the rows before: 0.1 is a tenth
   */
  record MaxRowCountChange(double share, Position position) implements Check {}
}
