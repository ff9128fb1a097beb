package dev.tarn.etl.verify;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;
import java.util.OptionalDouble;

/** Formats numbers for people. */
final class Numbers {

  private Numbers() {}

  /** Formats about five digits; {@code -} if there is no value. */
  static String of(OptionalDouble value) {
    return value.isPresent() ? of(value.getAsDouble()) : "-";
  }

  static String of(double value) {
    if (value == 0) {
      return "0";
    }
    double size = Math.abs(value);
    if (size >= 1e9 || size < 1e-4) {
      return String.format(Locale.ROOT, "%.3e", value);
    }
    if (value == Math.rint(value)) {
      return String.format(Locale.ROOT, "%,.0f", value);
    }
    BigDecimal rounded = new BigDecimal(value).round(new MathContext(5));
    int scale = Math.max(0, rounded.stripTrailingZeros().scale());
    return String.format(Locale.ROOT, "%,." + scale + "f", rounded);
  }

  /** Formats a share as per cent: 0 and 100 only if it is exactly that. */
  static String percent(double share) {
    if (share == 0 || share == 1) {
      return share == 0 ? "0 %" : "100 %";
    }
    double percent = 100 * share;
    if (percent < 0.01) {
      return "< 0.01 %";
    }
    return percent > 99.99 ? "> 99.99 %" : String.format(Locale.ROOT, "%.2f %%", percent);
  }

  /** Names a quantile, e.g. {@code p05}. */
  static String quantileName(double share) {
    return String.format(Locale.ROOT, "p%02d", Math.round(100 * share));
  }
}
