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

  /** The column with the cut of a row that asks. */
  public static final String CUT = "_tarn_cut";

  /** The field that names the features whose value does not fit into their type. */
  public static final String OVERFLOW = "_tarn_overflow";

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
    Dataset<Row> events = eventsOf(entities, isKnown, earliest, latest);
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
    return answered(sorted, asking, EventColumns.layout(entity), givenAt, column, false);
  }

  /**
   * Rows with the features at each one's moment and cut, as a struct; null where the entity has no
   * row. The struct's last field, {@link #OVERFLOW}, names the features that do not fit into their
   * type, separated by commas, which are null then.
   *
   * @param asking as {@link #join} has it, and {@link #CUT} besides: by partition, from 0 on, the
   *     first offset that does not count
   * @param earliest moment of all rows
   * @param latest moment of all rows
   * @param entities keys of those that ask, if they are few
   */
  public Dataset<Row> joinAtCuts(
      Dataset<Row> asking,
      long earliest,
      long latest,
      Optional<Dataset<Row>> entities,
      int partitions,
      String givenAt,
      String column) {
    int keys = entity.keys().size();
    Dataset<Row> events = eventsOf(entities, false, earliest, latest);
    Column[] whole =
        List.of(asking.columns()).stream()
            .map(name -> functions.col("`" + name + "`"))
            .toArray(Column[]::new);
    List<Column> asked = new ArrayList<>(List.of(EntityColumns.keys(keys)));
    asked.add(functions.col(EventColumns.MICROS));
    asked.add(functions.struct(whole).as(ASKING));
    asked.add(functions.col(CUT));
    Dataset<Row> all = events.unionByName(asking.select(asked.toArray(new Column[0])), true);
    Dataset<Row> placed =
        EventColumns.withPlaceOfAsking(all, keys, functions.col(ASKING).isNotNull())
            .repartition(partitions, EntityColumns.keys(keys))
            .sortWithinPartitions(functions.col(EventColumns.PLACE));
    StructType schema = placed.schema();
    Layout layout = EventColumns.layout(entity);
    int askingAt = schema.fieldIndex(ASKING);
    JavaRDD<InternalRow> known =
        placed
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(part -> new KnownScan(part, layout, schema, askingAt));
    StructType withChain = new StructType();
    for (int i = 0; i < schema.size() - 2; i++) {
      if (i == keys) {
        withChain =
            withChain.add(EntityColumns.keyNames(keys + 1).get(keys), DataTypes.IntegerType);
      }
      withChain = withChain.add(schema.fields()[i]);
    }
    // Each chain of an entity's questions is an entity of its own from here on.
    Dataset<Row> sorted =
        EventColumns.withPlace(
                spark.internalCreateDataFrame(known.rdd(), withChain, false), keys + 1)
            .repartition(partitions, EntityColumns.keys(keys + 1))
            .sortWithinPartitions(functions.col(EventColumns.PLACE));
    List<DataType> types = new ArrayList<>(layout.keyTypes());
    types.add(DataTypes.IntegerType);
    return answered(sorted, asking, new Layout(layout.keyNames(), types), givenAt, column, true);
  }

  /** The asking rows among sorted ones, with their struct. */
  private Dataset<Row> answered(
      Dataset<Row> sorted,
      Dataset<Row> asking,
      Layout layout,
      String givenAt,
      String column,
      boolean tellsOverflow) {
    StructType struct = new StructType().add(givenAt, DataTypes.LongType);
    for (org.apache.spark.sql.types.StructField feature : plan.features().fields()) {
      struct = struct.add(feature);
    }
    if (tellsOverflow) {
      struct = struct.add(OVERFLOW, DataTypes.StringType);
    }
    WindowPlan plan = this.plan;
    int askingAt = sorted.schema().fieldIndex(ASKING);
    int placeAt = sorted.schema().fieldIndex(EventColumns.PLACE);
    int askingFields = asking.columns().length;
    JavaRDD<InternalRow> rows =
        sorted
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(
                part ->
                    new MomentScan(
                        part, plan, layout, placeAt, askingAt, askingFields, tellsOverflow));
    return spark.internalCreateDataFrame(
        rows.rdd(), asking.schema().add(column, (DataType) struct, true), false);
  }

  /** The events of entities that questions from one moment to another may see. */
  private Dataset<Row> eventsOf(
      Optional<Dataset<Row>> entities, boolean isKnown, long earliest, long latest) {
    int keys = entity.keys().size();
    Dataset<Row> events = events(isKnown, earliest, latest);
    for (Column key : EntityColumns.keys(keys)) {
      events = events.filter(key.isNotNull());
    }
    return entities.isEmpty()
        ? events
        : events.join(
            functions.broadcast(entities.get()),
            scala.collection.JavaConverters.asScalaBuffer(EntityColumns.keyNames(keys)).toSeq(),
            "left_semi");
  }

  /** The events that questions from one moment to another may see. */
  private Dataset<Row> events(boolean isKnown, long earliest, long latest) {
    long from =
        plan.reach().map(reach -> Math.subtractExact(earliest, reach)).orElse(Long.MIN_VALUE);
    return EventColumns.of(sources, windows, entity, plan, isKnown, from, latest);
  }
}
