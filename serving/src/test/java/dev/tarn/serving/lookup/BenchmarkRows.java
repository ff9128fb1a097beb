package dev.tarn.serving.lookup;

import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.world.ReleasedView;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntPredicate;

/** Makes rows of one feature view with usual features, the same in each run. */
final class BenchmarkRows {

  static final Instant NOW = Instant.parse("2026-11-21T12:00:00Z");
  static final long AS_OF = Values.micros(NOW);

  /** The types of ten features, repeated for more. */
  private static final List<Kind> KINDS =
      List.of(
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_BIGINT,
          Kind.KIND_BIGINT,
          Kind.KIND_BIGINT,
          Kind.KIND_BOOLEAN,
          Kind.KIND_STRING,
          Kind.KIND_TIMESTAMP);

  private final ReleasedView view;
  private final List<AskedId> ids = new ArrayList<>();
  private final byte[][] rows;

  BenchmarkRows(int entities, int features) {
    VersionRecord.Builder record =
        VersionRecord.newBuilder()
            .setRowFormat(RowWriter.FORMAT)
            .setFeatureView("user_activity")
            .setVersion("v1")
            .setEntity("user")
            .setBuckets(1)
            .setAsOf(Timestamps.fromMicros(AS_OF));
    for (int i = 0; i < features; i++) {
      record.addFeatures(
          StoredFeature.newBuilder()
              .setName("feature_of_user_%02d".formatted(i))
              .setType(FeatureType.newBuilder().setKind(kind(i))));
    }
    view = new ReleasedView(new RedisKeys("bench"), record.build(), new Release("v1", NOW));
    Random random = new Random(1);
    rows = new byte[entities][];
    for (int e = 0; e < entities; e++) {
      String id = "user-%07d".formatted(random.nextInt(1_000_000));
      ids.add(new AskedId(id, id.getBytes(StandardCharsets.UTF_8)));
      rows[e] = row(random, features);
    }
  }

  static Kind kind(int feature) {
    return KINDS.get(feature % KINDS.size());
  }

  ReleasedView view() {
    return view;
  }

  List<AskedId> ids() {
    return ids;
  }

  byte[][] rows() {
    return rows;
  }

  /** Returns features by their names. */
  Map<String, Place> places(IntPredicate which) {
    Map<String, Place> places = new LinkedHashMap<>();
    for (int i = 0; i < view.features().size(); i++) {
      if (which.test(i)) {
        places.put(view.features().get(i).getName(), new Place(view, i));
      }
    }
    return places;
  }

  Selection selection(IntPredicate which) {
    return Selection.of(places(which));
  }

  private static byte[] row(Random random, int features) {
    RowWriter out = new RowWriter();
    out.start(AS_OF, AS_OF);
    int nulls = out.putNulls(features);
    for (int i = 0; i < features; i++) {
      if (random.nextInt(20) == 0) {
        out.setNull(nulls, i);
        continue;
      }
      switch (kind(i)) {
        case KIND_DOUBLE -> out.putDouble(random.nextGaussian());
        case KIND_BOOLEAN -> out.putBoolean(random.nextBoolean());
        case KIND_STRING -> out.putBytes("city-123".getBytes(StandardCharsets.UTF_8));
        case KIND_TIMESTAMP -> out.putLong(AS_OF - random.nextInt());
        default -> out.putLong(random.nextInt(1_000_000));
      }
    }
    return out.toBytes();
  }
}
