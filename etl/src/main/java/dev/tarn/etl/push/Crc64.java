package dev.tarn.etl.push;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** CRC-64 as Redis checks its dumps: the Jones polynomial, reflected, eight bytes a step. */
final class Crc64 {

  private static final long REFLECTED_POLYNOMIAL = 0x95AC9329AC4BC9B5L;
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long[][] TABLES = tables();

  private Crc64() {}

  /** The checksum of the first {@code length} bytes. */
  static long of(byte[] bytes, int length) {
    long crc = 0;
    int i = 0;
    for (; i <= length - 8; i += 8) {
      long next = crc ^ (long) LONG.get(bytes, i);
      crc =
          TABLES[7][(int) next & 0xFF]
              ^ TABLES[6][(int) (next >>> 8) & 0xFF]
              ^ TABLES[5][(int) (next >>> 16) & 0xFF]
              ^ TABLES[4][(int) (next >>> 24) & 0xFF]
              ^ TABLES[3][(int) (next >>> 32) & 0xFF]
              ^ TABLES[2][(int) (next >>> 40) & 0xFF]
              ^ TABLES[1][(int) (next >>> 48) & 0xFF]
              ^ TABLES[0][(int) (next >>> 56)];
    }
    for (; i < length; i++) {
      crc = TABLES[0][(int) (crc ^ bytes[i]) & 0xFF] ^ (crc >>> 8);
    }
    return crc;
  }

  private static long[][] tables() {
    long[][] tables = new long[8][256];
    for (int value = 0; value < 256; value++) {
      long crc = value;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 0 ? crc >>> 1 : (crc >>> 1) ^ REFLECTED_POLYNOMIAL;
      }
      tables[0][value] = crc;
    }
    for (int table = 1; table < 8; table++) {
      for (int value = 0; value < 256; value++) {
        long crc = tables[table - 1][value];
        tables[table][value] = tables[0][(int) crc & 0xFF] ^ (crc >>> 8);
      }
    }
    return tables;
  }
}
