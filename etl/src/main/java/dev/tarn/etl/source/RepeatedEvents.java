package dev.tarn.etl.source;

import dev.tarn.etl.definition.EventId;
import dev.tarn.etl.definition.StreamSource;
import java.util.Arrays;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.expressions.WindowSpec;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;

/**
 * Tells events from those that repeat them. An event repeats another one if the one before it with
 * the same id is at most the horizon older. Events without an id repeat none.
 *
 * <p>Of a stream, events are compared within a partition, in the order of their offsets and by
 * their arrival: what comes later never changes what counted before. Others are compared by their
 * time.
 */
final class RepeatedEvents {

  private static final String GAP = "_tarn_gap";

  private RepeatedEvents() {}

  /** The events that repeat no other. */
  static Dataset<Row> without(Dataset<Row> events, EventId eventId, Column moment) {
    Column id = functions.col("`" + eventId.column().replace("`", "``") + "`");
    boolean isStream = Arrays.asList(events.columns()).contains(StreamSource.OFFSET);
    WindowSpec sameId =
        isStream
            ? Window.partitionBy(functions.col(StreamSource.PARTITION), id)
                .orderBy(functions.col(StreamSource.OFFSET))
            // Of events of one time any may be the first, so what they hold decides.
            : Window.partitionBy(id).orderBy(moment, functions.xxhash64(comparable(events)));
    Column time = functions.unix_micros(isStream ? functions.col(StreamSource.ARRIVED_AT) : moment);
    Column gap = time.minus(functions.lag(time, 1).over(sameId));
    long horizon = Math.multiplyExact(eventId.horizon().toSeconds(), 1_000_000L);
    Dataset<Row> first =
        events
            .filter(id.isNotNull())
            .withColumn(GAP, gap)
            .filter(functions.col(GAP).isNull().or(functions.col(GAP).gt(horizon)))
            .drop(GAP);
    return first.unionByName(events.filter(id.isNull()));
  }

  private static Column[] comparable(Dataset<Row> events) {
    return Stream.of(events.schema().fields())
        .map(RepeatedEvents::comparable)
        .toArray(Column[]::new);
  }

  private static Column comparable(StructField field) {
    Column column = functions.col("`" + field.name().replace("`", "``") + "`");
    return field.dataType() instanceof MapType ? column.cast("string") : column;
  }
}
