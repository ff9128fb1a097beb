package dev.tarn.transform;

import static dev.tarn.transform.Steps.DOUBLE;
import static dev.tarn.transform.Steps.STRING;
import static dev.tarn.transform.Steps.bucketize;
import static dev.tarn.transform.Steps.clip;
import static dev.tarn.transform.Steps.fill;
import static dev.tarn.transform.Steps.hash;
import static dev.tarn.transform.Steps.log1p;
import static dev.tarn.transform.Steps.minMax;
import static dev.tarn.transform.Steps.oneHot;
import static dev.tarn.transform.Steps.standardize;
import static dev.tarn.transform.Steps.toFit;
import static dev.tarn.transform.Steps.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Clip;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class TestTransforms {

  private static final double INFINITY = Double.POSITIVE_INFINITY;

  @Test
  void aNumberWithoutTransformsIsItself() {
    assertThat(number(0.1)).isEqualTo(0.1f);
    assertBits(number(-0.0), -0.0f);
    assertThat(number(INFINITY)).isInfinite();
    assertThat(number(Double.NaN)).isNaN();
    assertThat(absent()).containsOnly(Float.NaN);
    // Beyond a float's range, and the nearest float of what is between two.
    assertThat(number(1e39)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(number((double) ((1L << 53) + 1))).isEqualTo(0x1p53f);
  }

  @Test
  void fillStandsInForWhatIsAbsentOnly() {
    assertThat(absent(fill(-1))).containsExactly(-1);
    assertThat(number(Double.NaN, fill(-1))).isNaN();
    assertThat(number(5, fill(-1))).isEqualTo(5);
    // The steps after it see what it filled in; those before it don't.
    assertThat(absent(fill(3), standardize(1, 4))).containsExactly(0.5f);
    assertThat(absent(standardize(1, 4), fill(3))).containsExactly(3);
    assertThat(absent(fill(1), fill(2))).containsExactly(1);
  }

  @Test
  void standardizeAndMinMaxScale() {
    assertThat(number(7, standardize(1, 4))).isEqualTo(1.5f);
    assertThat(number(7, minMax(2, 12))).isEqualTo(0.5f);
    assertThat(number(22, minMax(2, 12))).isEqualTo(2);
    for (Transform step : List.of(standardize(1, 4), minMax(2, 12))) {
      assertThat(absent(step)).containsOnly(Float.NaN);
      assertThat(number(Double.NaN, step)).isNaN();
      assertThat(number(-INFINITY, step)).isEqualTo(Float.NEGATIVE_INFINITY);
    }
  }

  @Test
  void aFeatureWithoutSpreadIsDividedByOne() {
    assertThat(number(7, standardize(5, 0))).isEqualTo(2);
    assertThat(number(7, minMax(5, 5))).isEqualTo(2);
  }

  @Test
  void log1pIsThatOfStrictMath() {
    assertThat(number(1e-20, log1p())).isEqualTo(1e-20f);
    assertThat(number(12.5, log1p())).isEqualTo((float) StrictMath.log1p(12.5));
    assertThat(number(-1, log1p())).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(number(-1.5, log1p())).isNaN();
    assertThat(number(-INFINITY, log1p())).isNaN();
    assertThat(number(INFINITY, log1p())).isEqualTo(Float.POSITIVE_INFINITY);
    assertBits(number(-0.0, log1p()), -0.0f);
  }

  @Test
  void clipBoundsWhatIsBeyond() {
    assertThat(number(-3, clip(0, 10))).isZero();
    assertThat(number(11, clip(0, 10))).isEqualTo(10);
    assertThat(number(INFINITY, clip(0, 10))).isEqualTo(10);
    assertThat(number(Double.NaN, clip(0, 10))).isNaN();
    assertBits(number(-0.0, clip(0, 10)), -0.0f);
    Transform open = clip(Clip.newBuilder().setMin(0));
    assertThat(number(INFINITY, open)).isInfinite();
    assertThat(number(-INFINITY, open)).isZero();
  }

  @Test
  void bucketizeCountsTheBoundariesThatAreNotAbove() {
    Transform step = bucketize(0, 1, 10);
    assertThat(number(-INFINITY, step)).isZero();
    assertThat(number(Math.nextDown(0.0), step)).isZero();
    assertThat(number(0, step)).isEqualTo(1);
    assertThat(number(-0.0, step)).isEqualTo(1);
    assertThat(number(9.99, step)).isEqualTo(2);
    assertThat(number(10, step)).isEqualTo(3);
    assertThat(number(INFINITY, step)).isEqualTo(3);
    assertThat(number(Double.NaN, step)).isNaN();
    assertThat(absent(step)).containsOnly(Float.NaN);
    assertThat(number(9.99, step, minMax(0, 4))).isEqualTo(0.5f);
  }

  @Test
  void allIsComputedInDoubleAndMadeAFloatOnce() {
    // In float, 2^24 + 1 would be 2^24 and the difference 0.
    assertThat(number((1 << 24) + 1, standardize(1 << 24, 1))).isEqualTo(1);
  }

  @Test
  void oneHotHasAPlaceForEachValueAndOneForAllOthers() {
    Transform step = oneHot("DE", "", "FR");
    assertThat(category("DE", step)).containsExactly(1, 0, 0, 0);
    assertThat(category("", step)).containsExactly(0, 1, 0, 0);
    assertThat(category("FR", step)).containsExactly(0, 0, 1, 0);
    assertThat(category("de", step)).containsExactly(0, 0, 0, 1);
    assertThat(absent(STRING, step)).containsExactly(0, 0, 0, 1);
    assertThat(absent(STRING, fill("FR"), step)).containsExactly(0, 0, 1, 0);
    assertThat(absent(STRING, fill("nowhere"), step)).containsExactly(0, 0, 0, 1);
    assertThat(Transforms.of("v.country", STRING, List.of(step)).columnNames())
        .containsExactly("v.country=DE", "v.country=", "v.country=FR", "v.country?");
  }

  @Test
  void hashIsMurmur3OfTheText() {
    // By the reference implementation: murmur3_32("hello", seed 0) is 0x248bfa47.
    assertThat(category("hello", hash(1 << 24))).containsExactly(0x248bfa47 & 0xFFFFFF);
    assertThat(category("hello", hash(1000))).containsExactly(0x248bfa47 % 1000);
    // murmur3_32("Hello, world!", seed 0) is 0xc0363e43, which is negative as an int.
    assertThat(category("Hello, world!", hash(10))).containsExactly((float) (0xc0363e43L % 10));
    assertThat(category("", hash(10))).containsExactly(0);
    assertThat(absent(STRING, hash(10))).containsOnly(Float.NaN);
    assertThat(absent(STRING, fill("hello"), hash(1000))).containsExactly(0x248bfa47 % 1000);
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.INCLUDE,
      names = {"KIND_BOOLEAN", "KIND_INT", "KIND_BIGINT"})
  void wholeNumbersAreNumbersAndCategories(Kind kind) {
    assertThat(Transforms.of("f", type(kind), List.of(log1p())).takesCategories()).isFalse();
    assertThat(Transforms.of("f", type(kind), List.of(oneHot("1"))).takesCategories()).isTrue();
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.INCLUDE,
      names = {
        "KIND_BINARY",
        "KIND_DATE",
        "KIND_TIMESTAMP",
        "KIND_TIMESTAMP_NTZ",
        "KIND_ARRAY",
        "KIND_STRUCT"
      })
  void ofOtherTypesNothingCanBeMade(Kind kind) {
    FeatureType type = type(kind);
    assertThatThrownBy(() -> Transforms.check(type, List.of()))
        .hasMessageEndingWith("can't be made a number: have the view's SQL compute one of it");
    assertThatThrownBy(() -> Transforms.check(type, List.of(hash(4))))
        .hasMessageStartingWith("hash takes string, boolean, int and bigint, and this is ");
  }

  @Test
  void stepsThatDoNotFitAreRefused() {
    assertRefused(STRING, -1, "a string is no number: end its transforms with one-hot or hash");
    assertRefused(
        STRING, -1, "a string is no number: end its transforms with one-hot or hash", log1p());
    assertRefused(
        DOUBLE,
        -1,
        "one-hot takes string, boolean, int and bigint, and this is double",
        oneHot("1"));
    assertRefused(STRING, 0, "hash comes last", hash(3), oneHot("a"));
    assertRefused(
        type(Kind.KIND_INT),
        1,
        "log1p makes a number, and one-hot takes the value as it is: leave out one of them",
        fill("1"),
        log1p(),
        oneHot("a"));
    assertRefused(STRING, 0, "fill is a text here", fill(1), hash(3));
    assertRefused(DOUBLE, 0, "fill is a number here", fill("1"));
    assertRefused(DOUBLE, 0, "fill is a finite number", fill(Double.NaN));
    assertRefused(DOUBLE, 1, "std is from 0 up", fill(0), standardize(0, -1));
    assertRefused(DOUBLE, 0, "mean is a finite number", standardize(INFINITY, 1));
    assertRefused(
        DOUBLE,
        0,
        "standardize has mean and std",
        Transform.newBuilder().setStandardize(Standardize.newBuilder().setMean(1)).build());
    assertRefused(DOUBLE, 0, "min is not above max", minMax(2, 1));
    assertRefused(DOUBLE, 0, "min and max are too far apart", minMax(-1e308, 1e308));
    assertRefused(DOUBLE, 0, "clip has min, max or both", clip(Clip.newBuilder()));
    assertRefused(DOUBLE, 0, "boundaries ascend, and none is there twice", bucketize(1, 1));
    assertRefused(DOUBLE, 0, "bucketize has boundaries", bucketize());
    assertRefused(STRING, 0, "values has a value twice", oneHot("a", "a"));
    assertRefused(STRING, 0, "hash is from 1 to 16777216", hash(0));
    assertRefused(DOUBLE, 0, "a transform that is not known here", Transform.getDefaultInstance());
  }

  @Test
  void whatIsToBeFittedIsRightButCannotBeAppliedYet() {
    Transform unfitted = toFit(Transform.newBuilder().setMinMax(MinMax.getDefaultInstance()));
    Transforms.check(DOUBLE, List.of(unfitted));
    assertThat(Transforms.areFitted(List.of(log1p(), unfitted))).isFalse();
    assertThatThrownBy(() -> Transforms.of("f", DOUBLE, List.of(log1p(), unfitted)))
        .isInstanceOf(TransformException.class)
        .hasMessage("min-max is not fitted yet");
    assertRefused(
        STRING,
        0,
        "top is from 1 to 10000",
        toFit(Transform.newBuilder().setOneHot(OneHot.getDefaultInstance())));
  }

  private static void assertRefused(
      FeatureType type, int step, String message, Transform... steps) {
    assertThatThrownBy(() -> Transforms.check(type, List.of(steps)))
        .isInstanceOfSatisfying(TransformException.class, e -> assertThat(e.step()).isEqualTo(step))
        .hasMessage(message);
  }

  private static void assertBits(float actual, float expected) {
    assertThat(Float.floatToRawIntBits(actual)).isEqualTo(Float.floatToRawIntBits(expected));
  }

  private static float number(double value, Transform... steps) {
    float[] row = new float[1];
    Transforms.of("f", DOUBLE, List.of(steps)).putNumber(value, row, 0);
    return row[0];
  }

  private static float[] category(String value, Transform... steps) {
    Transforms transforms = Transforms.of("f", STRING, List.of(steps));
    float[] row = new float[transforms.width()];
    transforms.putAbsent(row, 0);
    transforms.putCategory(value, row, 0);
    return row;
  }

  private static float[] absent(Transform... steps) {
    return absent(DOUBLE, steps);
  }

  private static float[] absent(FeatureType type, Transform... steps) {
    Transforms transforms = Transforms.of("f", type, List.of(steps));
    float[] row = new float[transforms.width()];
    transforms.putAbsent(row, 0);
    return row;
  }
}
