package dev.tarn.transform;

import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Bucketize;
import dev.tarn.manifest.Transform.Clip;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.Standardize;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;

/**
 * Applies steps from number to number, all in double. Java's own arithmetic and StrictMath give the
 * same on every machine.
 */
public final class NumberSteps {

  private final DoubleUnaryOperator[] steps;
  private final OptionalDouble absent;

  private NumberSteps(DoubleUnaryOperator[] steps, OptionalDouble absent) {
    this.steps = steps;
    this.absent = absent;
  }

  /** Makes fitted steps, none of them one-hot or hash. */
  public static NumberSteps of(List<Transform> transforms) {
    List<DoubleUnaryOperator> steps = new ArrayList<>();
    OptionalDouble absent = OptionalDouble.empty();
    for (Transform transform : transforms) {
      if (transform.hasFill()) {
        if (absent.isEmpty()) {
          absent = OptionalDouble.of(transform.getFill().getNumber());
        }
        continue;
      }
      DoubleUnaryOperator step = step(transform);
      steps.add(step);
      if (absent.isPresent()) {
        absent = OptionalDouble.of(step.applyAsDouble(absent.getAsDouble()));
      }
    }
    return new NumberSteps(steps.toArray(DoubleUnaryOperator[]::new), absent);
  }

  /** Applies the steps to a value. */
  public double apply(double value) {
    double number = value;
    for (DoubleUnaryOperator step : steps) {
      number = step.applyAsDouble(number);
    }
    return number;
  }

  /** Applies the steps to an absent value; empty if no step fills it. */
  public OptionalDouble absent() {
    return absent;
  }

  private static DoubleUnaryOperator step(Transform transform) {
    return switch (transform.getKindCase()) {
      case STANDARDIZE -> {
        Standardize standardize = transform.getStandardize();
        yield scale(standardize.getMean(), standardize.getStd());
      }
      case MIN_MAX -> {
        MinMax range = transform.getMinMax();
        yield scale(range.getMin(), range.getMax() - range.getMin());
      }
      case LOG1P -> StrictMath::log1p;
      case CLIP -> clip(transform.getClip());
      case BUCKETIZE -> bucketize(transform.getBucketize());
      default -> throw new IllegalArgumentException("no step of numbers: " + transform);
    };
  }

  /** Scales by a spread; 1 stands in for the spread 0 of a feature whose values are all alike. */
  private static DoubleUnaryOperator scale(double from, double spread) {
    double divisor = spread == 0 ? 1 : spread;
    return x -> (x - from) / divisor;
  }

  private static DoubleUnaryOperator clip(Clip clip) {
    double min = clip.hasMin() ? clip.getMin() : Double.NEGATIVE_INFINITY;
    double max = clip.hasMax() ? clip.getMax() : Double.POSITIVE_INFINITY;
    // Not Math.max, which would make a bound of 0.0 of the value -0.0.
    return x -> x < min ? min : x > max ? max : x;
  }

  private static DoubleUnaryOperator bucketize(Bucketize bucketize) {
    double[] boundaries =
        bucketize.getBoundariesList().stream().mapToDouble(Double::doubleValue).toArray();
    return x -> {
      if (Double.isNaN(x)) {
        return x;
      }
      int below = 0;
      int above = boundaries.length;
      while (below < above) {
        int middle = (below + above) >>> 1;
        if (boundaries[middle] <= x) {
          below = middle + 1;
        } else {
          above = middle;
        }
      }
      return below;
    };
  }
}
