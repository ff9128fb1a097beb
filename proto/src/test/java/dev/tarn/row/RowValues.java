package dev.tarn.row;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StructField;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.IntFunction;

/**
 * Reads a row's values as objects, in the plainest way: the measure for {@link EntriesWriter},
 * which writes the same without an object for each value.
 */
public final class RowValues {

  private final RowReader row;

  private RowValues(RowReader row) {
    this.row = row;
  }

  /**
   * Reads the values as they are answered (see {@link Values}), in the order of {@code types}, of a
   * row whose event timestamp was read. A null is a null_value.
   */
  public static Value[] read(RowReader row, List<FeatureType> types) throws CorruptRowException {
    Value[] values = new RowValues(row).readAll(types.size(), types::get);
    row.endValues();
    return values;
  }

  private Value[] readAll(int count, IntFunction<FeatureType> types) throws CorruptRowException {
    int nulls = row.readNulls(count);
    Value[] values = new Value[count];
    for (int i = 0; i < count; i++) {
      values[i] = row.isNull(nulls, i) ? Values.NULL : readValue(types.apply(i));
    }
    return values;
  }

  private Value readValue(FeatureType type) throws CorruptRowException {
    return switch (type.getKind()) {
      case KIND_BOOLEAN -> Values.ofBoolean(row.readBoolean());
      case KIND_INT, KIND_BIGINT -> Values.ofLong(row.readLong());
      case KIND_FLOAT -> Values.ofDouble(Double.longBitsToDouble(row.readFloatAsDoubleBits()));
      case KIND_DOUBLE -> Values.ofDouble(Double.longBitsToDouble(row.readDoubleBits()));
      case KIND_DECIMAL -> Values.ofDecimal(row.readDecimal(type));
      case KIND_STRING -> {
        int length = row.readLength();
        int at = row.skip(length);
        yield Values.ofString(new String(row.bytes(), at, length, StandardCharsets.UTF_8));
      }
      case KIND_BINARY -> {
        int length = row.readLength();
        int at = row.skip(length);
        yield Values.ofBinary(row.bytes(), at, length);
      }
      case KIND_DATE -> Values.ofDate(row.readDays());
      case KIND_TIMESTAMP -> Values.ofTimestamp(row.readLong());
      case KIND_TIMESTAMP_NTZ -> Values.ofTimestampNtz(row.readLong());
      case KIND_ARRAY -> readArray(type.getElement());
      case KIND_STRUCT -> readStruct(type.getFieldsList());
      default -> throw new CorruptRowException("unknown type " + type.getKind());
    };
  }

  private Value readArray(FeatureType element) throws CorruptRowException {
    row.enter();
    int length = row.readArrayLength();
    ListValue.Builder list = ListValue.newBuilder();
    for (Value value : readAll(length, i -> element)) {
      list.addValues(value);
    }
    row.leave();
    return Value.newBuilder().setListValue(list).build();
  }

  private Value readStruct(List<StructField> fields) throws CorruptRowException {
    row.enter();
    Value[] values = readAll(fields.size(), i -> fields.get(i).getType());
    Struct.Builder struct = Struct.newBuilder();
    for (int i = 0; i < values.length; i++) {
      struct.putFields(fields.get(i).getName(), values[i]);
    }
    row.leave();
    return Value.newBuilder().setStructValue(struct).build();
  }
}
