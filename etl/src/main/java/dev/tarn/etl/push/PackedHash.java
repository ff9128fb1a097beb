package dev.tarn.etl.push;

import java.util.Arrays;

/**
 * Packs one small hash in the form that Redis has in memory and in its dumps, to send it whole by
 * RESTORE. Redis stores it as it is. With HSET, Redis would compare each field with all fields
 * before it, grow the hash each time, and unpack it beyond {@code hash-max-listpack-value}.
 *
 * <p>The payload is that of DUMP: type, value, version of the format, CRC-64. The value is a
 * ziplist, which every Redis from 2.6 on reads (since 7.0 it turns it into a listpack). Formats:
 * {@code rdb.c}, {@code ziplist.c} and {@code crc64.c} of Redis 6.2.
 *
 * <p>One instance packs many hashes, one after the other. It is not thread-safe.
 */
final class PackedHash {

  /**
   * Largest number of fields. With more, the ziplist's 16-bit counter would no longer tell the
   * number.
   */
  static final int MAX_FIELDS = 16_000;

  private static final int TYPE_HASH_ZIPLIST = 13;
  private static final int LENGTH_IN_32_BITS = 0x80;

  /** The format of Redis 5: newer servers read older formats, never the other way round. */
  private static final int RDB_VERSION = 9;

  private static final int ZIPLIST_AT = 6;
  private static final int ENTRIES_AT = ZIPLIST_AT + 10;
  private static final int FOOTER = 10;
  private static final int BIG_PREVIOUS = 254;

  private byte[] buffer = new byte[16 << 10];
  private int size = ENTRIES_AT;
  private int lastEntry = ENTRIES_AT;
  private int fields;

  int fields() {
    return fields;
  }

  /** Bytes of the payload so far. */
  int size() {
    return size + 1 + FOOTER;
  }

  /** Adds a field that was not added before. */
  void add(byte[] field, byte[] value) {
    putId(field);
    putText(value);
    fields++;
  }

  /** Returns the payload and begins the next hash. */
  byte[] finish() {
    reserve(1 + FOOTER);
    buffer[size++] = (byte) 0xFF;
    int length = size - ZIPLIST_AT;
    buffer[0] = TYPE_HASH_ZIPLIST;
    buffer[1] = (byte) LENGTH_IN_32_BITS;
    for (int i = 0; i < 4; i++) {
      buffer[2 + i] = (byte) (length >>> (24 - 8 * i));
    }
    little(ZIPLIST_AT, length, 4);
    little(ZIPLIST_AT + 4, lastEntry - ZIPLIST_AT, 4);
    little(ZIPLIST_AT + 8, 2L * fields, 2);
    little(size, RDB_VERSION, 2);
    little(size + 2, Crc64.of(buffer, size + 2), 8);
    byte[] payload = Arrays.copyOf(buffer, size + FOOTER);
    size = ENTRIES_AT;
    lastEntry = ENTRIES_AT;
    fields = 0;
    return payload;
  }

  /** Adds an entity id, in fewer bytes if it is a number exactly as Redis prints it. */
  private void putId(byte[] id) {
    long number = number(id);
    if (number == Long.MIN_VALUE) {
      putText(id);
      return;
    }
    int bytes;
    int encoding;
    if (number >= 0 && number <= 12) {
      bytes = 0;
      encoding = 0xF1 + (int) number;
    } else if (number == (byte) number) {
      bytes = 1;
      encoding = 0xFE;
    } else if (number == (short) number) {
      bytes = 2;
      encoding = 0xC0;
    } else if (number >= -(1 << 23) && number < 1 << 23) {
      bytes = 3;
      encoding = 0xF0;
    } else if (number == (int) number) {
      bytes = 4;
      encoding = 0xD0;
    } else {
      bytes = 8;
      encoding = 0xE0;
    }
    startEntry(1 + bytes);
    buffer[size++] = (byte) encoding;
    little(size, number, bytes);
    size += bytes;
  }

  private void putText(byte[] text) {
    int length = text.length;
    startEntry(5 + length);
    if (length < 1 << 6) {
      buffer[size++] = (byte) length;
    } else if (length < 1 << 14) {
      buffer[size++] = (byte) (0x40 | length >>> 8);
      buffer[size++] = (byte) length;
    } else {
      buffer[size++] = (byte) 0x80;
      for (int shift = 24; shift >= 0; shift -= 8) {
        buffer[size++] = (byte) (length >>> shift);
      }
    }
    System.arraycopy(text, 0, buffer, size, length);
    size += length;
  }

  /** Begins an entry with the length of the entry before it. */
  private void startEntry(int most) {
    int previous = size - lastEntry;
    reserve(5 + most);
    lastEntry = size;
    if (previous < BIG_PREVIOUS) {
      buffer[size++] = (byte) previous;
    } else {
      buffer[size++] = (byte) BIG_PREVIOUS;
      little(size, previous, 4);
      size += 4;
    }
  }

  /** The number that {@code text} is the only decimal form of; Long.MIN_VALUE if there is none. */
  private static long number(byte[] text) {
    int first = text.length > 0 && text[0] == '-' ? 1 : 0;
    int digits = text.length - first;
    // 18 digits always fit a long, and longer ids are hardly numbers.
    if (digits < 1 || digits > 18 || (text[first] == '0' && text.length > 1)) {
      return Long.MIN_VALUE;
    }
    long number = 0;
    for (int i = first; i < text.length; i++) {
      if (text[i] < '0' || text[i] > '9') {
        return Long.MIN_VALUE;
      }
      number = number * 10 + (text[i] - '0');
    }
    return first == 1 ? -number : number;
  }

  private void little(int at, long value, int bytes) {
    for (int i = 0; i < bytes; i++) {
      buffer[at + i] = (byte) (value >>> (8 * i));
    }
  }

  private void reserve(int more) {
    if (buffer.length - size < more) {
      buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, Math.addExact(size, more)));
    }
  }
}
