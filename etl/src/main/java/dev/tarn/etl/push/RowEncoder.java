package dev.tarn.etl.push;

import dev.tarn.row.RowWriter;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Encodes Spark's own rows as {@link RowWriter} describes. It makes no objects on the way, since a
 * push encodes every row of a table. It is not thread-safe.
 */
final class RowEncoder {

  /** Writes one value that is not null. */
  private interface ValueEncoder {
    void encode(SpecializedGetters from, int ordinal, RowWriter out);
  }

  /** A column to encode, by its place in the Spark row. */
  record Input(int ordinal, DataType type) implements Serializable {}

  private final RowWriter out = new RowWriter();
  private final int[] ordinals;
  private final ValueEncoder[] encoders;
  private final int eventTimestamp;
  private final long asOfMicros;

  /**
   * An encoder of one version's rows.
   *
   * @param columns the features, in the manifest's order
   * @param eventTimestamp the place of the event timestamp in the Spark row
   * @param asOfMicros the version's as-of, microseconds since 1970 UTC
   */
  RowEncoder(List<Input> columns, int eventTimestamp, long asOfMicros) {
    this.ordinals = columns.stream().mapToInt(Input::ordinal).toArray();
    this.encoders =
        columns.stream().map(column -> encoder(column.type())).toArray(ValueEncoder[]::new);
    this.eventTimestamp = eventTimestamp;
    this.asOfMicros = asOfMicros;
  }

  byte[] encode(InternalRow row) {
    out.start(asOfMicros, row.getLong(eventTimestamp));
    int nulls = out.putNulls(ordinals.length);
    for (int i = 0; i < ordinals.length; i++) {
      if (row.isNullAt(ordinals[i])) {
        out.setNull(nulls, i);
      } else {
        encoders[i].encode(row, ordinals[i], out);
      }
    }
    return out.toBytes();
  }

  private static ValueEncoder encoder(DataType type) {
    if (type instanceof BooleanType) {
      return (from, i, out) -> out.putBoolean(from.getBoolean(i));
    }
    if (type instanceof IntegerType || type instanceof DateType) {
      return (from, i, out) -> out.putLong(from.getInt(i));
    }
    if (type instanceof FloatType) {
      return (from, i, out) -> out.putFloat(from.getFloat(i));
    }
    if (type instanceof DoubleType) {
      return (from, i, out) -> out.putDouble(from.getDouble(i));
    }
    if (type instanceof DecimalType decimal) {
      int precision = decimal.precision();
      int scale = decimal.scale();
      return (from, i, out) -> {
        Decimal value = from.getDecimal(i, precision, scale);
        out.putDecimal(value.toJavaBigDecimal().setScale(scale).unscaledValue(), precision);
      };
    }
    if (type instanceof StringType) {
      return (from, i, out) -> out.putBytes(from.getUTF8String(i).getBytes());
    }
    if (type instanceof BinaryType) {
      return (from, i, out) -> out.putBytes(from.getBinary(i));
    }
    if (type instanceof ArrayType array) {
      ValueEncoder element = encoder(array.elementType());
      return (from, i, out) -> encodeArray(from.getArray(i), element, out);
    }
    if (type instanceof StructType struct) {
      List<ValueEncoder> fields = new ArrayList<>();
      for (StructField field : struct.fields()) {
        fields.add(encoder(field.dataType()));
      }
      return (from, i, out) -> encodeStruct(from.getStruct(i, fields.size()), fields, out);
    }
    // bigint, timestamp and timestamp_ntz: eight bytes in Spark's rows. A definition with any other
    // type is refused.
    return (from, i, out) -> out.putLong(from.getLong(i));
  }

  private static void encodeArray(ArrayData array, ValueEncoder element, RowWriter out) {
    int length = array.numElements();
    out.putLength(length);
    int nulls = out.putNulls(length);
    for (int i = 0; i < length; i++) {
      if (array.isNullAt(i)) {
        out.setNull(nulls, i);
      } else {
        element.encode(array, i, out);
      }
    }
  }

  private static void encodeStruct(InternalRow struct, List<ValueEncoder> fields, RowWriter out) {
    int nulls = out.putNulls(fields.size());
    for (int i = 0; i < fields.size(); i++) {
      if (struct.isNullAt(i)) {
        out.setNull(nulls, i);
      } else {
        fields.get(i).encode(struct, i, out);
      }
    }
  }
}
