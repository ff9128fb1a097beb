package dev.tarn.row;

import com.google.common.base.Utf8;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Writes a row's values of one type as {@code google.protobuf.Value}s: the bytes that protobuf
 * gives for {@link Values}, without an object for each value. Immutable.
 */
final class ValueWriter {

  // The fields of google.protobuf.Value: number and wire type.
  private static final int NULL = 1 << 3;
  private static final int NUMBER = 2 << 3 | 1;
  private static final int STRING = 3 << 3 | 2;
  private static final int BOOL = 4 << 3;
  private static final int STRUCT = 5 << 3 | 2;
  private static final int LIST = 6 << 3 | 2;

  /** An element of google.protobuf.ListValue, and that of a null. */
  private static final int ELEMENT = 1 << 3 | 2;

  private static final byte[] NULL_ELEMENT = {ELEMENT, 2, NULL, 0};
  private static final byte[] NUMBER_TAG = {NUMBER};
  private static final byte[] NUMBER_ELEMENT = {ELEMENT, 1 + Long.BYTES, NUMBER};

  private final Kind kind;
  private final FeatureType type;

  /** Writer of an array's elements, else null. */
  private final ValueWriter element;

  /** Writer of a struct's fields, else null. */
  private final EntriesWriter fields;

  ValueWriter(FeatureType type) {
    this.type = type;
    kind = type.getKind();
    element = kind == Kind.KIND_ARRAY ? new ValueWriter(type.getElement()) : null;
    fields = kind == Kind.KIND_STRUCT ? EntriesWriter.ofStruct(type) : null;
  }

  /** Writes the next value, without its length. */
  void write(RowReader row, WireBuffer out) throws CorruptRowException {
    switch (kind) {
      case KIND_BOOLEAN -> {
        boolean value = row.readBoolean();
        out.putByte(BOOL);
        out.putByte(value ? 1 : 0);
      }
      case KIND_INT, KIND_BIGINT -> writeLong(row.readLong(), out);
      case KIND_FLOAT -> out.putFixed64(NUMBER_TAG, row.readFloatAsDoubleBits());
      case KIND_DOUBLE -> out.putFixed64(NUMBER_TAG, row.readDoubleBits());
      case KIND_DECIMAL -> writeDecimal(row, out);
      case KIND_STRING -> writeString(row, out);
      case KIND_BINARY -> writeBinary(row, out);
      case KIND_DATE -> {
        int days = row.readDays();
        out.putByte(STRING);
        int begin = out.beginMessage(1);
        Texts.putDate(days, out);
        out.endMessage(begin, 1);
      }
      case KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ -> {
        long micros = row.readLong();
        out.putByte(STRING);
        int begin = out.beginMessage(1);
        Texts.putTimestamp(micros, out);
        if (kind == Kind.KIND_TIMESTAMP) {
          out.putByte('Z');
        }
        out.endMessage(begin, 1);
      }
      case KIND_ARRAY -> writeArray(row, out);
      case KIND_STRUCT -> {
        row.enter();
        out.putByte(STRUCT);
        int begin = out.beginMessage(1);
        fields.write(row, out);
        out.endMessage(begin, 1);
        row.leave();
      }
      default -> throw new CorruptRowException("unknown type " + kind);
    }
  }

  /** Whether values are numbers of eight bytes; large integers are none. */
  boolean isNumber() {
    return switch (kind) {
      case KIND_INT, KIND_BIGINT, KIND_FLOAT, KIND_DOUBLE -> true;
      default -> false;
    };
  }

  /**
   * Reads the next value, and puts the eight bytes of its number at an index, if it {@link
   * #isNumber}.
   *
   * @return whether it was; if not, nothing was read
   */
  boolean readNumber(RowReader row, byte[] target, int at) throws CorruptRowException {
    switch (kind) {
      case KIND_DOUBLE -> WireBuffer.setFixed64(target, at, row.readDoubleBits());
      case KIND_FLOAT -> WireBuffer.setFixed64(target, at, row.readFloatAsDoubleBits());
      case KIND_INT, KIND_BIGINT -> {
        int begin = row.position();
        long value = row.readLong();
        if (!Values.isExact(value)) {
          row.goTo(begin);
          return false;
        }
        WireBuffer.setFixed64(target, at, Double.doubleToRawLongBits((double) value));
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  private static void writeLong(long value, WireBuffer out) {
    if (Values.isExact(value)) {
      out.putFixed64(NUMBER_TAG, Double.doubleToRawLongBits((double) value));
    } else {
      writeAscii(Long.toString(value), out);
    }
  }

  private void writeDecimal(RowReader row, WireBuffer out) throws CorruptRowException {
    int scale = type.getScale();
    if (type.getPrecision() > RowReader.MAX_SHORT_DECIMAL || scale < 0 || scale > 18) {
      writeAscii(row.readDecimal(type).toPlainString(), out);
      return;
    }
    long unscaled = row.readLong();
    if (unscaled == Long.MIN_VALUE) {
      writeAscii(BigDecimal.valueOf(unscaled, scale).toPlainString(), out);
      return;
    }
    out.putByte(STRING);
    int begin = out.beginMessage(1);
    Texts.putDecimal(unscaled, scale, out);
    out.endMessage(begin, 1);
  }

  private static void writeString(RowReader row, WireBuffer out) throws CorruptRowException {
    int length = row.readLength();
    int at = row.skip(length);
    byte[] bytes = row.bytes();
    out.putByte(STRING);
    if (Utf8.isWellFormed(bytes, at, length)) {
      out.putVarint(length);
      out.putBytes(bytes, at, length);
    } else {
      // Protobuf's strings are UTF-8: a client would refuse the whole answer because of this one.
      byte[] mended =
          new String(bytes, at, length, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
      out.putVarint(mended.length);
      out.putBytes(mended);
    }
  }

  private static void writeBinary(RowReader row, WireBuffer out) throws CorruptRowException {
    int length = row.readLength();
    int at = row.skip(length);
    byte[] text = Base64.getEncoder().encode(ByteBuffer.wrap(row.bytes(), at, length)).array();
    out.putByte(STRING);
    out.putVarint(text.length);
    out.putBytes(text);
  }

  private static void writeAscii(String text, WireBuffer out) {
    out.putByte(STRING);
    out.putVarint(text.length());
    out.putBytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private void writeArray(RowReader row, WireBuffer out) throws CorruptRowException {
    row.enter();
    int count = row.readArrayLength();
    int nulls = row.readNulls(count);
    out.putByte(LIST);
    int begin = out.beginMessage(2);
    for (int i = 0; i < count; i++) {
      if (row.isNull(nulls, i)) {
        out.putBytes(NULL_ELEMENT);
      } else if (!writeNumberElement(row, out)) {
        out.putByte(ELEMENT);
        int value = out.beginMessage(1);
        element.write(row, out);
        out.endMessage(value, 1);
      }
    }
    out.endMessage(begin, 2);
    row.leave();
  }

  private boolean writeNumberElement(RowReader row, WireBuffer out) throws CorruptRowException {
    byte[] room = out.room(NUMBER_ELEMENT.length + Long.BYTES);
    System.arraycopy(NUMBER_ELEMENT, 0, room, out.size(), NUMBER_ELEMENT.length);
    if (!element.readNumber(row, room, out.size() + NUMBER_ELEMENT.length)) {
      return false;
    }
    out.added(NUMBER_ELEMENT.length + Long.BYTES);
    return true;
  }
}
