package dev.tarn.live;

import dev.tarn.aggregate.CorruptStateException;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/**
 * The envelope of live cells in Redis: a token of eight bytes, then the cells. A writer replaces
 * only what it has read, and the token tells that, so of two writers none undoes the other. It is
 * two checksums of the cells: equal tokens mean equal cells, also after Redis went back to an older
 * state of its file.
 */
public final class Token {

  /** Bytes of a token. */
  public static final int BYTES = 8;

  private Token() {}

  /** The entry for cells: token and cells. */
  public static byte[] entry(byte[] cells) {
    byte[] entry = new byte[BYTES + cells.length];
    System.arraycopy(cells, 0, entry, BYTES, cells.length);
    long token = token(cells);
    for (int i = 0; i < BYTES; i++) {
      entry[i] = (byte) (token >>> (8 * i));
    }
    return entry;
  }

  /**
   * The cells of an entry.
   *
   * @throws CorruptStateException if the token is not theirs
   */
  public static byte[] cells(byte[] entry) {
    if (entry.length < BYTES) {
      throw new CorruptStateException("live cells of %d bytes".formatted(entry.length));
    }
    byte[] cells = Arrays.copyOfRange(entry, BYTES, entry.length);
    long token = token(cells);
    for (int i = 0; i < BYTES; i++) {
      if (entry[i] != (byte) (token >>> (8 * i))) {
        throw new CorruptStateException("live cells with a token of others");
      }
    }
    return cells;
  }

  private static long token(byte[] cells) {
    CRC32C one = new CRC32C();
    one.update(cells, 0, cells.length);
    CRC32 other = new CRC32();
    other.update(cells, 0, cells.length);
    return one.getValue() << 32 | other.getValue();
  }
}
