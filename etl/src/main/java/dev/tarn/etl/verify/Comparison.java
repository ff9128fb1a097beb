package dev.tarn.etl.verify;

import com.google.protobuf.util.Durations;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.verify.Difference.DifferenceKind;
import dev.tarn.etl.verify.Difference.FeatureDifference;
import dev.tarn.layer.Layer;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.StructType;

/**
 * Compares entities' rows online with those in the snapshot. A row has the columns of {@link
 * OnlineRows#SCHEMA}, null but for the first two where an entity is not online, and a struct of the
 * snapshot's event timestamp and features, null where it is not there.
 */
final class Comparison implements FlatMapFunction<Iterator<InternalRow>, Findings> {
  private static final long serialVersionUID = 1L;

  private static final int ID = 0;
  private static final int BUCKET = 1;
  private static final int LAYER = 2;
  private static final int SNAPSHOT = 4;

  private static final FeatureType TIMESTAMP =
      FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_TIMESTAMP).build();

  private final VersionRecord record;
  private final Layers layers;
  private final StructType snapshotType;
  private final ArrayList<Bins> bins;
  private final long oldest;
  private final int show;

  /**
   * A comparison.
   *
   * @param layers of the version
   * @param snapshotType type of the struct: event timestamp, then the version record's features in
   *     its order
   * @param bins of each feature's histogram
   * @param at the moment at which rows have their age
   * @param show differing entities to name at the most
   */
  Comparison(
      VersionRecord record,
      Layers layers,
      StructType snapshotType,
      List<Bins> bins,
      Instant at,
      int show) {
    this.record = record;
    this.layers = layers;
    this.snapshotType = snapshotType;
    this.bins = new ArrayList<>(bins);
    this.oldest =
        record.hasMaxAge()
            ? Values.micros(at) - Durations.toMicros(record.getMaxAge())
            : Long.MIN_VALUE;
    this.show = show;
  }

  /** Findings of no rows at all. */
  Findings none() {
    return new Comparing().finish();
  }

  @Override
  public Iterator<Findings> call(Iterator<InternalRow> rows) {
    Comparing comparing = new Comparing();
    while (rows.hasNext()) {
      comparing.add(rows.next());
    }
    return List.of(comparing.finish()).iterator();
  }

  /** A decoded row of Redis. */
  private record OnlineRow(long eventTimestamp, List<Object> values) {}

  /** The comparison of one partition. */
  private final class Comparing {

    private final List<FeatureType> types =
        record.getFeaturesList().stream().map(StoredFeature::getType).toList();
    private final List<FeatureFindings> features = new ArrayList<>();
    private final long[] differing = new long[types.size()];
    private final Map<DifferenceKind, Long> counts = new EnumMap<>(DifferenceKind.class);
    private List<Difference> differences = new ArrayList<>();
    private long online;
    private long tooOld;
    private long offline;

    Comparing() {
      for (int i = 0; i < types.size(); i++) {
        features.add(FeatureFindings.none(types.get(i), bins.get(i)));
      }
    }

    void add(InternalRow row) {
      String id = new String(row.getBinary(ID), StandardCharsets.UTF_8);
      if (row.getInt(BUCKET) != OnlineRows.FOUND) {
        found(id, DifferenceKind.MISPLACED, "bucket " + row.getInt(BUCKET), List.of());
        return;
      }
      List<Object> wanted = null;
      if (!row.isNullAt(SNAPSHOT)) {
        offline++;
        wanted = StoredValues.fields(row.getStruct(SNAPSHOT, snapshotType.size()), snapshotType);
      }
      if (row.isNullAt(OnlineRows.ROW_AT)) {
        found(id, DifferenceKind.MISSING, "", List.of());
        addOffline(wanted);
        return;
      }
      online++;
      OnlineRow inRedis;
      try {
        inRedis = read(layers.get(row.getInt(LAYER)), row.getBinary(OnlineRows.ROW_AT));
      } catch (CorruptRowException e) {
        found(id, DifferenceKind.UNREADABLE, e.getMessage(), List.of());
        if (wanted != null) {
          addOffline(wanted);
        }
        return;
      }
      if (inRedis.eventTimestamp() < oldest) {
        tooOld++;
      }
      if (wanted == null) {
        found(id, DifferenceKind.FOREIGN, "", List.of());
        for (int i = 0; i < types.size(); i++) {
          features.get(i).onlyOnline().add(inRedis.values().get(i));
        }
        return;
      }
      compare(id, inRedis, wanted);
    }

    Findings finish() {
      List<FeatureFindings> finished = new ArrayList<>();
      for (int i = 0; i < types.size(); i++) {
        FeatureFindings feature = features.get(i);
        finished.add(
            new FeatureFindings(
                feature.same().finish(),
                feature.onlyOnline().finish(),
                feature.onlyOffline().finish(),
                differing[i]));
      }
      return new Findings(
          online, tooOld, offline, counts, Findings.smallest(differences, show), show, finished);
    }

    private void compare(String id, OnlineRow inRedis, List<Object> wanted) {
      List<FeatureDifference> found = new ArrayList<>();
      Object eventTimestamp = wanted.get(0);
      if (!eventTimestamp.equals(inRedis.eventTimestamp())) {
        found.add(
            difference(
                FeatureView.EVENT_TIMESTAMP, TIMESTAMP, inRedis.eventTimestamp(), eventTimestamp));
      }
      for (int i = 0; i < types.size(); i++) {
        Object one = inRedis.values().get(i);
        Object other = wanted.get(1 + i);
        if (one == null ? other == null : one.equals(other)) {
          features.get(i).same().add(one);
        } else {
          features.get(i).onlyOnline().add(one);
          features.get(i).onlyOffline().add(other);
          differing[i]++;
          found.add(difference(record.getFeatures(i).getName(), types.get(i), one, other));
        }
      }
      if (!found.isEmpty()) {
        found(id, DifferenceKind.DIFFERENT, "", found);
      }
    }

    private void addOffline(List<Object> wanted) {
      for (int i = 0; i < types.size(); i++) {
        features.get(i).onlyOffline().add(wanted.get(1 + i));
      }
    }

    private OnlineRow read(Layer layer, byte[] row) throws CorruptRowException {
      RowReader reader = new RowReader(row);
      return new OnlineRow(layer.readEventTimestamp(reader), reader.readStored(types));
    }

    private void found(String id, DifferenceKind kind, String detail, List<FeatureDifference> of) {
      counts.merge(kind, 1L, Long::sum);
      differences.add(new Difference(id, kind, detail, new ArrayList<>(of)));
      if (differences.size() > 1_000 + 2 * show) {
        differences = Findings.smallest(differences, show);
      }
    }
  }

  private static FeatureDifference difference(
      String feature, FeatureType type, Object online, Object offline) {
    List<String> texts = StoredValues.texts(type, online, offline);
    return new FeatureDifference(feature, texts.get(0), texts.get(1));
  }
}
