package dev.tarn.serving.lookup;

import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.RandomRows;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.world.ReleasedView;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Makes random lookups, whose rows may be of an overlay, missing, too old or damaged. */
final class RandomLookups {

  /** A lookup whose rows are fetched. */
  record Fetched(Selection selection, List<AskedId> ids, FetchedRows rows) {}

  private static final RedisKeys KEYS = new RedisKeys("random");
  private static final Duration MAX_AGE = Duration.ofHours(1);

  private final Random random;
  private final RandomRows rows;
  private final Instant now;

  RandomLookups(Random random, Instant now) {
    this.random = random;
    rows = new RandomRows(random);
    this.now = now;
  }

  Fetched next() {
    List<ReleasedView> views = new ArrayList<>();
    for (int v = random.nextInt(3); v >= 0; v--) {
      views.add(view("view" + v));
    }
    Map<String, Place> chosen = new LinkedHashMap<>();
    for (ReleasedView view : views) {
      for (int i = 0; i < view.features().size(); i++) {
        String full = view.name() + "." + view.features().get(i).getName();
        if (random.nextInt(4) > 0) {
          chosen.put(full, new Place(view, i));
        }
        if (random.nextInt(4) == 0) {
          chosen.put("also " + full, new Place(view, i));
        }
      }
    }
    Selection selection = Selection.of(chosen);
    List<AskedId> ids = new ArrayList<>();
    for (int i = random.nextInt(5); i >= 0; i--) {
      String id = "é".repeat(random.nextInt(100)) + i;
      ids.add(new AskedId(id, id.getBytes(StandardCharsets.UTF_8)));
    }
    List<byte[]> fetched = new ArrayList<>();
    for (Selection.ViewColumns columns : selection.views()) {
      for (int entry = columns.view().layers().count() * ids.size(); entry > 0; entry--) {
        fetched.add(row(columns.view()));
      }
    }
    return new Fetched(
        selection,
        ids,
        FetchedRows.of(selection, ids, fetched.toArray(new byte[0][]), Values.micros(now)));
  }

  private ReleasedView view(String name) {
    List<FeatureType> types = rows.types(random.nextInt(8));
    VersionRecord.Builder record =
        VersionRecord.newBuilder()
            .setRowFormat(RowWriter.FORMAT)
            .setFeatureView(name)
            .setVersion("v2")
            .setEntity("user")
            .setSnapshotId(random.nextLong())
            .setBuckets(1)
            .setCarriesForward(random.nextBoolean())
            .setAsOf(timestamp(now));
    for (FeatureType type : types) {
      StoredFeature.Builder feature =
          StoredFeature.newBuilder().setName("f" + record.getFeaturesCount()).setType(type);
      if (random.nextInt(3) == 0) {
        feature.setDefaultValue(
            random.nextBoolean() ? Values.ofString("x".repeat(200)) : Value.getDefaultInstance());
      }
      record.addFeatures(feature);
    }
    if (random.nextBoolean()) {
      record.setMaxAge(Durations.fromSeconds(MAX_AGE.toSeconds()));
    }
    if (random.nextBoolean()) {
      record
          .getBaseBuilder()
          .setVersion("v1")
          .setBuckets(1)
          .setAsOf(timestamp(now.minus(Duration.ofHours(2))));
    }
    return new ReleasedView(KEYS, record.build(), new Release("v2", now));
  }

  private byte[] row(ReleasedView view) {
    int die = random.nextInt(10);
    if (die < 2) {
      return null;
    }
    if (die == 2) {
      return new byte[0];
    }
    // The row is of this age or, if the layer is the base, two hours older.
    long age = random.nextInt(3) == 0 ? 0 : random.nextLong() >>> (20 + random.nextInt(40));
    byte[] row = rows.row(age, 0, view.types());
    return die == 3 ? rows.damaged(row) : row;
  }

  private static com.google.protobuf.Timestamp timestamp(Instant instant) {
    return Timestamps.fromMicros(Values.micros(instant));
  }
}
