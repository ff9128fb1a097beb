package dev.tarn.etl.verify;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Chooses round numbers along an axis. */
final class Ticks {

  private static final String[] UNITS = {"", "k", "M", "G", "T", "P"};

  private Ticks() {}

  /**
   * Chooses about {@code about} ticks from {@code low} to {@code high}, 1, 2 or 5 times a power of
   * ten apart.
   */
  static List<Double> of(double low, double high, int about) {
    List<Double> ticks = new ArrayList<>();
    double rough = high / about - low / about;
    if (!(rough > 0) || !Double.isFinite(rough)) {
      return ticks;
    }
    double power = Math.pow(10, Math.floor(Math.log10(rough)));
    double step =
        power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : rough / power > 1 ? 2 : 1);
    // Multiplied, not added up, so that each is as round as the step.
    double first = Math.ceil(low / step);
    double last = Math.floor(high / step);
    for (double i = first; i <= last && ticks.size() < 3 * about; i++) {
      ticks.add(BigDecimal.valueOf(step).multiply(BigDecimal.valueOf(i)).doubleValue());
    }
    return ticks;
  }

  /** Formats a number in short form: 1.5M for a million and a half. */
  static String text(double value) {
    double size = Math.abs(value);
    if (size < 10_000 || size >= 1e18) {
      return Numbers.of(value);
    }
    int unit = (int) (Math.log10(size) / 3);
    String text =
        String.format(Locale.ROOT, "%.2f", value / Math.pow(1000, unit)).replaceAll("\\.?0+$", "");
    return text + UNITS[unit];
  }
}
