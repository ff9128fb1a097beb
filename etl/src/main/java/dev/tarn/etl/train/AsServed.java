package dev.tarn.etl.train;

import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.row.Values;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;
import scala.collection.JavaConverters;

/**
 * Joins each row of a spine with what was released at its moment: for each view, the newest row of
 * its entity in the snapshot of the version that was released then, whatever as-of that row has.
 *
 * <p>Usually only the newest as-of of a snapshot is read. If it lacks an entity that is asked for,
 * the older ones are read for such entities alone.
 */
final class AsServed {

  private final Lake lake;
  private final Spine spine;
  private final List<TrainingView> views;
  private final SortedMap<Integer, ViewTable> tables;

  AsServed(Lake lake, Spine spine, List<TrainingView> views, SortedMap<Integer, ViewTable> tables) {
    this.lake = lake;
    this.spine = spine;
    this.views = views;
    this.tables = tables;
  }

  /**
   * The spine's packed rows with the reading of each view, and a struct of each that is not live,
   * null where it has no row; divided by entity.
   */
  Dataset<Row> join(int partitions) {
    List<Column> packed = spine.packed();
    for (int v = 0; v < views.size(); v++) {
      packed.add(reading(spine, views.get(v)).as(Rules.reading(v)));
    }
    Dataset<Row> asking = spine.rows().select(packed.toArray(new Column[0]));
    for (int v : tables.keySet()) {
      asking = asking.withColumn(wanted(v), snapshotId(v));
    }
    Dataset<Row> joined = asking;
    for (int v : tables.keySet()) {
      joined =
          tables.get(v).view().getReadingsCount() == 0
              ? joined.withColumn(Columns.view(v), functions.lit(null).cast(type(v)))
              : joined.join(
                  rows(v, asking), JavaConverters.asScalaBuffer(on(v)).toSeq(), "left_outer");
    }
    return joined.repartition(partitions, EntityColumns.keys(spine.keys()));
  }

  /** The place of the reading that each row of a spine is for; null where there is none. */
  static Column reading(Spine spine, TrainingView view) {
    Column time = Columns.named(spine.timeColumn());
    if (!spine.hasStamps()) {
      return readingAt(view, spine.micros());
    }
    if (view.hasLive()) {
      // A stamp proves that there was an answer. The server's clock may be behind that of releases.
      int last = Math.max(0, view.getReadingsCount() - 1);
      Column isBefore =
          view.getReadingsCount() == 0
              ? functions.lit(true)
              : spine.micros().lt(Timestamps.toMicros(view.getReadings(0).getReleasedAt()));
      return functions.coalesce(
          readingAt(view, spine.micros()), functions.when(isBefore, 0).otherwise(last));
    }
    Column snapshotId = StampColumn.snapshotId(time, view.getFeatureView());
    Column reading = functions.lit(null).cast(DataTypes.IntegerType);
    for (int i = 0; i < view.getReadingsCount(); i++) {
      reading =
          functions
              .when(snapshotId.equalTo(view.getReadings(i).getSnapshotId()), functions.lit(i))
              .otherwise(reading);
    }
    return reading;
  }

  /** The place of the reading that was released at a moment; null where there was none. */
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

  /** The column with the snapshot that a row of the spine asks of a view. */
  private static String wanted(int v) {
    return Columns.PREFIX + "wanted" + v;
  }

  private List<String> on(int v) {
    List<String> on = new ArrayList<>(EntityColumns.keyNames(spine.keys()));
    on.add(wanted(v));
    return on;
  }

  private Column snapshotId(int v) {
    Map<Long, List<Object>> readings = new TreeMap<>();
    TrainingView view = tables.get(v).view();
    for (int i = 0; i < view.getReadingsCount(); i++) {
      readings.computeIfAbsent(view.getReadings(i).getSnapshotId(), id -> new ArrayList<>()).add(i);
    }
    Column snapshotId = functions.lit(null).cast(DataTypes.LongType);
    for (Map.Entry<Long, List<Object>> snapshot : readings.entrySet()) {
      snapshotId =
          functions
              .when(
                  functions.col(Rules.reading(v)).isin(snapshot.getValue().toArray()),
                  functions.lit(snapshot.getKey()))
              .otherwise(snapshotId);
    }
    return snapshotId;
  }

