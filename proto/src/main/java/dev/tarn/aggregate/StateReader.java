package dev.tarn.aggregate;

import java.util.Arrays;

/** Reads the bytes of a state. It refuses what {@link StateWriter} would have written otherwise. */
public final class StateReader {

  private final byte[] bytes;
  private final int end;
  private int at;

  /** A reader of all bytes. */
  public StateReader(byte[] bytes) {
    this(bytes, 0, bytes.length);
  }

  private StateReader(byte[] bytes, int from, int end) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  /** A reader of the next bytes, which this one passes over. */
  public StateReader slice(int length) {
    need(length);
    at += length;
    return new StateReader(bytes, at - length, at);
  }

  /** Passes over bytes. */
  public void skip(int length) {
    need(length);
    at += length;
  }

  /** Number of bytes that are left. */
  public int left() {
    return end - at;
  }

  public int readByte() {
    need(1);
    return bytes[at++] & 0xFF;
  }

  public long readVarint() {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      int next = readByte();
      if ((shift == 63 && next > 1) || (next == 0 && shift > 0)) {
        throw new CorruptStateException("the state has a number that is not written as it must be");
      }
      value |= (next & 0x7FL) << shift;
      if (next < 0x80) {
        return value;
      }
    }
  }

  public long readZigzag() {
    long value = readVarint();
    return (value >>> 1) ^ -(value & 1);
  }

  boolean readFlag() {
    int flag = readByte();
    if (flag > 1) {
      throw new CorruptStateException("the state has %d where 0 or 1 must be".formatted(flag));
    }
    return flag == 1;
  }

  public int readInt() {
    long value = readZigzag();
    if (value != (int) value) {
      throw new CorruptStateException("the state has %d, which is no int".formatted(value));
    }
    return (int) value;
  }

  /** Reads a count that is at most a limit. */
  public int readCount(int limit) {
    long count = readVarint();
    if (count < 0 || count > limit) {
      throw new CorruptStateException(
          "the state has a length of %s, over %d".formatted(Long.toUnsignedString(count), limit));
    }
    return (int) count;
  }

  /** Reads how many events there are: not negative. */
  long readEvents() {
    long count = readVarint();
    if (count < 0) {
      throw new CorruptStateException("the state has a count over 2⁶³");
    }
    return count;
  }

  public long readFixed64() {
    return readHighBytes(8);
  }

  int readFixed32() {
    return (int) readHighBytes(4);
  }

  /** Reads a number of some bytes, the highest first, which has a sign. */
  long readHighBytes(int count) {
    need(count);
    long value = bytes[at++];
    for (int i = 1; i < count; i++) {
      value = (value << 8) | (bytes[at++] & 0xFF);
    }
    return value;
  }

  byte[] readBytes() {
    return readRaw(readCount(end - at));
  }

  byte[] readRaw(int length) {
    need(length);
    at += length;
    return Arrays.copyOfRange(bytes, at - length, at);
  }

  /** Reads an integer after its length: its bytes in two's complement, as few as can be. */
  byte[] readInteger(int limit) {
    return readIntegerOf(readCount(limit));
  }

  byte[] readIntegerOf(int length) {
    byte[] integer = readRaw(length);
    if (length == 0 || (length > 1 && integer[0] == integer[1] >> 7)) {
      throw new CorruptStateException(
          "the state has an integer of %d bytes that is not written as it must be"
              .formatted(length));
    }
    return integer;
  }

  public void end() {
    if (at < end) {
      throw new CorruptStateException("the state has %d bytes behind its end".formatted(end - at));
    }
  }

  private void need(int count) {
    if (count < 0 || end - at < count) {
      throw new CorruptStateException("the state ends at byte %d, too early".formatted(end));
    }
  }
}
