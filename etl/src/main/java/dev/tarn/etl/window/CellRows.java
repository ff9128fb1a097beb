package dev.tarn.etl.window;

import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.EventColumns.Layout;
import dev.tarn.live.Cut;
import dev.tarn.manifest.LiveBase;
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
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The cells of entities at a cut, for a base: those of all events, or those of an earlier base and
 * the events since. Events are divided by entity and read once.
 */
public final class CellRows {

  /** The last moment that an event may have. */
  private static final Instant LAST = Instant.parse("9999-12-31T23:59:59.999999Z");

  private final SparkSession spark;
  private final SourceTables sources;
  private final FeatureView view;

  /**
   * Cells that are open to be computed.
   *
   * @param sources have the source of the view
   */
  public CellRows(SparkSession spark, SourceTables sources, FeatureView view) {
    this.spark = spark;
    this.sources = sources;
    this.view = view;
  }

  /** The columns of the result. */
  public static StructType columns(Entity entity) {
    StructType columns = new StructType();
    for (Entity.KeyColumn key : entity.keys()) {
      columns = columns.add(key.name(), key.type());
    }
    return columns
        .add(FeatureView.EVENT_TIMESTAMP, DataTypes.TimestampType)
        .add(BaseTable.CELLS, DataTypes.BinaryType);
  }

  /**
   * The cells of each entity that has some, and of those that have no longer any: keys, event
   * timestamp and cells.
   *
   * @param from events from this cut on are new
   * @param to the base's cut
   * @param before rows of the earlier base, which has the events before {@code from}
   * @param isWhole whether to give the entities without new events, too
   * @param at the moment of the base, which rows that are new get
   * @param bound a moment that all questions to come are at or after, microseconds since 1970
   */
  public Dataset<Row> of(
      LiveBase definition,
      Cut from,
      Cut to,
      Optional<Dataset<Row>> before,
      boolean isWhole,
      Instant at,
      long bound) {
    Windows windows = view.windows().orElseThrow();
    Entity entity = view.entity();
    WindowPlan plan = LiveDefinition.plan(windows);
    int keys = entity.keys().size();
    long reach =
        plan.reach().map(longest -> Math.subtractExact(bound, longest)).orElse(Long.MIN_VALUE);
    Dataset<Row> events =
        EventColumns.of(sources, windows, entity, plan, false, reach, Values.micros(LAST))
            .filter(isBetween(from, to));
    for (Column key : EntityColumns.keys(keys)) {
      events = events.filter(key.isNotNull());
    }
    Dataset<Row> none =
        events.withColumn(BaseTable.CELLS, functions.lit(null).cast(DataTypes.BinaryType));
    Dataset<Row> all =
        before.map(rows -> none.unionByName(earlier(rows, entity), true)).orElse(none);
    Dataset<Row> sorted =
        EventColumns.withPlace(all, keys)
            .repartition(EntityColumns.keys(keys))
            .sortWithinPartitions(functions.col(EventColumns.PLACE));
    Layout layout = EventColumns.layout(entity);
    int placeAt = sorted.schema().fieldIndex(EventColumns.PLACE);
    int cellsAt = sorted.schema().fieldIndex(BaseTable.CELLS);
    long micros = Values.micros(at);
    JavaRDD<InternalRow> rows =
        sorted
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(
                part ->
                    new CellScan(
                        part, definition, plan, layout, placeAt, cellsAt, isWhole, micros, bound));
    return spark.internalCreateDataFrame(rows.rdd(), columns(entity), false);
  }

  /** The rows of an earlier base as they are sorted beside events: before all of them. */
  private static Dataset<Row> earlier(Dataset<Row> rows, Entity entity) {
    List<Column> columns = new ArrayList<>();
    List<String> names = EntityColumns.keyNames(entity.keys().size());
    for (int i = 0; i < names.size(); i++) {
      columns.add(functions.col("`" + entity.keyNames().get(i) + "`").as(names.get(i)));
    }
    columns.add(functions.lit(Long.MIN_VALUE).as(EventColumns.MICROS));
    columns.add(
        functions
            .unix_micros(functions.col(FeatureView.EVENT_TIMESTAMP))
            .as(EventColumns.HAPPENED));
    columns.add(functions.col(BaseTable.CELLS));
    return rows.select(columns.toArray(new Column[0]));
  }

  private static Column isBetween(Cut from, Cut to) {
    long[] first = offsets(from);
    long[] next = offsets(to);
    UDF2<Integer, Long, Boolean> isBetween =
        (partition, offset) ->
            (partition >= first.length || offset >= first[partition])
                && partition < next.length
                && offset < next[partition];
    return functions
        .udf(isBetween, DataTypes.BooleanType)
        .apply(functions.col(EventColumns.PARTITION), functions.col(EventColumns.OFFSET));
  }

  private static long[] offsets(Cut cut) {
    long[] offsets = new long[cut.partitions()];
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = cut.next(i);
    }
    return offsets;
  }
}
