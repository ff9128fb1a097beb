package dev.tarn.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.Base;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestLayers {

  private static final RedisKeys KEYS = new RedisKeys("tarn");
  private static final long BASE_AS_OF = 1_000_000;
  private static final long AS_OF = 9_000_000;
  private static final byte[] OLD = {1};
  private static final byte[] NEW = {2};
  private static final byte[] EMPTY = {};

  private static final VersionRecord FULL =
      VersionRecord.newBuilder()
          .setFeatureView("activity")
          .setVersion("v1")
          .setBuckets(1_000)
          .setAsOf(Timestamps.fromMicros(BASE_AS_OF))
          .build();

  private static final VersionRecord DELTA =
      FULL.toBuilder()
          .setVersion("v2")
          .setBuckets(10)
          .setAsOf(Timestamps.fromMicros(AS_OF))
          .setBase(Layers.asBase(FULL))
          .build();

  @Test
  void aFullVersionIsItsBaseAlone() {
    Layers layers = Layers.of(KEYS, FULL);
    assertThat(layers.count()).isEqualTo(1);
    assertThat(layers.base()).isSameAs(layers.get(0));
    assertThat(layers.base().version()).isEqualTo("v1");
    assertThat(layers.base().buckets().keyPrefix()).isEqualTo("tarn:activity:v1:");
    assertThat(layers.base().buckets().count()).isEqualTo(1_000);
  }

  @Test
  void anOverlayIsAboveItsBase() {
    Layers layers = Layers.of(KEYS, DELTA);
    assertThat(layers.count()).isEqualTo(2);
    assertThat(layers.get(0).version()).isEqualTo("v2");
    assertThat(layers.get(0).buckets().keyPrefix()).isEqualTo("tarn:activity:v2:");
    assertThat(layers.get(0).buckets().count()).isEqualTo(10);
    assertThat(layers.get(1)).isSameAs(layers.base());
    assertThat(layers.base().version()).isEqualTo("v1");
    assertThat(layers.base().buckets().keyPrefix()).isEqualTo("tarn:activity:v1:");
    assertThat(layers.base().buckets().count()).isEqualTo(1_000);
  }

  @Test
  void anOverlayInWhichNothingDiffersFallsAway() throws CorruptRowException {
    Layers layers =
        Layers.of(KEYS, DELTA.toBuilder().setBuckets(0).setCarriesForward(true).build());
    assertThat(layers.count()).isEqualTo(1);
    assertThat(layers.base().version()).isEqualTo("v1");
    assertThat(layers.base().readEventTimestamp(row(BASE_AS_OF, BASE_AS_OF))).isEqualTo(AS_OF);
  }

  @Test
  void theFirstLayerWithAnEntryDecides() {
    Layers layers = Layers.of(KEYS, DELTA);
    assertThat(row(layers, NEW, OLD)).isSameAs(NEW);
    assertThat(row(layers, NEW, null)).isSameAs(NEW);
    assertThat(row(layers, null, OLD)).isSameAs(OLD);
    assertThat(row(layers, null, null)).isNull();
    assertThat(layers.deciding(new byte[][] {NEW, OLD}, 0, 1)).isEqualTo(0);
    assertThat(layers.deciding(new byte[][] {null, OLD}, 0, 1)).isEqualTo(1);
    assertThat(layers.deciding(new byte[][] {null, null}, 0, 1)).isEqualTo(-1);
  }

  @Test
  void anEmptyEntryOfAnOverlayTakesTheRowAway() {
    Layers layers = Layers.of(KEYS, DELTA);
    assertThat(row(layers, Layer.removed(), OLD)).isNull();
    assertThat(row(layers, EMPTY, null)).isNull();
    assertThat(layers.deciding(new byte[][] {EMPTY, OLD}, 0, 1)).isEqualTo(0);
  }

  @Test
  void anEmptyEntryOfABaseIsARowThatCanNotBeRead() {
    assertThat(row(Layers.of(KEYS, DELTA), null, EMPTY)).isSameAs(EMPTY);
    byte[] found = row(Layers.of(KEYS, FULL), EMPTY);
    assertThat(found).isSameAs(EMPTY);
    assertThatThrownBy(() -> Layers.of(KEYS, FULL).base().readEventTimestamp(new RowReader(found)))
        .isInstanceOf(CorruptRowException.class);
  }

  @Test
  void entriesOfManyEntitiesLieLayerByLayer() {
    Layers layers = Layers.of(KEYS, DELTA);
    // One entry of something else, then three entities' entries in the overlay and in the base.
    byte[][] entries = {OLD, NEW, null, EMPTY, OLD, OLD, OLD};
    assertThat(layers.row(entries, 1, 3)).isSameAs(NEW);
    assertThat(layers.row(entries, 2, 3)).isSameAs(OLD);
    assertThat(layers.row(entries, 3, 3)).isNull();
  }

  @Test
  void aRowsAgeCountsFromTheAsOfOfItsLayer() throws CorruptRowException {
    Layers layers = Layers.of(KEYS, DELTA);
    assertThat(layers.get(0).readEventTimestamp(row(AS_OF, 8_000_000))).isEqualTo(8_000_000);
    assertThat(layers.base().readEventTimestamp(row(BASE_AS_OF, 3))).isEqualTo(3);
    assertThat(layers.base().readEventTimestamp(row(BASE_AS_OF, BASE_AS_OF))).isEqualTo(BASE_AS_OF);
  }

  @Test
  void aRowThatIsCarriedForwardIsAsYoungAsTheVersion() throws CorruptRowException {
    Layers layers = Layers.of(KEYS, DELTA.toBuilder().setCarriesForward(true).build());
    assertThat(layers.base().readEventTimestamp(row(BASE_AS_OF, BASE_AS_OF))).isEqualTo(AS_OF);
    assertThat(layers.base().readEventTimestamp(row(BASE_AS_OF, 3))).isEqualTo(3);
    assertThat(layers.get(0).readEventTimestamp(row(AS_OF, AS_OF))).isEqualTo(AS_OF);
  }

  @Test
  void whatALayerSaysMayBeKept() {
    Layers layers = Layers.of(KEYS, DELTA);
    assertThat(layers.get(0).isImmutable()).isTrue();
    assertThat(layers.get(1).isImmutable()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "buckets, its version record lacks buckets or as_of",
    "as_of, its version record lacks buckets or as_of",
    "base buckets, 'the base in its version record lacks buckets, version or as_of'",
    "base version, 'the base in its version record lacks buckets, version or as_of'",
    "base as_of, 'the base in its version record lacks buckets, version or as_of'"
  })
  void aRecordThatDoesNotSayWhereTheRowsAreIsRefused(String lacking, String message) {
    VersionRecord.Builder version = DELTA.toBuilder();
    switch (lacking) {
      case "buckets" -> version.setBuckets(-1);
      case "as_of" -> version.clearAsOf();
      case "base buckets" -> version.getBaseBuilder().clearBuckets();
      case "base version" -> version.getBaseBuilder().clearVersion();
      default -> version.getBaseBuilder().clearAsOf();
    }
    assertThatThrownBy(() -> Layers.of(KEYS, version.build()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void aFullVersionWithoutBucketsIsRefused() {
    assertThatThrownBy(() -> Layers.of(KEYS, FULL.toBuilder().clearBuckets().build()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("its version record lacks buckets or as_of");
  }

  @Test
  void onlyAFullVersionCanBeABase() {
    assertThat(Layers.asBase(FULL))
        .isEqualTo(
            Base.newBuilder()
                .setVersion("v1")
                .setBuckets(1_000)
                .setAsOf(Timestamps.fromMicros(BASE_AS_OF))
                .build());
    assertThatThrownBy(() -> Layers.asBase(DELTA))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("version v2 is an overlay, and only a full version can be a base");
  }

  @Test
  void aVersionsOwnBucketsAreThoseOfItsTop() {
    assertThat(Layers.ownBuckets(KEYS, DELTA).keyPrefix()).isEqualTo("tarn:activity:v2:");
    assertThat(Layers.ownBuckets(KEYS, FULL).keyPrefix()).isEqualTo("tarn:activity:v1:");
  }

  @Test
  void layersGoToOtherMachines() throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(Layers.of(KEYS, DELTA));
    }
    Layers there;
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      there = (Layers) in.readObject();
    }
    assertThat(there.get(0).buckets().keyPrefix()).isEqualTo("tarn:activity:v2:");
    assertThat(row(there, EMPTY, OLD)).isNull();
    assertThat(row(there, null, OLD)).isSameAs(OLD);
  }

  private static byte[] row(Layers layers, byte[]... entries) {
    return layers.row(entries, 0, 1);
  }

  private static RowReader row(long asOf, long event) {
    RowWriter writer = new RowWriter();
    writer.start(asOf, event);
    return new RowReader(writer.toBytes());
  }
}
