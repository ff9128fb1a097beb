package dev.tarn.row;

import com.google.protobuf.ByteString;
import dev.tarn.manifest.FeatureType;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * Reads one row of the encoding that {@link RowWriter} describes: first {@link
 * #readEventTimestamp}, then {@link #readStored}, {@link #readNulls} or {@link
 * EntriesWriter#writeRow}. Checks every length before it trusts it, so that garbage ends in a
 * {@link CorruptRowException} and nothing else.
 */
public final class RowReader {

  /** Largest precision of a decimal whose unscaled value is a varint. */
  static final int MAX_SHORT_DECIMAL = 18;

  private static final int MAX_DEPTH = 64;

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] row;
  private int position;
  private int depth;

  public RowReader(byte[] row) {
    this.row = row;
  }

  /**
   * The row's event timestamp, microseconds since 1970 UTC.
   *
   * @param asOfMicros the version's as-of, from its version record
   */
  public long readEventTimestamp(long asOfMicros) throws CorruptRowException {
    return asOfMicros - readLong();
  }

  /**
   * The row's values as they are stored, in the order of {@code types}. Two of them are equal just
   * if all their bits are:
   *
   * <pre>
   * boolean                                  Boolean
   * int bigint date timestamp timestamp_ntz  Long (days or microseconds since 1970)
   * float double                             Long, the raw IEEE 754 bits
   * decimal                                  BigDecimal, of the type's scale
   * string binary                            ByteString
   * array struct                             List
   * </pre>
   *
   * <p>A null is null. What {@link RowWriter} never writes is refused, though lookups ignore it: a
   * boolean other than 0 and 1, null bits beyond the last feature.
   */
  public List<Object> readStored(List<FeatureType> types) throws CorruptRowException {
    List<Object> values = readAllStored(types.size(), types::get);
    endValues();
    return values;
  }

  /**
   * Begins to read value by value: each of the {@code count} values that {@link #isNull} does not
   * name is read or skipped, in their order.
   *
   * @return where the null bits are
   */
  public int readNulls(int count) throws CorruptRowException {
    return skip((count + 7) >>> 3);
  }

  public boolean isNull(int nulls, int index) {
    return (row[nulls + (index >>> 3)] & (1 << (index & 7))) != 0;
  }

  /** The next value, of a boolean (0 or 1) or any numeric type, as the nearest double. */
  public double readNumber(FeatureType type) throws CorruptRowException {
    return switch (type.getKind()) {
      case KIND_BOOLEAN -> readBoolean() ? 1 : 0;
      case KIND_INT, KIND_BIGINT -> readLong();
      case KIND_FLOAT -> Double.longBitsToDouble(readFloatAsDoubleBits());
      case KIND_DOUBLE -> Double.longBitsToDouble(readDoubleBits());
      case KIND_DECIMAL -> readDecimal(type).doubleValue();
      default -> throw new IllegalArgumentException("no number: " + type.getKind());
    };
  }

  /** The next value, of a string, boolean, int or bigint, as text. */
  public String readText(FeatureType type) throws CorruptRowException {
    return switch (type.getKind()) {
      case KIND_BOOLEAN -> Boolean.toString(readBoolean());
      case KIND_INT, KIND_BIGINT -> Long.toString(readLong());
      case KIND_STRING -> {
        int length = readLength();
        yield new String(row, skip(length), length, StandardCharsets.UTF_8);
      }
      default -> throw new IllegalArgumentException("no text: " + type.getKind());
    };
  }

  /** The next value, of a string or binary, as a new array. */
  public byte[] readBytes() throws CorruptRowException {
    int length = readLength();
    int at = skip(length);
    return Arrays.copyOfRange(row, at, at + length);
  }

  /** Passes over the next value. */
  public void skipValue(FeatureType type) throws CorruptRowException {
    switch (type.getKind()) {
      case KIND_BOOLEAN -> skip(1);
      case KIND_FLOAT -> skip(4);
      case KIND_DOUBLE -> skip(8);
      case KIND_INT, KIND_BIGINT, KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ -> readUnsigned();
      case KIND_DATE -> readDays();
      case KIND_DECIMAL -> readDecimal(type);
      case KIND_STRING, KIND_BINARY -> skip(readLength());
      case KIND_ARRAY -> {
        enter();
        skipAll(readArrayLength(), i -> type.getElement());
        leave();
      }
      case KIND_STRUCT -> {
        enter();
        skipAll(type.getFieldsCount(), i -> type.getFields(i).getType());
        leave();
      }
      default -> throw new CorruptRowException("unknown type " + type.getKind());
    }
  }

  private void skipAll(int count, IntFunction<FeatureType> types) throws CorruptRowException {
    int nulls = readNulls(count);
    for (int i = 0; i < count; i++) {
      if (!isNull(nulls, i)) {
        skipValue(types.apply(i));
      }
    }
  }

  /** Ends the reading of value by value: nothing may be left. */
  public void endValues() throws CorruptRowException {
    if (position != row.length) {
      throw new CorruptRowException(
          "bytes left after the last value: %d".formatted(row.length - position));
    }
  }

  private List<Object> readAllStored(int count, IntFunction<FeatureType> types)
      throws CorruptRowException {
    int nulls = readNulls(count);
    for (int i = count; (i & 7) != 0; i++) {
      if (isNull(nulls, i)) {
        throw new CorruptRowException("null bits beyond value %d, the last".formatted(count));
      }
    }
    List<Object> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      values.add(isNull(nulls, i) ? null : readOneStored(types.apply(i)));
    }
    return values;
  }

  private Object readOneStored(FeatureType type) throws CorruptRowException {
    return switch (type.getKind()) {
      case KIND_BOOLEAN -> {
        byte value = row[skip(1)];
        if (value != 0 && value != 1) {
          throw new CorruptRowException("a boolean of %d".formatted(value));
        }
        yield value == 1;
      }
      case KIND_INT, KIND_BIGINT, KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ -> readLong();
      case KIND_DATE -> (long) readDays();
      case KIND_FLOAT -> (long) (int) INTS.get(row, skip(Integer.BYTES));
      case KIND_DOUBLE -> readDoubleBits();
      case KIND_DECIMAL -> readDecimal(type);
      case KIND_STRING, KIND_BINARY -> {
        int length = readLength();
        yield ByteString.copyFrom(row, skip(length), length);
      }
      case KIND_ARRAY -> {
        enter();
        List<Object> elements = readAllStored(readArrayLength(), i -> type.getElement());
        leave();
        yield elements;
      }
      case KIND_STRUCT -> {
        enter();
        List<Object> fields =
            readAllStored(type.getFieldsCount(), i -> type.getFields(i).getType());
        leave();
        yield fields;
      }
      default -> throw new CorruptRowException("unknown type " + type.getKind());
    };
  }

  BigDecimal readDecimal(FeatureType type) throws CorruptRowException {
    if (type.getPrecision() <= MAX_SHORT_DECIMAL) {
      return BigDecimal.valueOf(readLong(), type.getScale());
    }
    int length = readLength();
    if (length == 0) {
      throw new CorruptRowException("a decimal of no bytes at byte " + position);
    }
    int at = skip(length);
    return new BigDecimal(new BigInteger(row, at, length), type.getScale());
  }

  byte[] bytes() {
    return row;
  }

  int position() {
    return position;
  }

  /** Goes back to the beginning of a value, to read it once more. */
  void goTo(int position) {
    this.position = position;
  }

  /** Enters an array or a struct. */
  void enter() throws CorruptRowException {
    if (++depth > MAX_DEPTH) {
      throw new CorruptRowException("types are nested deeper than " + MAX_DEPTH);
    }
  }

  void leave() {
    depth--;
  }

  boolean readBoolean() throws CorruptRowException {
    return row[skip(1)] != 0;
  }

  int readDays() throws CorruptRowException {
    long days = readLong();
    // Spark's dates are ints; a day beyond them is one that no calendar knows.
    if (days != (int) days) {
      throw new CorruptRowException("a date of %d days".formatted(days));
    }
    return (int) days;
  }

  int readArrayLength() throws CorruptRowException {
    int length = readLength();
    // Null bits alone take a byte for eight elements, so a longer array can't be in these bytes.
    if ((length + 7L) >>> 3 > row.length - position) {
      throw new CorruptRowException("an array of %d at byte %d".formatted(length, position));
    }
    return length;
  }

  long readDoubleBits() throws CorruptRowException {
    return (long) LONGS.get(row, skip(Long.BYTES));
  }

  long readFloatAsDoubleBits() throws CorruptRowException {
    float value = Float.intBitsToFloat((int) INTS.get(row, skip(Integer.BYTES)));
    return Double.doubleToRawLongBits((double) value);
  }

  long readLong() throws CorruptRowException {
    long raw = readUnsigned();
    return (raw >>> 1) ^ -(raw & 1);
  }

  int readLength() throws CorruptRowException {
    long length = readUnsigned();
    if (length < 0 || length > Integer.MAX_VALUE) {
      throw new CorruptRowException("a length of %d at byte %d".formatted(length, position));
    }
    return (int) length;
  }

  private long readUnsigned() throws CorruptRowException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte next = row[skip(1)];
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw new CorruptRowException("a varint of over 10 bytes at byte " + position);
  }

  /** Moves past {@code bytes} bytes and returns where they begin. */
  int skip(int bytes) throws CorruptRowException {
    int at = position;
    if (bytes > row.length - at) {
      throw new CorruptRowException(
          "the row ends at byte %d, within a value at byte %d".formatted(row.length, at));
    }
    position = at + bytes;
    return at;
  }
}
