package dev.tarn.etl.window;

import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.DatedTexts;
import dev.tarn.etl.source.SourceTables;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;

/**
 * The columns of events on their way to their entity:
 *
 * <pre>
 * _tarn_key0, …      the entity's keys
 * _tarn_micros       bigint   the moment from which on the event counts, microseconds since 1970
 * _tarn_happened     bigint   its event time, which decides its cell; later than that only as known
 * _tarn_partition    int      its place in the stream, which decides between events of one time;
 * _tarn_offset       bigint   0 where there is no stream
 * _tarn_value0, …    the values that aggregates are made of
 * _tarn_place        bigint   what rows are sorted by; see {@link PlacedRows}
 * </pre>
 */
final class EventColumns {

  private static final String PREFIX = EntityColumns.PREFIX;
  static final String MICROS = EntityColumns.MICROS;
  static final String HAPPENED = PREFIX + "happened";
  static final String PARTITION = PREFIX + "partition";
  static final String OFFSET = PREFIX + "offset";
  private static final String VALUE = PREFIX + "value";
  static final String PLACE = PREFIX + "place";

  private EventColumns() {}

  /** The places of the columns in a row. */
  record Layout(List<String> keyNames, List<DataType> keyTypes) implements Serializable {

    int visible() {
      return keyTypes.size();
    }

    int micros() {
      return keyTypes.size() + 1;
    }

    int partition() {
      return keyTypes.size() + 2;
    }

    int offset() {
      return keyTypes.size() + 3;
    }

    int value(int index) {
      return keyTypes.size() + 4 + index;
    }
  }

  static Layout layout(Entity entity) {
    return new Layout(
        new ArrayList<>(entity.keyNames()),
        new ArrayList<>(entity.keys().stream().map(Entity.KeyColumn::type).toList()));
  }

  /**
   * The events that count, cut off in time.
   *
   * @param isKnown whether an event counts only from its arrival on
   * @param from the first event time that matters; Long.MIN_VALUE: all
   * @param to the last
   */
  static Dataset<Row> of(
      SourceTables sources,
      Windows windows,
      Entity entity,
      WindowPlan plan,
      boolean isKnown,
      long from,
      long to) {
    Dataset<Row> rows = sources.events(windows.source(), from, to);
    if (windows.where().isPresent()) {
      rows = rows.filter(functions.expr(windows.where().get()));
    }
    Column happened = functions.unix_micros(sources.moment(windows.source()));
    List<Column> columns = new ArrayList<>();
    List<String> keyNames = EntityColumns.keyNames(entity.keys().size());
    for (int i = 0; i < keyNames.size(); i++) {
      Entity.KeyColumn key = entity.keys().get(i);
      columns.add(functions.expr(windows.key(key.name())).cast(key.type()).as(keyNames.get(i)));
    }
    boolean isStream = Arrays.asList(rows.columns()).contains(StreamSource.OFFSET);
    Column visible =
        isKnown
            ? functions.greatest(happened, functions.unix_micros(named(StreamSource.ARRIVED_AT)))
            : happened;
    columns.add(visible.as(MICROS));
    columns.add(happened.as(HAPPENED));
    columns.add((isStream ? named(StreamSource.PARTITION) : functions.lit(0)).as(PARTITION));
    columns.add((isStream ? named(StreamSource.OFFSET) : functions.lit(0L)).as(OFFSET));
    for (int i = 0; i < plan.expressions().size(); i++) {
      columns.add(functions.expr(plan.expressions().get(i)).as(VALUE + i));
    }
    return DatedTexts.required(rows.select(columns.toArray(new Column[0])));
  }

  /** Rows with the place by which {@link PlacedRows} wants them sorted. */
  static Dataset<Row> withPlace(Dataset<Row> rows, int keys) {
    Column time =
        functions
            .shiftright(functions.col(MICROS), PlacedRows.TIME_SHIFT)
            .plus(1L << (PlacedRows.TIME_BITS - 1));
    Column clamped =
        functions.least(
            functions.greatest(time, functions.lit(0L)),
            functions.lit((1L << PlacedRows.TIME_BITS) - 1));
    Column place =
        functions
            .shiftleft(functions.xxhash64(EntityColumns.keys(keys)), PlacedRows.TIME_BITS)
            .bitwiseOR(clamped);
    return rows.withColumn(PLACE, place);
  }

  /**
   * Rows with a place that puts an entity's asking rows before all of its events, each in order of
   * time.
   */
  static Dataset<Row> withPlaceOfAsking(Dataset<Row> rows, int keys, Column isAsking) {
    int bits = PlacedRows.TIME_BITS - 1;
    Column time =
        functions
            .shiftright(functions.col(MICROS), PlacedRows.TIME_SHIFT + 1)
            .plus(1L << (bits - 1));
    Column clamped =
        functions.least(
            functions.greatest(time, functions.lit(0L)), functions.lit((1L << bits) - 1));
    Column place =
        functions
            .shiftleft(functions.xxhash64(EntityColumns.keys(keys)), PlacedRows.TIME_BITS)
            .bitwiseOR(functions.when(isAsking, 0L).otherwise(1L << bits))
            .bitwiseOR(clamped);
    return rows.withColumn(PLACE, place);
  }

  private static Column named(String name) {
    return functions.col("`" + name.replace("`", "``") + "`");
  }
}
