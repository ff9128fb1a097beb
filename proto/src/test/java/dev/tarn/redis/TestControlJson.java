package dev.tarn.redis;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.manifest.VersionRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestControlJson {

  @ParameterizedTest
  @ValueSource(
      doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, -0.0, 1.5})
  void aDefaultStaysWhatItIsWhereverARecordIsKept(double number) throws Exception {
    VersionRecord record =
        VersionRecord.newBuilder()
            .addFeatures(feature(Kind.KIND_DOUBLE, Value.newBuilder().setNumberValue(number)))
            .addFeatures(feature(Kind.KIND_FLOAT, Value.newBuilder().setNumberValue(number)))
            .addFeatures(feature(Kind.KIND_STRING, Value.newBuilder().setStringValue("NaN")))
            .build();
    assertThat(ControlJson.parse(ControlJson.print(record), VersionRecord.newBuilder()).build())
        .isEqualTo(record);
    ReleaseEvent event = ReleaseEvent.newBuilder().setManifest(record).build();
    assertThat(ControlJson.parse(ControlJson.print(event), ReleaseEvent.newBuilder()).build())
        .isEqualTo(event);
    TrainingManifest manifest =
        TrainingManifest.newBuilder()
            .addViews(
                TrainingView.newBuilder()
                    .addAllFeatures(record.getFeaturesList())
                    .addReadings(TrainingReading.newBuilder().setServed(record)))
            .build();
    assertThat(
            ControlJson.parse(ControlJson.print(manifest), TrainingManifest.newBuilder()).build())
        .isEqualTo(manifest);
  }

  @Test
  void whatJsonHasNoNumberForIsTheTextOfProto3Json() {
    assertThat(
            ControlJson.print(
                feature(
                        Kind.KIND_DOUBLE,
                        Value.newBuilder().setNumberValue(Double.NEGATIVE_INFINITY))
                    .build()))
        .isEqualTo("{\"type\":{\"kind\":\"KIND_DOUBLE\"},\"defaultValue\":\"-Infinity\"}");
  }

  private static StoredFeature.Builder feature(Kind kind, Value.Builder value) {
    return StoredFeature.newBuilder()
        .setType(FeatureType.newBuilder().setKind(kind))
        .setDefaultValue(value);
  }
}
