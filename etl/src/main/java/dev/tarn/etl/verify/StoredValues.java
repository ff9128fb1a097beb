package dev.tarn.etl.verify;

import com.google.protobuf.ByteString;
import dev.tarn.manifest.FeatureType;
import dev.tarn.row.RowReader;
import dev.tarn.row.Values;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Converts values of a snapshot to the form in which {@link RowReader#readStored} gives those of
 * Redis: two are equal only if all their bits are. They come from Spark's own rows without the row
 * encoding, so that the comparison is independent of it.
 */
final class StoredValues {

  private static final int MAX_TEXT = 80;

  private static final Set<FeatureType.Kind> NUMERIC =
      Set.of(
          FeatureType.Kind.KIND_INT,
          FeatureType.Kind.KIND_BIGINT,
          FeatureType.Kind.KIND_FLOAT,
          FeatureType.Kind.KIND_DOUBLE,
          FeatureType.Kind.KIND_DECIMAL);

  private StoredValues() {}

  /** The value at a place of a Spark row or array; null for a null. */
  static Object of(SpecializedGetters row, int ordinal, DataType type) {
    if (row.isNullAt(ordinal)) {
      return null;
    }
    Object value = row.get(ordinal, type);
    if (value instanceof Integer number) {
      return number.longValue();
    }
    if (value instanceof Float number) {
      return (long) Float.floatToRawIntBits(number);
    }
    if (value instanceof Double number) {
      return Double.doubleToRawLongBits(number);
    }
    if (value instanceof Decimal decimal) {
      return decimal.toJavaBigDecimal().setScale(((DecimalType) type).scale());
    }
    if (value instanceof UTF8String text) {
      return ByteString.copyFrom(text.getBytes());
    }
    if (value instanceof byte[] bytes) {
      return ByteString.copyFrom(bytes);
    }
    if (value instanceof ArrayData array) {
      DataType elementType = ((ArrayType) type).elementType();
      List<Object> elements = new ArrayList<>(array.numElements());
      for (int i = 0; i < array.numElements(); i++) {
        elements.add(of(array, i, elementType));
      }
      return elements;
    }
    if (value instanceof InternalRow struct) {
      return fields(struct, (StructType) type);
    }
    return value; // a boolean, or the long that it is
  }

  /** The values of all fields of a struct. */
  static List<Object> fields(InternalRow struct, StructType type) {
    List<Object> fields = new ArrayList<>(type.size());
    for (int i = 0; i < type.size(); i++) {
      fields.add(of(struct, i, type.fields()[i].dataType()));
    }
    return fields;
  }

  /** Whether values of a type are numbers. */
  static boolean isNumeric(FeatureType type) {
    return NUMERIC.contains(type.getKind());
  }

  /** A value of a numeric type, as the nearest double. */
  static double number(FeatureType type, Object value) {
    return switch (type.getKind()) {
      case KIND_FLOAT -> Float.intBitsToFloat(((Long) value).intValue());
      case KIND_DOUBLE -> Double.longBitsToDouble((Long) value);
      default -> ((Number) value).doubleValue();
    };
  }

  /** A hash to count different values by. */
  static long hash(Object value) {
    if (value instanceof Long number) {
      return XXH64.hashLong(number, 0);
    }
    if (value instanceof ByteString bytes) {
      return XXH64.hashUnsafeBytes(
          bytes.toByteArray(), Platform.BYTE_ARRAY_OFFSET, bytes.size(), 0);
    }
    return XXH64.hashLong(value.hashCode(), 0);
  }

  /** A value for people, cut off where it is long. */
  static String text(FeatureType type, Object value) {
    String text = whole(type, value);
    return text.length() <= MAX_TEXT
        ? text
        : "%s… (%,d characters)".formatted(text.substring(0, MAX_TEXT), text.length());
  }

  /** Prints two values that differ. If they look the same, it adds what makes the difference. */
  static List<String> texts(FeatureType type, Object one, Object other) {
    String first = text(type, one);
    String second = text(type, other);
    return first.equals(second)
        ? List.of(first + " " + difference(one), second + " " + difference(other))
        : List.of(first, second);
  }

  /** Prints the bits of a NaN, and the hash of any other value, such as a long string. */
  private static String difference(Object value) {
    return "(%s)"
        .formatted(
            value instanceof Long bits
                ? "0x" + Long.toHexString(bits)
                : "hash " + Long.toHexString(hash(value)));
  }

  private static String whole(FeatureType type, Object value) {
    if (value == null) {
      return "null";
    }
    return switch (type.getKind()) {
      case KIND_FLOAT -> Float.toString(Float.intBitsToFloat(((Long) value).intValue()));
      case KIND_DOUBLE -> Double.toString(Double.longBitsToDouble((Long) value));
      case KIND_DECIMAL -> ((BigDecimal) value).toPlainString();
      case KIND_STRING -> "'" + ((ByteString) value).toStringUtf8() + "'";
      case KIND_BINARY -> "0x" + HexFormat.of().formatHex(((ByteString) value).toByteArray());
      case KIND_DATE -> LocalDate.ofEpochDay((Long) value).toString();
      case KIND_TIMESTAMP -> Values.ofTimestamp((Long) value).getStringValue();
      case KIND_TIMESTAMP_NTZ -> Values.ofTimestampNtz((Long) value).getStringValue();
      case KIND_ARRAY -> {
        List<String> elements = new ArrayList<>();
        ((List<?>) value).forEach(element -> elements.add(whole(type.getElement(), element)));
        yield elements.toString();
      }
      case KIND_STRUCT -> {
        List<String> fields = new ArrayList<>();
        for (int i = 0; i < type.getFieldsCount(); i++) {
          fields.add(
              type.getFields(i).getName()
                  + ": "
                  + whole(type.getFields(i).getType(), ((List<?>) value).get(i)));
        }
        yield "{" + String.join(", ", fields) + "}";
      }
      default -> value.toString();
    };
  }
}
