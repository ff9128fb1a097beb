package dev.tarn.etl.window;

import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.EventExpression;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.WindowFeature;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.EventColumns.Layout;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * Windows of one view over the events of its source, at as-ofs or at the moments of other rows.
 *
 * <p>Events are divided by entity, sorted by time and read once, from the oldest to the newest. So
 * the cost grows with the number of events and questions, never with that of pairs, and an entity
 * with a million events takes a longer read and no more memory.
 */
public final class WindowRows {

  private static final String ASKING = "_tarn_asking";

  private final SparkSession spark;
  private final SourceTables sources;
  private final Windows windows;
  private final Entity entity;
  private final WindowPlan plan;
  private final LongAccumulator withoutKey;

  /**
   * Windows that are open to be asked.
   *
   * @param sources have the source of the windows
   * @param wanted those of the view's features to compute
   */
  public WindowRows(
      SparkSession spark,
      SourceTables sources,
      Windows windows,
      Entity entity,
      List<WindowFeature> wanted) {
    this.spark = spark;
    this.sources = sources;
    this.windows = windows;
    this.entity = entity;
    StructType columns = sources.columns(windows.source());
    plan =
        WindowPlan.of(
            windows.features(),
            wanted,
            sql -> EventExpression.resolve(sql, columns).type().orElseThrow());
    withoutKey = spark.sparkContext().longAccumulator();
  }

  /**
   * The rows of all as-ofs, each entity once at each as-of at which a window of it has an event:
   * keys, event timestamp, features.
   *
   * @param asOfs in order of time
   */
  public Dataset<Row> at(List<Instant> asOfs) {
    long[] micros = asOfs.stream().mapToLong(Values::micros).toArray();
    int keys = entity.keys().size();
    Dataset<Row> events = events(false, micros[0], micros[micros.length - 1]);
    Dataset<Row> sorted =
        EventColumns.withPlace(events, keys)
            .repartition(EntityColumns.keys(keys))
            .sortWithinPartitions(functions.col(EventColumns.PLACE));
    StructType schema = new StructType();
    for (Entity.KeyColumn key : entity.keys()) {
      schema = schema.add(key.name(), key.type());
    }
    schema = schema.add(FeatureView.EVENT_TIMESTAMP, DataTypes.TimestampType);
    for (org.apache.spark.sql.types.StructField feature : plan.features().fields()) {
      schema = schema.add(feature);
    }
    WindowPlan plan = this.plan;
    Layout layout = EventColumns.layout(entity);
    LongAccumulator withoutKey = this.withoutKey;
    int placeAt = sorted.schema().fieldIndex(EventColumns.PLACE);
    JavaRDD<InternalRow> rows =
        sorted
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(part -> new AsOfScan(part, plan, layout, placeAt, micros, withoutKey));
    return spark.internalCreateDataFrame(rows.rdd(), schema, false);
  }

  /** The number of events without a key that were read by {@link #at} and belong to no entity. */
  public long withoutKey() {
    return withoutKey.value();
  }

  /**
   * Rows with the features at each one's moment, as a struct; null where the entity has no row.
   *
   * @param asking has the entity's keys under the names {@code _tarn_key0}, … and the moment in
   *     microseconds under {@code _tarn_micros}
   * @param isKnown whether an event counts only from its arrival on
   * @param earliest moment of all rows
   * @param latest moment of all rows
   * @param entities keys of those that ask, if they are few: the events of others are left out
   * @param partitions of the result, which is divided by entity
   * @param givenAt name of the struct's first field: the moment
   * @param column name of the struct
   */
  public Dataset<Row> join(
      Dataset<Row> asking,
      boolean isKnown,
      long earliest,
      long latest,
      Optional<Dataset<Row>> entities,
      int partitions,
      String givenAt,
      String column) {
    int keys = entity.keys().size();
    Dataset<Row> events = events(isKnown, earliest, latest);
    for (Column key : EntityColumns.keys(keys)) {
      events = events.filter(key.isNotNull());
    }
    if (entities.isPresent()) {
      events =
          events.join(
              functions.broadcast(entities.get()),
              scala.collection.JavaConverters.asScalaBuffer(EntityColumns.keyNames(keys)).toSeq(),
              "left_semi");
    }
    List<Column> asked = new ArrayList<>();
    asked.addAll(List.of(EntityColumns.keys(keys)));
    asked.add(functions.col(EventColumns.MICROS));
    Column[] whole =
        List.of(asking.columns()).stream()
            .map(name -> functions.col("`" + name + "`"))
            .toArray(Column[]::new);
    asked.add(functions.struct(whole).as(ASKING));
    Dataset<Row> all = events.unionByName(asking.select(asked.toArray(new Column[0])), true);
    Dataset<Row> sorted =
        EventColumns.withPlace(all, keys)
            .repartition(partitions, EntityColumns.keys(keys))
            .sortWithinPartitions(functions.col(EventColumns.PLACE));
    StructType struct = new StructType().add(givenAt, DataTypes.LongType);
    for (org.apache.spark.sql.types.StructField feature : plan.features().fields()) {
      struct = struct.add(feature);
    }
    WindowPlan plan = this.plan;
    Layout layout = EventColumns.layout(entity);
    int askingAt = sorted.schema().fieldIndex(ASKING);
    int placeAt = sorted.schema().fieldIndex(EventColumns.PLACE);
    int askingFields = whole.length;
    JavaRDD<InternalRow> rows =
        sorted
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(
                part -> new MomentScan(part, plan, layout, placeAt, askingAt, askingFields));
    return spark.internalCreateDataFrame(
        rows.rdd(), asking.schema().add(column, (DataType) struct, true), false);
  }

  /** The events that questions from one moment to another may see. */
  private Dataset<Row> events(boolean isKnown, long earliest, long latest) {
    long from =
        plan.reach().map(reach -> Math.subtractExact(earliest, reach)).orElse(Long.MIN_VALUE);
    return EventColumns.of(sources, windows, entity, plan, isKnown, from, latest);
  }
}
