package dev.tarn.transform;

import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes the rows of a feature service: the floats of all its features, side by side in the
 * service's order. Immutable and thread-safe; the {@code float[]} rows are the caller's.
 */
public final class Vectorizer {

  /** Bytes of one float in a matrix. */
  public static final int FLOAT_BYTES = Float.BYTES;

  private static final VarHandle FLOAT_BITS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private final Transforms[] transforms;

  /** The index of each feature's first float, and at the end the width. */
  private final int[] begins;

  private final List<String> columnNames;
  private final float[] absent;

  private Vectorizer(List<Transforms> transforms) {
    this.transforms = transforms.toArray(Transforms[]::new);
    begins = new int[transforms.size() + 1];
    List<String> names = new ArrayList<>();
    for (int i = 0; i < this.transforms.length; i++) {
      begins[i + 1] = begins[i] + this.transforms[i].width();
      names.addAll(this.transforms[i].columnNames());
    }
    columnNames = List.copyOf(names);
    absent = new float[width()];
    for (int i = 0; i < this.transforms.length; i++) {
      this.transforms[i].putAbsent(absent, begins[i]);
    }
  }

  /**
   * The vectorizer of a service.
   *
   * @param types of the service's features, in its order
   * @throws TransformException if the service has no vectors: it is not fitted, or has a feature
   *     that is no number; the message says what to do
   */
  public static Vectorizer of(StoredService service, List<FeatureType> types) {
    Map<String, List<Transform>> steps = new HashMap<>();
    for (FeatureTransforms feature : service.getTransformsList()) {
      steps.put(feature.getFeatureName(), feature.getStepsList());
      if (!Transforms.areFitted(feature.getStepsList())) {
        throw new TransformException(
            -1,
            "feature service '%s' is not fitted yet: run ./tarn fit service=%s"
                .formatted(service.getName(), service.getName()));
      }
    }
    List<Transforms> transforms = new ArrayList<>();
    for (int i = 0; i < types.size(); i++) {
      String name = service.getFeatureNames(i);
      try {
        transforms.add(Transforms.of(name, types.get(i), steps.getOrDefault(name, List.of())));
      } catch (TransformException e) {
        throw new TransformException(
            e.step(),
            "feature service '%s' has no vectors, for its feature '%s': %s"
                .formatted(service.getName(), name, e.getMessage()));
      }
    }
    return new Vectorizer(transforms);
  }

  /** Floats in a row. */
  public int width() {
    return begins[transforms.length];
  }

  /** Names of the floats of a row; see {@link Transforms#columnNames}. */
  public List<String> columnNames() {
    return columnNames;
  }

  /** Makes all features of a row absent; a row is {@link #width} long. */
  public void clear(float[] row) {
    System.arraycopy(absent, 0, row, 0, absent.length);
  }

  /** Makes one feature of a row absent. */
  public void clear(int feature, float[] row) {
    transforms[feature].putAbsent(row, begins[feature]);
  }

  /** Whether a feature's values are given to {@link #putCategory}, or else {@link #putNumber}. */
  public boolean takesCategories(int feature) {
    return transforms[feature].takesCategories();
  }

  public void putNumber(int feature, double value, float[] row) {
    transforms[feature].putNumber(value, row, begins[feature]);
  }

  public void putCategory(int feature, String value, float[] row) {
    transforms[feature].putCategory(value, row, begins[feature]);
  }

  /** Writes a row as a matrix has it: little-endian float32, one NaN for all. */
  public static void write(float[] row, byte[] matrix, int at) {
    for (int i = 0; i < row.length; i++) {
      FLOAT_BITS.set(matrix, at + i * FLOAT_BYTES, Float.floatToIntBits(row[i]));
    }
  }
}
