package dev.tarn.etl.push;

import java.io.Serializable;
import java.util.Arrays;

/**
 * Remembers what a task wrote, to compare it with what is read back: the number of rows of each
 * bucket and a fingerprint of them, 20 bytes for about 32 rows. Rows may come back in any order, so
 * the fingerprint is a sum.
 */
final class WrittenBuckets implements Serializable {
  private static final long serialVersionUID = 1L;

  private int[] buckets = new int[64];
  private int[] counts = new int[64];
  private int[] sizes = new int[64];
  private long[] fingerprints = new long[64];
  private int size;
  private long rows;
  private long bytes;

  private int openRows;
  private long openBytes;
  private long openFingerprint;

  /** Computes what one row adds to its bucket's fingerprint. */
  static long fingerprint(byte[] id, byte[] row) {
    return EncodedRows.hash(row, EncodedRows.hash(id, id.length));
  }

  void add(byte[] id, byte[] row) {
    openRows++;
    openBytes += id.length + row.length;
    openFingerprint += fingerprint(id, row);
  }

  /** Whether rows were added to a bucket that has not ended. */
  boolean isOpen() {
    return openRows > 0;
  }

  void endBucket(int bucket) {
    if (size == buckets.length) {
      int more = 2 * size;
      buckets = Arrays.copyOf(buckets, more);
      counts = Arrays.copyOf(counts, more);
      sizes = Arrays.copyOf(sizes, more);
      fingerprints = Arrays.copyOf(fingerprints, more);
    }
    buckets[size] = bucket;
    counts[size] = openRows;
    sizes[size] = (int) Math.min(Integer.MAX_VALUE, openBytes);
    fingerprints[size] = openFingerprint;
    size++;
    rows += openRows;
    bytes += openBytes;
    openRows = 0;
    openBytes = 0;
    openFingerprint = 0;
  }

  /** Buckets that have rows. */
  int size() {
    return size;
  }

  int bucket(int i) {
    return buckets[i];
  }

  int count(int i) {
    return counts[i];
  }

  /** Bytes of the ids and rows of a bucket. */
  int bytes(int i) {
    return sizes[i];
  }

  long fingerprint(int i) {
    return fingerprints[i];
  }

  long rows() {
    return rows;
  }

  long bytes() {
    return bytes;
  }
}
