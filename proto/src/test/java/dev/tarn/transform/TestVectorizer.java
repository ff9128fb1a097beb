package dev.tarn.transform;

import static dev.tarn.transform.Steps.DOUBLE;
import static dev.tarn.transform.Steps.STRING;
import static dev.tarn.transform.Steps.fill;
import static dev.tarn.transform.Steps.oneHot;
import static dev.tarn.transform.Steps.toFit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Standardize;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestVectorizer {

  @Test
  void aRowHasTheFeaturesSideBySideInTheServicesOrder() {
    Vectorizer vectorizer =
        Vectorizer.of(
            service(transforms("v.b", oneHot("x", "y")), transforms("v.a", fill(7))),
            List.of(DOUBLE, STRING, DOUBLE));
    assertThat(vectorizer.columnNames()).containsExactly("v.a", "v.b=x", "v.b=y", "v.b?", "v.c");
    assertThat(vectorizer.width()).isEqualTo(5);
    float[] row = new float[5];
    vectorizer.clear(row);
    assertThat(row).containsExactly(7, 0, 0, 1, Float.NaN);
    vectorizer.putNumber(0, 1.5, row);
    vectorizer.putCategory(1, "y", row);
    vectorizer.putNumber(2, -2, row);
    assertThat(row).containsExactly(1.5f, 0, 1, 0, -2);
    vectorizer.clear(1, row);
    assertThat(row).containsExactly(1.5f, 0, 0, 1, -2);
    assertThat(vectorizer.takesCategories(1)).isTrue();
    assertThat(vectorizer.takesCategories(2)).isFalse();
  }

  @Test
  void aMatrixHasLittleEndianFloatsAndOneNaN() {
    byte[] matrix = new byte[16];
    float[] row = {1, Float.intBitsToFloat(0xffc00123), -0.0f};
    Vectorizer.write(row, matrix, 4);
    assertThat(HexFormat.of().formatHex(matrix)).isEqualTo("000000000000803f0000c07f00000080");
    assertThat(ByteBuffer.wrap(matrix).order(ByteOrder.LITTLE_ENDIAN).getFloat(4)).isEqualTo(1);
  }

  @Test
  void aServiceThatIsNotFittedNamesTheCommand() {
    Transform unfitted =
        toFit(Transform.newBuilder().setStandardize(Standardize.getDefaultInstance()));
    assertThatThrownBy(
            () ->
                Vectorizer.of(
                    service(transforms("v.a", unfitted)), List.of(DOUBLE, DOUBLE, DOUBLE)))
        .isInstanceOf(TransformException.class)
        .hasMessage("feature service 's' is not fitted yet: run ./tarn fit service=s");
  }

  @Test
  void aFeatureThatIsNoNumberIsNamed() {
    assertThatThrownBy(() -> Vectorizer.of(service(), List.of(DOUBLE, STRING, DOUBLE)))
        .isInstanceOf(TransformException.class)
        .hasMessage(
            "feature service 's' has no vectors, for its feature 'v.b': a string is no number:"
                + " end its transforms with one-hot or hash");
  }

  private static StoredService service(FeatureTransforms... transforms) {
    return StoredService.newBuilder()
        .setName("s")
        .addAllFeatureNames(List.of("v.a", "v.b", "v.c"))
        .addAllTransforms(List.of(transforms))
        .build();
  }

  private static FeatureTransforms transforms(String feature, Transform... steps) {
    return FeatureTransforms.newBuilder()
        .setFeatureName(feature)
        .addAllSteps(List.of(steps))
        .build();
  }
}
