package dev.tarn.etl.verify;

import java.io.Serializable;
import java.util.Arrays;

/**
 * The bins of a histogram, side by side and of equal width, with one more at each end for the
 * values beyond.
 *
 * @param low lower end of the first bin
 */
record Bins(double low, double width, int count) implements Serializable {

  private static final int MOST = 40;

  /** No bins, for a feature that has no numbers. */
  static final Bins NONE = new Bins(0, 1, 0);

  /**
   * Chooses bins for values such as these: one for each whole number if there are few. Leaves out
   * the outermost two per cent if the ends are long and thin.
   */
  static Bins of(double[] values) {
    double[] sorted = Arrays.stream(values).filter(Double::isFinite).sorted().toArray();
    if (sorted.length == 0) {
      return NONE;
    }
    double min = sorted[0];
    double max = sorted[sorted.length - 1];
    double from = sorted[(int) (0.01 * (sorted.length - 1))];
    double to = sorted[(int) Math.ceil(0.99 * (sorted.length - 1))];
    if (max / 2 - min / 2 <= 0.75 * (to - from)) {
      from = min;
      to = max;
    }
    boolean areWhole = Arrays.stream(sorted).allMatch(value -> value == Math.rint(value));
    if (areWhole && to - from < (1L << 53)) {
      double width = Math.ceil((to - from + 1) / MOST);
      return new Bins(from - 0.5, width, (int) Math.ceil((to - from + 1) / width));
    }
    if (from == to) {
      double width = Math.max(Math.abs(from) * 1e-6, Double.MIN_NORMAL);
      return new Bins(from - width / 2, width, 1);
    }
    // A little wider, so that the largest value falls into the last bin; divided first, so that it
    // is finite.
    return new Bins(from, (to / MOST - from / MOST) * (1 + 1e-9), MOST);
  }

  /** The bin of a value: 0 lies below the first, {@code count + 1} above the last. */
  int of(double value) {
    double place = Math.floor((value - low) / width);
    return 1 + (int) Math.max(-1, Math.min(count, place));
  }

  /** Lower end of a bin of {@link #of}. */
  double start(int bin) {
    return low + (bin - 1) * width;
  }
}
