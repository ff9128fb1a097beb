package dev.tarn.etl.train;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Lake;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.read.CurrentRows;
import dev.tarn.etl.read.RowVectors;
import dev.tarn.etl.read.SnapshotRows;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.row.Values;
import dev.tarn.transform.TransformException;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Reads what a manifest says: the spine's rows, each with the features that it had at its moment.
 * The manifest alone decides, so that the first time and any later one are the same read.
 *
 * <p>The result has the spine's columns as they were, then the service's features in its order or
 * its vector. It is divided by entity into as many parts as the manifest has files, and within each
 * in order of entity, time and all other columns.
 */
final class TrainingRead {

  /** The column of a service's vector: float32, little-endian. */
  static final String VECTOR = "vector";

  /** Below this many rows for each of the spine's, all of a history are shuffled as they are. */
  private static final int WORTH_FILTERING = 2;

  private final Lake lake;
  private final Spine spine;
  private final TrainingManifest manifest;
  private final List<ViewTable> tables;
  private final List<Rules> rules = new ArrayList<>();

  TrainingRead(Lake lake, Spine spine, TrainingManifest manifest) {
    this.lake = lake;
    this.spine = spine;
    this.manifest = manifest;
    tables = manifest.getViewsList().stream().map(view -> ViewTable.of(lake, view)).toList();
    for (int v = 0; v < tables.size(); v++) {
      rules.add(new Rules(tables.get(v).view(), manifest.getAsServed(), v));
    }
  }

  /** The training set. */
  Dataset<Row> rows() {
    return manifest.getVectors() ? withVectors() : withFeatures(true);
  }

  /** The training set without defaults, which have no part in vectors or in fitting them. */
  Dataset<Row> withoutDefaults() {
    return withFeatures(false);
  }

  private Dataset<Row> withFeatures(boolean withDefaults) {
    List<Column> columns = spineColumns();
    values(withDefaults).forEach((name, value) -> columns.add(value.as(plain(name))));
    return joined(!withDefaults).select(columns.toArray(new Column[0]));
  }

  private Dataset<Row> withVectors() {
    List<FeatureType> types = new ArrayList<>();
    List<Column> values = new ArrayList<>();
    Map<String, Column> byName = values(false);
    for (String name : manifest.getService().getFeatureNamesList()) {
      types.add(feature(name).getType());
      values.add(byName.get(name).as(plain(name)));
    }
    List<Column> columns = spineColumns();
    try {
      columns.add(
          RowVectors.of(
                  manifest.getService(), types, functions.struct(values.toArray(new Column[0])))
              .as(VECTOR));
    } catch (TransformException e) {
      throw new TarnException(e.getMessage(), e);
    }
    return joined(true).select(columns.toArray(new Column[0]));
  }

  private List<Column> spineColumns() {
    List<Column> columns = new ArrayList<>();
    for (String name : spine.columns()) {
      columns.add(functions.col(Columns.SPINE).getField(name).as(name));
    }
    return columns;
  }

  private StoredFeature feature(String fullName) {
    return manifest.getViewsList().stream()
        .filter(view -> fullName.startsWith(view.getFeatureView() + "."))
        .flatMap(view -> view.getFeaturesList().stream())
        .filter(feature -> feature.getName().equals(plain(fullName)))
        .findFirst()
        .orElseThrow();
  }

  /**
   * The features by full name, in the service's order.
   *
   * <p>As lookups have it: a default stands in for what is null, not there or too old, but not
   * where no view knows the entity.
   */
  private Map<String, Column> values(boolean withDefaults) {
    Column isKnown = functions.lit(false);
    for (int v = 0; v < tables.size(); v++) {
      isKnown = isKnown.or(PointInTime.isThere(v));
    }
    Map<String, Column> values = new LinkedHashMap<>();
    manifest.getService().getFeatureNamesList().forEach(name -> values.put(name, null));
    for (int v = 0; v < tables.size(); v++) {
      Column isRecent = isRecent(v);
      for (StoredFeature feature : tables.get(v).view().getFeaturesList()) {
        Column value = functions.when(isRecent, PointInTime.of(v, feature.getName()));
        if (withDefaults && rules.get(v).hasDefaults()) {
          value =
              functions.when(isKnown, functions.coalesce(value, rules.get(v).defaultOf(feature)));
        }
        values.put(tables.get(v).name() + "." + feature.getName(), value);
      }
    }
    return values;
  }

