package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType;
import dev.tarn.row.FeatureTypes;

/**
 * A result that does not fit into its type. The message, such as {@code the sum 9223372036854775808
 * does not fit into bigint}, can stand behind the name of a feature.
 */
public final class OverflowException extends ArithmeticException {
  private static final long serialVersionUID = 1L;

  OverflowException(String what, Number value, FeatureType type) {
    super("the %s %s does not fit into %s".formatted(what, value, FeatureTypes.name(type)));
  }
}
