package dev.tarn.transform;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Bucketize;
import dev.tarn.manifest.Transform.Clip;
import dev.tarn.manifest.Transform.Fill;
import dev.tarn.manifest.Transform.Hash;
import dev.tarn.manifest.Transform.Log1p;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import java.util.Arrays;
import java.util.List;

/** Transforms as tests write them. */
final class Steps {

  static final FeatureType DOUBLE = type(Kind.KIND_DOUBLE);
  static final FeatureType STRING = type(Kind.KIND_STRING);

  private Steps() {}

  static FeatureType type(Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }

  static Transform fill(double value) {
    return Transform.newBuilder().setFill(Fill.newBuilder().setNumber(value)).build();
  }

  static Transform fill(String value) {
    return Transform.newBuilder().setFill(Fill.newBuilder().setText(value)).build();
  }

  static Transform standardize(double mean, double std) {
    return Transform.newBuilder()
        .setStandardize(Standardize.newBuilder().setMean(mean).setStd(std))
        .build();
  }

  static Transform minMax(double min, double max) {
    return Transform.newBuilder().setMinMax(MinMax.newBuilder().setMin(min).setMax(max)).build();
  }

  static Transform log1p() {
    return Transform.newBuilder().setLog1P(Log1p.getDefaultInstance()).build();
  }

  static Transform clip(double min, double max) {
    return Transform.newBuilder().setClip(Clip.newBuilder().setMin(min).setMax(max)).build();
  }

  static Transform clip(Clip.Builder clip) {
    return Transform.newBuilder().setClip(clip).build();
  }

  static Transform oneHot(String... values) {
    return Transform.newBuilder()
        .setOneHot(OneHot.newBuilder().addAllValues(List.of(values)))
        .build();
  }

  static Transform bucketize(double... boundaries) {
    return Transform.newBuilder()
        .setBucketize(
            Bucketize.newBuilder().addAllBoundaries(Arrays.stream(boundaries).boxed().toList()))
        .build();
  }

  static Transform hash(int buckets) {
    return Transform.newBuilder().setHash(Hash.newBuilder().setBuckets(buckets)).build();
  }

  static Transform toFit(Transform.Builder step) {
    return step.setFit(true).build();
  }
}