  /** Whether a row got one of the view that is not too old. */
  private Column isRecent(int v) {
    Column maxAge = rules.get(v).maxAge();
    Column age = functions.col(Columns.MICROS).minus(givenAt(v));
    return PointInTime.isThere(v).and(maxAge.isNull().or(age.leq(maxAge)));
  }

  private Column givenAt(int v) {
    Column givenAt = PointInTime.of(v, PointInTime.GIVEN_AT);
    if (manifest.getAsServed()) {
      return givenAt;
    }
    ViewTable table = tables.get(v);
    Snapshot snapshot = snapshot(table);
    return table.table().storesChanges(snapshot)
        ? functions.coalesce(
            givenAt,
            AsOfFloor.of(table.table().asOfs(snapshot).micros(), functions.col(Columns.MICROS)))
        : givenAt;
  }

  private static Snapshot snapshot(ViewTable table) {
    return table.snapshot(table.view().getReadings(0).getSnapshotId());
  }

  /**
   * The spine's packed rows, each with a struct of each view.
   *
   * @param isAbsentAlike whether a row that is too old counts for nothing at all
   */
  private Dataset<Row> joined(boolean isAbsentAlike) {
    return manifest.getAsServed() ? asServed() : byEventTime(isAbsentAlike);
  }

  private Dataset<Row> byEventTime(boolean isAbsentAlike) {
    // What a default stands in for depends on whether a row is there, too old as it may be.
    boolean mayLeaveOut = isAbsentAlike || rules.stream().noneMatch(Rules::hasDefaults);
    List<Dataset<Row>> histories = new ArrayList<>();
    for (int v = 0; v < tables.size(); v++) {
      histories.add(history(v, mayLeaveOut));
    }
    return PointInTime.join(spine, histories, manifest.getFiles());
  }

  private Dataset<Row> history(int v, boolean mayLeaveOut) {
    ViewTable table = tables.get(v);
    Snapshot snapshot = snapshot(table);
    boolean storesChanges = table.table().storesChanges(snapshot);
    Column eventTimestamp = functions.col(FeatureView.EVENT_TIMESTAMP);
    Dataset<Row> rows =
        SnapshotRows.of(lake, table.name(), snapshot.snapshotId())
            .filter(eventTimestamp.leq(at(spine.latest())));
    long oldest = Long.MAX_VALUE;
    Optional<Long> maxAge = rules.get(v).maxAgeMicros();
    if (maxAge.isPresent() && mayLeaveOut && !storesChanges) {
      oldest = maxAge.get();
      rows = rows.filter(eventTimestamp.geq(at(Math.subtractExact(spine.earliest(), oldest))));
    }
    List<Column> columns = new ArrayList<>();
    columns.add(
        functions
            .unix_micros(storesChanges ? functions.col(FeatureView.PRESENT_UNTIL) : eventTimestamp)
            .as(PointInTime.GIVEN_AT));
    columns.addAll(table.features(snapshot));
    Dataset<Row> history =
        PointInTime.history(rows, table.keys(), functions.unix_micros(eventTimestamp), v, columns);
    if (storesChanges) {
      return history;
    }
    StoredAsOfs stored = StoredAsOfs.of(table.table().iceberg(), snapshot.snapshotId());
    boolean isLong = stored.rows() / WORTH_FILTERING > spine.count();
    return stored.asOfs().isPresent() && isLong
        ? NeededRows.of(spine, history, stored.asOfs().get(), oldest)
        : history;
  }

  private static Column at(long micros) {
    return functions.lit(Timestamp.from(Values.instant(micros)));
  }

  /** Of each view the newest row in the snapshot that was live at the row's time. */
  private Dataset<Row> asServed() {
    List<Column> packed = spine.packed();
    for (int v = 0; v < tables.size(); v++) {
      packed.add(
          readingAt(tables.get(v).view(), functions.unix_micros(Columns.named(spine.timeColumn())))
              .as(Rules.reading(v)));
    }
    Dataset<Row> joined = spine.rows().select(packed.toArray(new Column[0]));
    for (int v = 0; v < tables.size(); v++) {
      joined = withServed(joined, v);
    }
    Column[] keys = Columns.keys(spine.keys());
    List<Column> order = new ArrayList<>(List.of(keys));
    order.add(functions.col(Columns.MICROS));
    order.addAll(List.of(spine.order()));
    return joined
        .repartition(manifest.getFiles(), keys)
        .sortWithinPartitions(order.toArray(new Column[0]));
  }

