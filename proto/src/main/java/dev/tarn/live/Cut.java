package dev.tarn.live;

import java.util.Arrays;
import java.util.Map;

/**
 * A cut through a topic in a form that is quick to ask: for each partition the first offset that
 * does not count. Immutable.
 */
public final class Cut {

  private final long[] offsets;

  private Cut(long[] offsets) {
    this.offsets = offsets;
  }

  /**
   * A cut.
   *
   * @param offsets by partition; 0 of one that is not there
   */
  public static Cut of(Map<Integer, Long> offsets) {
    long[] next = new long[offsets.keySet().stream().mapToInt(p -> p + 1).max().orElse(0)];
    offsets.forEach((partition, offset) -> next[partition] = offset);
    return new Cut(next);
  }

  /** A cut from the offsets of the partitions 0, 1, …, which must not be changed any more. */
  public static Cut of(long... offsets) {
    return new Cut(offsets);
  }

  /** The first offset of a partition that does not count. */
  public long next(int partition) {
    return partition < offsets.length ? offsets[partition] : 0;
  }

  /** Number of partitions that are known. */
  public int partitions() {
    return offsets.length;
  }

  /** The later offset of both in each partition. */
  public Cut max(Cut other) {
    long[] next = Arrays.copyOf(offsets, Math.max(offsets.length, other.offsets.length));
    for (int i = 0; i < other.offsets.length; i++) {
      next[i] = Math.max(next[i], other.offsets[i]);
    }
    return new Cut(next);
  }

  /** Whether nothing before this cut is beyond the other one. */
  public boolean isWithin(Cut other) {
    for (int i = 0; i < offsets.length; i++) {
      if (offsets[i] > other.next(i)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Cut cut && isWithin(cut) && cut.isWithin(this);
  }

  @Override
  public int hashCode() {
    int last = offsets.length;
    while (last > 0 && offsets[last - 1] == 0) {
      last--;
    }
    return Arrays.hashCode(Arrays.copyOf(offsets, last));
  }

  /** Such as {@code 0: 1024, 1: 2048}. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < offsets.length; i++) {
      text.append(i == 0 ? "" : ", ").append(i).append(": ").append(offsets[i]);
    }
    return text.toString();
  }
}
