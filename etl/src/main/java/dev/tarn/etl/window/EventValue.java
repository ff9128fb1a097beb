package dev.tarn.etl.window;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
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
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/** Translates values of one type between Spark's rows and aggregates. */
final class EventValue implements Serializable {
  private static final long serialVersionUID = 1L;

  private final DataType type;

  EventValue(DataType type) {
    this.type = type;
  }

  /** The value as an aggregate takes it. It must not be null. */
  Object read(SpecializedGetters row, int ordinal) {
    if (type instanceof DoubleType) {
      return row.getDouble(ordinal);
    }
    if (type instanceof FloatType) {
      return (double) row.getFloat(ordinal);
    }
    if (type instanceof DecimalType decimal) {
      return row.getDecimal(ordinal, decimal.precision(), decimal.scale()).toJavaBigDecimal();
    }
    if (type instanceof StringType) {
      return row.getUTF8String(ordinal).getBytes();
    }
    if (type instanceof BinaryType) {
      return row.getBinary(ordinal);
    }
    if (type instanceof BooleanType) {
      return row.getBoolean(ordinal);
    }
    if (type instanceof IntegerType || type instanceof DateType) {
      return (long) row.getInt(ordinal);
    }
    if (type instanceof ArrayType) {
      UnsafeArrayData array = (UnsafeArrayData) row.getArray(ordinal);
      byte[] bytes = new byte[array.getSizeInBytes()];
      array.writeToMemory(bytes, Platform.BYTE_ARRAY_OFFSET);
      return bytes;
    }
    if (type instanceof StructType struct) {
      return ((UnsafeRow) row.getStruct(ordinal, struct.size())).getBytes();
    }
    return row.getLong(ordinal);
  }

  /** The value of an aggregate as Spark's rows have it; null if there is none. */
  Object spark(Object value) {
    if (value == null) {
      return null;
    }
    if (type instanceof DecimalType decimal) {
      return Decimal.apply(
          new scala.math.BigDecimal((java.math.BigDecimal) value),
          decimal.precision(),
          decimal.scale());
    }
    if (type instanceof FloatType) {
      return ((Double) value).floatValue();
    }
    if (type instanceof StringType) {
      return UTF8String.fromBytes((byte[]) value);
    }
    if (type instanceof IntegerType || type instanceof DateType) {
      return Math.toIntExact((Long) value);
    }
    if (type instanceof ArrayType array) {
      if (value instanceof List<?> list) {
        EventValue element = new EventValue(array.elementType());
        return new GenericArrayData(list.stream().map(element::spark).toArray());
      }
      byte[] bytes = (byte[]) value;
      UnsafeArrayData data = new UnsafeArrayData();
      data.pointTo(bytes, Platform.BYTE_ARRAY_OFFSET, bytes.length);
      return data;
    }
    if (type instanceof StructType struct) {
      byte[] bytes = (byte[]) value;
      UnsafeRow row = new UnsafeRow(struct.size());
      row.pointTo(bytes, bytes.length);
      return row;
    }
    return value;
  }
}
