package dev.tarn.row;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.IntBinaryOperator;

/**
 * Writes Protobuf's wire format into one array that grows.
 *
 * <p>The length of a message stands before it and is known after it: {@link #beginMessage} leaves
 * room for the usual one, {@link #endMessage} fills it in and moves the message if it needs more or
 * less.
 */
public final class WireBuffer {

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final int MAX_VARINT = 10;

  private final IntBinaryOperator growth;
  private byte[] buffer;
  private int size;

  /**
   * An empty buffer.
   *
   * @param expected number of bytes that it will probably hold
   */
  public WireBuffer(int expected) {
    this(expected, (has, needs) -> Math.max(has * 2, needs));
  }

  /**
   * An empty buffer that asks before it grows.
   *
   * @param expected number of bytes that it will probably hold
   * @param growth returns the bytes to grow to, of the bytes that it has and the least that it
   *     needs; it may throw
   */
  public WireBuffer(int expected, IntBinaryOperator growth) {
    this.growth = growth;
    buffer = new byte[Math.max(expected, 16)];
  }

  /** Number of bytes so far. */
  public int size() {
    return size;
  }

  /** Copies bytes of the buffer, from an index on. */
  public void copyTo(int from, byte[] target, int offset, int length) {
    System.arraycopy(buffer, from, target, offset, length);
  }

  /** Removes all bytes from an index on. */
  public void cutBack(int size) {
    this.size = size;
  }

  public void putByte(int value) {
    reserve(1);
    buffer[size++] = (byte) value;
  }

  public void putBytes(byte[] bytes) {
    putBytes(bytes, 0, bytes.length);
  }

  public void putBytes(byte[] bytes, int offset, int length) {
    reserve(length);
    System.arraycopy(bytes, offset, buffer, size, length);
    size += length;
  }

  public void putBytes(ByteString bytes) {
    reserve(bytes.size());
    bytes.copyTo(buffer, size);
    size += bytes.size();
  }

  /** Puts a value that is not negative. */
  public void putVarint(int value) {
    reserve(MAX_VARINT);
    putVarint(size, value);
    size += varintSize(value);
  }

  /** Puts bytes, and 64 bits after them, least significant byte first. */
  void putFixed64(byte[] before, long bits) {
    int length = before.length;
    reserve(length + Long.BYTES);
    System.arraycopy(before, 0, buffer, size, length);
    LONGS.set(buffer, size + length, bits);
    size += length + Long.BYTES;
  }

  /** Puts 64 bits at an index, least significant byte first. */
  static void setFixed64(byte[] target, int at, long bits) {
    LONGS.set(target, at, bits);
  }

  /**
   * Begins a message, or a string, after its tag.
   *
   * @param lengthBytes number of bytes that its length probably takes
   * @return its beginning, for {@link #endMessage}
   */
  public int beginMessage(int lengthBytes) {
    reserve(lengthBytes);
    size += lengthBytes;
    return size;
  }

  /** Ends a message, with the parameters that both had at its beginning. */
  public void endMessage(int begin, int lengthBytes) {
    int length = size - begin;
    int needed = varintSize(length);
    if (needed != lengthBytes) {
      reserve(MAX_VARINT);
      System.arraycopy(buffer, begin, buffer, begin - lengthBytes + needed, length);
      size += needed - lengthBytes;
    }
    putVarint(begin - lengthBytes, length);
  }

  /**
   * Makes room for at most this number of bytes, to be written from {@link #size} on and then
   * {@link #added}.
   */
  byte[] room(int bytes) {
    reserve(bytes);
    return buffer;
  }

  void added(int bytes) {
    size += bytes;
  }

  public void writeTo(OutputStream out) throws IOException {
    out.write(buffer, 0, size);
  }

  /** The bytes so far, as a new array. */
  public byte[] toBytes() {
    return Arrays.copyOf(buffer, size);
  }

  private static int varintSize(int value) {
    return (38 - Integer.numberOfLeadingZeros(value | 1)) / 7;
  }

  private void putVarint(int at, int value) {
    int next = at;
    int rest = value;
    while (rest > 0x7F) {
      buffer[next++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    buffer[next] = (byte) rest;
  }

  private void reserve(int more) {
    if (buffer.length - size < more) {
      buffer = Arrays.copyOf(buffer, growth.applyAsInt(buffer.length, Math.addExact(size, more)));
    }
  }
}
