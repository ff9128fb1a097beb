package dev.tarn.etl.verify;

import com.clearspring.analytics.stream.cardinality.CardinalityMergeException;
import com.clearspring.analytics.stream.cardinality.HyperLogLogPlus;
import dev.tarn.manifest.FeatureType;
import java.io.Serializable;
import java.util.OptionalDouble;
import org.apache.spark.sql.catalyst.util.QuantileSummaries;

/**
 * Describes a feature's values, in one pass and in memory that does not grow with them: counts for
 * any type; moments, quantiles and a histogram of the finite values for a numeric type. For one
 * thread.
 */
public final class Statistics implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Greatest error of a quantile's place among the values, as a share of them. */
  private static final double QUANTILE_ERROR = 0.001;

  /** Number of values that are held before they are summarized. */
  private static final int HELD = 8_192;

  private final FeatureType type;
  private final Bins bins;
  private final long[] bars;
  private final HyperLogLogPlus distinct = new HyperLogLogPlus(12, 20);
  private QuantileSummaries quantiles =
      new QuantileSummaries(
          10_000, QUANTILE_ERROR, new QuantileSummaries.Stats[0], 0, /* compressed= */ true);

  private long rows;
  private long nulls;
  private long notFinite;
  private long numbers;
  private double mean;
  private double squares;
  private double min = Double.POSITIVE_INFINITY;
  private double max = Double.NEGATIVE_INFINITY;

  Statistics(FeatureType type, Bins bins) {
    this.type = type;
    this.bins = bins;
    this.bars = new long[bins.count() + 2];
  }

  /** Adds a row's value; see {@link StoredValues}. */
  void add(Object value) {
    rows++;
    if (value == null) {
      nulls++;
      return;
    }
    boolean unused = distinct.offerHashed(StoredValues.hash(value));
    if (!isNumeric()) {
      return;
    }
    double number = StoredValues.number(type, value);
    if (!Double.isFinite(number)) {
      notFinite++;
      return;
    }
    numbers++;
    // Welford: sums of squares would lose what large values have in common. Guava's
    // StatsAccumulator does the same, but rounds in another way where two of them are merged, and
    // stored verifications must stay comparable bit for bit.
    double off = number - mean;
    mean += off / numbers;
    squares += off * (number - mean);
    min = Math.min(min, number);
    max = Math.max(max, number);
    bars[bins.of(number)]++;
    quantiles = quantiles.insert(number);
    if (numbers % HELD == 0) {
      quantiles = quantiles.compress();
    }
  }

  /** Statistics of the values of both. */
  Statistics plus(Statistics other) {
    Statistics both = new Statistics(type, bins);
    both.rows = rows + other.rows;
    both.nulls = nulls + other.nulls;
    both.notFinite = notFinite + other.notFinite;
    both.numbers = numbers + other.numbers;
    if (both.numbers > 0) {
      double off = other.mean - mean;
      double part = (double) other.numbers / both.numbers;
      both.mean = numbers == 0 ? other.mean : mean + off * part;
      both.squares = squares + other.squares + off * off * numbers * part;
    }
    both.min = Math.min(min, other.min);
    both.max = Math.max(max, other.max);
    for (int i = 0; i < bars.length; i++) {
      both.bars[i] = bars[i] + other.bars[i];
    }
    both.quantiles = quantiles.compress().merge(other.quantiles.compress());
    try {
      both.distinct.addAll(distinct);
      both.distinct.addAll(other.distinct);
    } catch (CardinalityMergeException e) {
      throw new IllegalStateException(e);
    }
    return both;
  }

  /** Summarizes the values that are held. Call this before the statistics are sent anywhere. */
  Statistics finish() {
    quantiles = quantiles.compress();
    return this;
  }

  boolean isNumeric() {
    return StoredValues.isNumeric(type);
  }

  long rows() {
    return rows;
  }

  long nulls() {
    return nulls;
  }

  /** Share of nulls among all rows; 0 if there are no rows. */
  double nullRate() {
    return rows == 0 ? 0 : (double) nulls / rows;
  }

  /** Number of NaNs and infinities, which are in no other figure of a numeric feature. */
  long notFinite() {
    return notFinite;
  }

  /** Number of finite values. */
  long numbers() {
    return numbers;
  }

  /** Number of different values, estimated; NaN is one. */
  long distinct() {
    return distinct.cardinality();
  }

  OptionalDouble mean() {
    return known(numbers > 0, mean);
  }

  /** The sample variance, as SQL's {@code variance}. */
  OptionalDouble variance() {
    return known(numbers > 1, squares / (numbers - 1));
  }

  OptionalDouble min() {
    return known(numbers > 0, min);
  }

  OptionalDouble max() {
    return known(numbers > 0, max);
  }

  /** The quantile at a share from 0 to 1. */
  OptionalDouble quantile(double share) {
    if (share == 0 || share == 1) {
      return share == 0 ? min() : max();
    }
    scala.Option<Object> found = quantiles.query(share);
    return numbers > 0 && found.isDefined()
        ? OptionalDouble.of((Double) found.get())
        : OptionalDouble.empty();
  }

  Bins bins() {
    return bins;
  }

  /** Values in a bin of {@link Bins#of}. */
  long bar(int bin) {
    return bars[bin];
  }

  /** The value, if it is known and finite: sums of numbers near a double's limit are not. */
  private static OptionalDouble known(boolean isKnown, double value) {
    return isKnown && Double.isFinite(value) ? OptionalDouble.of(value) : OptionalDouble.empty();
  }
}
