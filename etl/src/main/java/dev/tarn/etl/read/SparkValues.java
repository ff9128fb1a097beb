package dev.tarn.etl.read;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.row.Values;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.apache.spark.sql.Row;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * Turns values of Spark rows into values as lookups answer them. They do not pass through the row
 * encoding, so that a comparison of both proves the encoding, too.
 */
public final class SparkValues {

  private SparkValues() {}

  /** Turns a value of a row, for which Spark uses types of java.time, into one of an answer. */
  public static Value of(Object value) {
    if (value == null) {
      return Values.NULL;
    }
    if (value instanceof Boolean bool) {
      return Values.ofBoolean(bool);
    }
    if (value instanceof Integer || value instanceof Long) {
      return Values.ofLong(((Number) value).longValue());
    }
    if (value instanceof Float || value instanceof Double) {
      return Values.ofDouble(((Number) value).doubleValue());
    }
    if (value instanceof BigDecimal decimal) {
      return Values.ofDecimal(decimal);
    }
    if (value instanceof String text) {
      return Values.ofString(text);
    }
    if (value instanceof byte[] bytes) {
      return Values.ofBinary(bytes, 0, bytes.length);
    }
    if (value instanceof LocalDate date) {
      return Values.ofDate(date.toEpochDay());
    }
    if (value instanceof Instant instant) {
      return Values.ofTimestamp(Values.micros(instant));
    }
    if (value instanceof LocalDateTime time) {
      return Values.ofTimestampNtz(Values.micros(time.toInstant(ZoneOffset.UTC)));
    }
    if (value instanceof Row row) {
      Struct.Builder struct = Struct.newBuilder();
      for (int i = 0; i < row.size(); i++) {
        struct.putFields(row.schema().fieldNames()[i], of(row.get(i)));
      }
      return Value.newBuilder().setStructValue(struct).build();
    }
    if (value instanceof Seq<?> sequence) {
      ListValue.Builder list = ListValue.newBuilder();
      JavaConverters.seqAsJavaList(sequence).forEach(element -> list.addValues(of(element)));
      return Value.newBuilder().setListValue(list).build();
    }
    throw new IllegalArgumentException("no feature has a value of " + value.getClass());
  }
}