  private Dataset<Row> withServed(Dataset<Row> joined, int v) {
    ViewTable table = tables.get(v);
    Map<Long, List<Object>> readings = new TreeMap<>();
    for (int i = 0; i < table.view().getReadingsCount(); i++) {
      readings
          .computeIfAbsent(table.view().getReadings(i).getSnapshotId(), id -> new ArrayList<>())
          .add(i);
    }
    String wanted = Columns.PREFIX + "wanted" + v;
    Column snapshotId = functions.lit(null).cast(DataTypes.LongType);
    for (Map.Entry<Long, List<Object>> snapshot : readings.entrySet()) {
      snapshotId =
          functions
              .when(
                  functions.col(Rules.reading(v)).isin(snapshot.getValue().toArray()),
                  functions.lit(snapshot.getKey()))
              .otherwise(snapshotId);
    }
    Dataset<Row> asking = joined.withColumn(wanted, snapshotId);
    if (readings.isEmpty()) {
      return asking.withColumn(Columns.view(v), functions.lit(null).cast(emptyType(table)));
    }
    Dataset<Row> keysOfView = null;
    Column[] keys = Columns.keys(spine.keys());
    Column[] asked = Arrays.copyOf(keys, keys.length + 1);
    asked[keys.length] = functions.col(wanted);
    for (long id : readings.keySet()) {
      Snapshot snapshot = table.snapshot(id);
      List<Column> columns = new ArrayList<>();
      columns.add(
          functions
              .unix_micros(functions.col(FeatureView.EVENT_TIMESTAMP))
              .as(PointInTime.GIVEN_AT));
      columns.addAll(table.features(snapshot));
      Dataset<Row> rows =
          PointInTime.history(
                  CurrentRows.of(lake, table.definition(), table.table(), snapshot),
                  table.keys(),
                  functions.lit(id),
                  v,
                  columns)
              .withColumnRenamed(Columns.MICROS, wanted);
      keysOfView = keysOfView == null ? rows : keysOfView.union(rows);
    }
    Column isAsked = NeededRows.isOneOf(asking, asked, spine.count(), asked);
    List<String> on = new ArrayList<>(Columns.keyNames(spine.keys()));
    on.add(wanted);
    return asking.join(
        keysOfView.filter(isAsked),
        scala.collection.JavaConverters.asScalaBuffer(on).toSeq(),
        "left_outer");
  }

  private org.apache.spark.sql.types.StructType emptyType(ViewTable table) {
    var type =
        new org.apache.spark.sql.types.StructType().add(PointInTime.GIVEN_AT, DataTypes.LongType);
    for (StoredFeature feature : table.view().getFeaturesList()) {
      type = type.add(feature.getName(), ViewTable.type(feature));
    }
    return type;
  }

  /** The place of the reading that was live at a moment; null where there was none. */
  static Column readingAt(TrainingView view, Column micros) {
    long[] from = new long[view.getReadingsCount()];
    long[] to = new long[from.length];
    for (int i = 0; i < from.length; i++) {
      TrainingReading reading = view.getReadings(i);
      from[i] = Timestamps.toMicros(reading.getReleasedAt());
      to[i] = reading.hasRetiredAt() ? Timestamps.toMicros(reading.getRetiredAt()) : Long.MAX_VALUE;
    }
    return functions.udf(new ReadingAt(from, to), DataTypes.IntegerType).apply(micros);
  }

  /** From the release on, and no longer from the next one on. */
  private static final class ReadingAt implements UDF1<Long, Integer> {
    private static final long serialVersionUID = 1L;

    private final long[] from;
    private final long[] to;

    ReadingAt(long[] from, long[] to) {
      this.from = from;
      this.to = to;
    }

    @Override
    public Integer call(Long micros) {
      int at = Arrays.binarySearch(from, micros);
      int last = at >= 0 ? at : -at - 2;
      // Not a conditional expression, which would unbox its null.
      if (last < 0 || micros >= to[last]) {
        return null;
      }
      return last;
    }
  }

  private static String plain(String fullName) {
    return fullName.substring(fullName.indexOf('.') + 1);
  }
}
