package dev.tarn.aggregate;

import java.util.Arrays;

/** Writes the bytes of states, and of what is made of states. */
public final class StateWriter {

  private byte[] buffer = new byte[32];
  private int size;

  /** Puts the lowest byte. */
  public void putByte(int value) {
    reserve(1);
    buffer[size++] = (byte) value;
  }

  /** Puts an unsigned varint. */
  public void putVarint(long value) {
    reserve(10);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      buffer[size++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    buffer[size++] = (byte) rest;
  }

  /** Puts a zigzag varint. */
  public void putZigzag(long value) {
    putVarint((value << 1) ^ (value >> 63));
  }

  /** Puts eight bytes, the highest first. */
  public void putFixed64(long value) {
    putHighBytes(value, 8);
  }

  /** Puts four bytes, the highest first. */
  void putFixed32(int value) {
    putHighBytes(value, 4);
  }

  /** Puts the lowest bytes of a number, the highest of them first. */
  void putHighBytes(long value, int count) {
    reserve(count);
    for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) {
      buffer[size++] = (byte) (value >> shift);
    }
  }

  /** Puts bytes after their length. */
  public void putBytes(byte[] bytes) {
    putVarint(bytes.length);
    putRaw(bytes);
  }

  /** Puts bytes without their length. */
  public void putRaw(byte[] bytes) {
    reserve(bytes.length);
    System.arraycopy(bytes, 0, buffer, size, bytes.length);
    size += bytes.length;
  }

  /** Number of bytes so far. */
  public int size() {
    return size;
  }

  /** The bytes so far, as a new array. */
  public byte[] toBytes() {
    return Arrays.copyOf(buffer, size);
  }

  private void reserve(int more) {
    if (buffer.length - size < more) {
      buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, Math.addExact(size, more)));
    }
  }
}