  /** One row for each entity and snapshot that is asked for and there, and some that are not. */
  private Dataset<Row> rows(int v, Dataset<Row> asking) {
    ViewTable table = tables.get(v);
    Column[] pair = on(v).stream().map(functions::col).toArray(Column[]::new);
    Column[] keys = EntityColumns.keys(spine.keys());
    Column snapshotId = functions.col(wanted(v));
    Column isAsked = IsOneOf.of(asking, keys, snapshotId, keys, snapshotId);
    List<Long> snapshots =
        table.view().getReadingsList().stream()
            .map(TrainingReading::getSnapshotId)
            .distinct()
            .toList();
    Dataset<Row> rows = null;
    List<Long> withOlder = new ArrayList<>();
    for (long id : snapshots) {
      Snapshot snapshot = table.snapshot(id);
      Optional<Dataset<Row>> ofNewest = ofNewestAsOf(table, snapshot);
      if (ofNewest.isPresent()) {
        withOlder.add(id);
      }
      Dataset<Row> some = history(v, snapshot, ofNewest.orElseGet(() -> current(table, snapshot)));
      rows = rows == null ? some : rows.union(some);
    }
    Dataset<Row> asked = rows.filter(isAsked);
    if (withOlder.isEmpty()) {
      return asked;
    }
    Dataset<Row> lacking =
        asking
            .select(pair)
            .filter(functions.col(wanted(v)).isin(withOlder.toArray()))
            .distinct()
            .join(asked.select(pair), JavaConverters.asScalaBuffer(on(v)).toSeq(), "left_anti")
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      if (lacking.isEmpty()) {
        return asked;
      }
      Column isLacking = IsOneOf.of(lacking, keys, snapshotId, keys, snapshotId);
      for (long id : withOlder) {
        Snapshot snapshot = table.snapshot(id);
        asked =
            asked.union(
                history(v, snapshot, current(table, snapshot))
                    .filter(isLacking)
                    // The filter lets some through that have a row already.
                    .join(lacking, JavaConverters.asScalaBuffer(on(v)).toSeq(), "left_semi"));
      }
      return asked;
    } finally {
      lacking.unpersist();
    }
  }

  /** The rows of the newest as-of alone, where that is known and older ones are rows besides. */
  private Optional<Dataset<Row>> ofNewestAsOf(ViewTable table, Snapshot snapshot) {
    if (table.table().storesChanges(snapshot)) {
      return Optional.empty();
    }
    return StoredAsOfs.of(table.table().iceberg(), snapshot.snapshotId())
        .asOfs()
        .filter(asOfs -> asOfs.length > 1)
        .map(
            asOfs ->
                SnapshotRows.of(lake, table.table(), snapshot.snapshotId())
                    .filter(
                        functions
                            .col(FeatureView.EVENT_TIMESTAMP)
                            .equalTo(functions.lit(Values.instant(asOfs[asOfs.length - 1])))));
  }

  private Dataset<Row> current(ViewTable table, Snapshot snapshot) {
    return CurrentRows.of(lake, table.entity().keyNames(), table.table(), snapshot);
  }

  private Dataset<Row> history(int v, Snapshot snapshot, Dataset<Row> rows) {
    ViewTable table = tables.get(v);
    List<Column> columns = new ArrayList<>();
    columns.add(
        functions.unix_micros(functions.col(FeatureView.EVENT_TIMESTAMP)).as(PointInTime.GIVEN_AT));
    columns.addAll(table.features(snapshot));
    return PointInTime.history(rows, table.keys(), functions.lit(snapshot.snapshotId()), v, columns)
        .withColumnRenamed(Columns.MICROS, wanted(v));
  }

  private StructType type(int v) {
    StructType type = new StructType().add(PointInTime.GIVEN_AT, DataTypes.LongType);
    for (StoredFeature feature : tables.get(v).view().getFeaturesList()) {
      type = type.add(feature.getName(), ViewTable.type(feature));
    }
    return type;
  }

  /** Finds the release of a moment: it holds from its time on until the next one. */
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
}
