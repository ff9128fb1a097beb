package dev.tarn.transform;

import com.google.common.hash.HashFunction;
import com.google.common.hash.Hashing;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.Transform;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Applies the transforms of one feature: from its stored value to the floats that a model gets.
 * This is the only place of that rule, for the server and for training alike.
 *
 * <p>A feature is a <i>number</i> (boolean as 0 or 1, int, bigint, float, double, decimal) or, if
 * its transforms end with one-hot or hash, a <i>category</i> (string, boolean, int, bigint, by its
 * text: {@code true}, {@code -42}). Of other types nothing can be made. All is computed in double
 * and made a float once, at the end. A value is <i>absent</i> if the entity has no row, its row is
 * older than the view's max age, or the row has a null. NaN is a value.
 *
 * <pre>
 * transform    x becomes                         absent         NaN      ±Inf
 * (none)       x                                 NaN            NaN      ±Inf
 * fill         x                                 its value      NaN      ±Inf
 * standardize  (x - mean) / std                  NaN            NaN      ±Inf
 * min-max      (x - min) / (max - min)           NaN            NaN      ±Inf
 * log1p        ln(1 + x), NaN below -1           NaN            NaN      Inf; NaN of -Inf
 * clip         min or max if x is beyond         NaN            NaN      max, min; or ±Inf if open
 * bucketize    how many boundaries are &lt;= x      NaN            NaN      number of boundaries, 0
 * one-hot      1 in the place of x, else 0       the last place
 * hash         murmur3_32 of x modulo buckets    NaN
 * </pre>
 *
 * <p>A std of 0, or a max that is the min, divides by 1. Integers beyond 2^53 and decimals become
 * the nearest double, and what is beyond a float's range becomes ±Inf. A category that is none of
 * one-hot's values is in the last place, as are all absent ones; a fill before it puts those
 * elsewhere. The floats' NaN is always 0x7fc00000.
 */
public abstract class Transforms {

  private final float[] absent;
  private final List<String> columnNames;

  private Transforms(float[] absent, List<String> columnNames) {
    this.absent = absent;
    this.columnNames = columnNames;
  }

  /**
   * The transforms of a feature.
   *
   * @param name of the feature, for the names of its columns
   * @throws TransformException if they can't be applied to that type, or are not fitted
   */
  public static Transforms of(String name, FeatureType type, List<Transform> steps) {
    check(type, steps);
    for (int i = 0; i < steps.size(); i++) {
      if (!TransformRules.isFitted(steps.get(i))) {
        throw new TransformException(
            i, "%s is not fitted yet".formatted(TransformRules.name(steps.get(i))));
      }
    }
    if (!TransformRules.isOfCategories(steps)) {
      return new OfNumber(name, NumberSteps.of(steps));
    }
    Transform last = steps.get(steps.size() - 1);
    // Only fills may come before, and the first one counts.
    String fill = steps.size() == 1 ? null : steps.get(0).getFill().getText();
    return last.hasOneHot()
        ? new OneHot(name, last.getOneHot().getValuesList(), fill)
        : new Hashed(name, last.getHash().getBuckets(), fill);
  }

  /**
   * Refuses transforms that can't be applied to a type, fitted or not.
   *
   * @throws TransformException with the step that is wrong and what to write instead
   */
  public static void check(FeatureType type, List<Transform> steps) {
    TransformRules.check(type, steps);
  }

  /** Whether nothing is left to be fitted. */
  public static boolean areFitted(List<Transform> steps) {
    return steps.stream().allMatch(TransformRules::isFitted);
  }

  /** Number of floats that a value becomes. */
  public final int width() {
    return absent.length;
  }

  /**
   * A name for each float: the feature's own; of a one-hot {@code feature=value} for each value and
   * {@code feature?} for the last place.
   */
  public final List<String> columnNames() {
    return columnNames;
  }

  /** Whether values are given to {@link #putCategory}, or else to {@link #putNumber}. */
  public abstract boolean takesCategories();

  /** Puts what a number becomes into {@code row}, from {@code at} on. */
  public abstract void putNumber(double value, float[] row, int at);

  /** Puts what a category becomes into {@code row}, from {@code at} on. */
  public abstract void putCategory(String value, float[] row, int at);

  /** Puts what an absent value becomes into {@code row}, from {@code at} on. */
  public final void putAbsent(float[] row, int at) {
    System.arraycopy(absent, 0, row, at, absent.length);
  }

  private static final class OfNumber extends Transforms {

    private final NumberSteps steps;

    OfNumber(String name, NumberSteps steps) {
      super(new float[] {(float) steps.absent().orElse(Double.NaN)}, List.of(name));
      this.steps = steps;
    }

    @Override
    public boolean takesCategories() {
      return false;
    }

    @Override
    public void putNumber(double value, float[] row, int at) {
      row[at] = (float) steps.apply(value);
    }

    @Override
    public void putCategory(String value, float[] row, int at) {
      throw new IllegalStateException("takes numbers");
    }
  }

  private abstract static class OfCategory extends Transforms {

    OfCategory(float[] absent, List<String> columnNames) {
      super(absent, columnNames);
    }

    @Override
    public boolean takesCategories() {
      return true;
    }

    @Override
    public void putNumber(double value, float[] row, int at) {
      throw new IllegalStateException("takes categories");
    }
  }

  private static final class OneHot extends OfCategory {

    private final Map<String, Integer> places;

    OneHot(String name, List<String> values, String fill) {
      super(oneAt(place(values, fill), values.size() + 1), names(name, values));
      places = new HashMap<>();
      IntStream.range(0, values.size()).forEach(i -> places.put(values.get(i), i));
    }

    @Override
    public void putCategory(String value, float[] row, int at) {
      Arrays.fill(row, at, at + width(), 0);
      row[at + places.getOrDefault(value, width() - 1)] = 1;
    }

    private static int place(List<String> values, String value) {
      int place = values.indexOf(value);
      return place < 0 ? values.size() : place;
    }

    private static float[] oneAt(int place, int width) {
      float[] row = new float[width];
      row[place] = 1;
      return row;
    }

    private static List<String> names(String name, List<String> values) {
      return java.util.stream.Stream.concat(
              values.stream().map(value -> name + "=" + value),
              java.util.stream.Stream.of(name + "?"))
          .toList();
    }
  }

  private static final class Hashed extends OfCategory {

    /** The hash that scikit-learn's FeatureHasher and Spark's HashingTF use, too. */
    private static final HashFunction HASH = Hashing.murmur3_32_fixed();

    private final int buckets;

    Hashed(String name, int buckets, String fill) {
      super(new float[] {fill == null ? Float.NaN : bucket(fill, buckets)}, List.of(name));
      this.buckets = buckets;
    }

    @Override
    public void putCategory(String value, float[] row, int at) {
      row[at] = bucket(value, buckets);
    }

    private static int bucket(String value, int buckets) {
      int hash = HASH.hashString(value, StandardCharsets.UTF_8).asInt();
      return Integer.remainderUnsigned(hash, buckets);
    }
  }
}
