package dev.tarn.transform;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Bucketize;
import dev.tarn.manifest.Transform.Clip;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import dev.tarn.row.FeatureTypes;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Checks which transforms a feature of a type has, in which order and with which parameters. */
final class TransformRules {

  static final int MAX_VALUES = 10_000;

  /** Largest number of buckets. Floats are exact up to it, so no two buckets become one. */
  static final int MAX_BUCKETS = 1 << 24;

  private static final Set<Kind> NUMBERS =
      Set.of(
          Kind.KIND_BOOLEAN,
          Kind.KIND_INT,
          Kind.KIND_BIGINT,
          Kind.KIND_FLOAT,
          Kind.KIND_DOUBLE,
          Kind.KIND_DECIMAL);

  private static final Set<Kind> CATEGORIES =
      Set.of(Kind.KIND_STRING, Kind.KIND_BOOLEAN, Kind.KIND_INT, Kind.KIND_BIGINT);

  private TransformRules() {}

  static boolean isOfCategories(Transform step) {
    return step.hasOneHot() || step.hasHash();
  }

  static boolean isOfCategories(List<Transform> steps) {
    return !steps.isEmpty() && isOfCategories(steps.get(steps.size() - 1));
  }

  static boolean isFitted(Transform step) {
    return switch (step.getKindCase()) {
      case STANDARDIZE -> step.getStandardize().hasMean() && step.getStandardize().hasStd();
      case MIN_MAX -> step.getMinMax().hasMin() && step.getMinMax().hasMax();
      case CLIP -> step.getClip().hasMin() || step.getClip().hasMax();
      case ONE_HOT -> step.getOneHot().getValuesCount() > 0;
      case BUCKETIZE -> step.getBucketize().getBoundariesCount() > 0;
      default -> true;
    };
  }

  /** Names a transform as definitions do. */
  static String name(Transform step) {
    return step.getKindCase().name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * Refuses what can't be applied.
   *
   * @throws TransformException with the step and what to write instead
   */
  static void check(FeatureType type, List<Transform> steps) {
    boolean isOfCategories = isOfCategories(steps);
    Set<Kind> taken = isOfCategories ? CATEGORIES : NUMBERS;
    if (!taken.contains(type.getKind())) {
      throw new TransformException(-1, problemOf(type, steps, isOfCategories));
    }
    for (int i = 0; i < steps.size(); i++) {
      Transform step = steps.get(i);
      boolean isLast = i == steps.size() - 1;
      if (isOfCategories(step) && !isLast) {
        throw new TransformException(i, "%s comes last".formatted(name(step)));
      }
      if (isOfCategories && !isLast && !step.hasFill()) {
        throw new TransformException(
            i,
            "%s makes a number, and %s takes the value as it is: leave out one of them"
                .formatted(name(step), name(steps.get(steps.size() - 1))));
      }
      checkParameters(i, step, isOfCategories);
    }
  }

  private static String problemOf(FeatureType type, List<Transform> steps, boolean isOfCategories) {
    String name = FeatureTypes.name(type);
    if (isOfCategories) {
      return "%s takes string, boolean, int and bigint, and this is %s"
          .formatted(name(steps.get(steps.size() - 1)), name);
    }
    return CATEGORIES.contains(type.getKind())
        ? "a %s is no number: end its transforms with one-hot or hash".formatted(name)
        : "a %s can't be made a number: have the view's SQL compute one of it".formatted(name);
  }

  private static void checkParameters(int i, Transform step, boolean isOfCategories) {
    switch (step.getKindCase()) {
      case FILL -> {
        if (step.getFill().hasText() != isOfCategories) {
          throw new TransformException(
              i, isOfCategories ? "fill is a text here" : "fill is a number here");
        }
        requireFinite(i, "fill", step.getFill().getNumber());
      }
      case STANDARDIZE -> {
        Standardize standardize = step.getStandardize();
        if (isGiven(i, step, standardize.hasMean() && standardize.hasStd(), "mean and std")) {
          requireFinite(i, "mean", standardize.getMean());
          requireFinite(i, "std", standardize.getStd());
          require(standardize.getStd() >= 0, i, "std is from 0 up");
        }
      }
      case MIN_MAX -> {
        MinMax range = step.getMinMax();
        if (isGiven(i, step, range.hasMin() && range.hasMax(), "min and max")) {
          requireRange(i, range.getMin(), range.getMax());
          require(
              Double.isFinite(range.getMax() - range.getMin()), i, "min and max are too far apart");
        }
      }
      case CLIP -> {
        Clip clip = step.getClip();
        if (isGiven(i, step, clip.hasMin() || clip.hasMax(), "min, max or both")) {
          requireRange(
              i,
              clip.hasMin() ? clip.getMin() : -Double.MAX_VALUE,
              clip.hasMax() ? clip.getMax() : Double.MAX_VALUE);
        }
      }
      case ONE_HOT -> checkOneHot(i, step);
      case BUCKETIZE -> checkBucketize(i, step);
      case HASH -> requireBetween(i, "hash", step.getHash().getBuckets(), 1, MAX_BUCKETS);
      case LOG1P -> {}
      case KIND_NOT_SET -> throw new TransformException(i, "a transform that is not known here");
    }
  }

  private static void checkOneHot(int i, Transform step) {
    OneHot oneHot = step.getOneHot();
    if (isGiven(i, step, oneHot.getValuesCount() > 0, "values")) {
      require(
          new HashSet<>(oneHot.getValuesList()).size() == oneHot.getValuesCount(),
          i,
          "values has a value twice");
      requireBetween(i, "the number of values", oneHot.getValuesCount(), 1, MAX_VALUES);
    }
    if (step.getFit()) {
      requireBetween(i, "top", oneHot.getTop(), 1, MAX_VALUES);
    }
  }

  private static void checkBucketize(int i, Transform step) {
    Bucketize bucketize = step.getBucketize();
    if (isGiven(i, step, bucketize.getBoundariesCount() > 0, "boundaries")) {
      double before = Double.NEGATIVE_INFINITY;
      for (double boundary : bucketize.getBoundariesList()) {
        requireFinite(i, "a boundary", boundary);
        require(boundary > before, i, "boundaries ascend, and none is there twice");
        before = boundary;
      }
      requireBetween(i, "the number of boundaries", bucketize.getBoundariesCount(), 1, MAX_VALUES);
    }
    if (step.getFit()) {
      requireBetween(i, "buckets", bucketize.getBuckets(), 2, MAX_VALUES);
    }
  }

  /** Whether there are parameters to check; there must be, unless they are to be fitted. */
  private static boolean isGiven(int i, Transform step, boolean isThere, String what) {
    require(isThere || step.getFit(), i, "%s has %s".formatted(name(step), what));
    return isThere;
  }

  private static void requireRange(int i, double min, double max) {
    requireFinite(i, "min", min);
    requireFinite(i, "max", max);
    require(min <= max, i, "min is not above max");
  }

  private static void requireFinite(int i, String what, double number) {
    require(Double.isFinite(number), i, "%s is a finite number".formatted(what));
  }

  private static void requireBetween(int i, String what, int number, int least, int most) {
    require(
        number >= least && number <= most, i, "%s is from %d to %d".formatted(what, least, most));
  }

  private static void require(boolean holds, int i, String message) {
    if (!holds) {
      throw new TransformException(i, message);
    }
  }
}
