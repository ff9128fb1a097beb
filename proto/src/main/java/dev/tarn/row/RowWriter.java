package dev.tarn.row;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * Writes one row in the encoding that a version stores in Redis.
 *
 * <pre>
 * row     = age nulls value*
 * age     = varint: the version's as-of minus the row's event timestamp, zigzag microseconds
 * nulls   = one bit a feature, in the manifest's order, least significant bit first; 1 is null
 * value   = of the features that are not null, in the manifest's order:
 *   boolean                                  one byte, 0 or 1
 *   int bigint date timestamp timestamp_ntz  zigzag varint (days or microseconds since 1970)
 *   float double                             raw IEEE 754 bits, little-endian
 *   decimal, precision up to 18              zigzag varint of the unscaled value
 *   decimal, precision over 18               as binary: unscaled value, two's complement, big-endian
 *   string binary                            varint length in bytes, bytes (UTF-8)
 *   array                                    varint length, nulls, elements that are not null
 *   struct                                   nulls, fields that are not null
 * </pre>
 *
 * <p>Neither names nor types are stored: the version's manifest has them, by Iceberg field id, so a
 * rename costs nothing and every version stays readable under its own schema.
 *
 * <p>A writer is reused from row to row and is not thread-safe.
 */
public final class RowWriter {

  /** The version record's {@code row_format} that this class writes. */
  public static final int FORMAT = 1;

  private byte[] buffer = new byte[256];
  private int size;

  /**
   * Begins a row.
   *
   * @param asOfMicros the version's as-of, microseconds since 1970 UTC
   * @param eventTimestampMicros the row's own
   */
  public void start(long asOfMicros, long eventTimestampMicros) {
    size = 0;
    putLong(asOfMicros - eventTimestampMicros);
  }

  /**
   * Reserves null bits, all clear, for a row, an array or a struct.
   *
   * @return where they are, for {@link #setNull}
   */
  public int putNulls(int count) {
    int at = size;
    int bytes = (count + 7) >>> 3;
    reserve(bytes);
    Arrays.fill(buffer, size, size + bytes, (byte) 0);
    size += bytes;
    return at;
  }

  public void setNull(int nulls, int index) {
    buffer[nulls + (index >>> 3)] |= (byte) (1 << (index & 7));
  }

  public void putBoolean(boolean value) {
    reserve(1);
    buffer[size++] = (byte) (value ? 1 : 0);
  }

  /** Puts a zigzag varint: 1 byte for −64 to 63, at most 10 bytes. */
  public void putLong(long value) {
    putUnsigned((value << 1) ^ (value >> 63));
  }

  /** Puts a varint: the length of a string, a binary or an array. */
  public void putLength(int length) {
    putUnsigned(length);
  }

  public void putFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    reserve(4);
    for (int shift = 0; shift < 32; shift += 8) {
      buffer[size++] = (byte) (bits >>> shift);
    }
  }

  public void putDouble(double value) {
    long bits = Double.doubleToRawLongBits(value);
    reserve(8);
    for (int shift = 0; shift < 64; shift += 8) {
      buffer[size++] = (byte) (bits >>> shift);
    }
  }

  /** Puts a decimal's unscaled value; the type and not the value decides whether it is short. */
  public void putDecimal(BigInteger unscaled, int precision) {
    if (precision <= RowReader.MAX_SHORT_DECIMAL) {
      putLong(unscaled.longValueExact());
    } else {
      putBytes(unscaled.toByteArray());
    }
  }

  /** Puts the bytes of a string (UTF-8) or a binary, after their length. */
  public void putBytes(byte[] bytes) {
    putLength(bytes.length);
    reserve(bytes.length);
    System.arraycopy(bytes, 0, buffer, size, bytes.length);
    size += bytes.length;
  }

  /** The row so far, as a new array. */
  public byte[] toBytes() {
    return Arrays.copyOf(buffer, size);
  }

  private void putUnsigned(long value) {
    reserve(10);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      buffer[size++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    buffer[size++] = (byte) rest;
  }

  private void reserve(int more) {
    if (buffer.length - size < more) {
      buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, Math.addExact(size, more)));
    }
  }
}
