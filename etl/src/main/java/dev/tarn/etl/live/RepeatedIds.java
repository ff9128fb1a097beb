package dev.tarn.etl.live;

import com.google.common.hash.HashCode;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.OptionalLong;

/**
 * The ids of a partition's events within the horizon, by which repeated events are told as {@code
 * source.RepeatedEvents} tells them in the event table: an event repeats another one if the one
 * before it with the same id arrived at most the horizon earlier.
 *
 * <p>An id takes 24 bytes in a table that is at most half full. Not thread-safe.
 */
final class RepeatedIds {

  private static final int LEAST = 1 << 10;

  /** Of a place in the table that is free. */
  private static final long FREE = Long.MIN_VALUE;

  private final long horizon;
  private long[] first = new long[LEAST];
  private long[] second = new long[LEAST];
  private long[] times = free(LEAST);
  private int size;
  private long newest = Long.MIN_VALUE;

  /**
   * No ids yet.
   *
   * @param horizon microseconds
   */
  RepeatedIds(long horizon) {
    this.horizon = horizon;
  }

  private static long[] free(int length) {
    long[] times = new long[length];
    Arrays.fill(times, FREE);
    return times;
  }

  /**
   * Tells whether the next event of the partition repeats another one, and remembers it.
   *
   * @param arrivedAt microseconds; empty: not known, and then it repeats none, and none repeats it
   */
  boolean repeats(HashCode id, OptionalLong arrivedAt) {
    ByteBuffer bytes = ByteBuffer.wrap(id.asBytes());
    long one = bytes.getLong();
    long other = bytes.getLong();
    int at = find(one, other);
    long before = times[at];
    if (arrivedAt.isEmpty()) {
      // Never nearer than the horizon to anything.
      if (before != FREE) {
        times[at] = Long.MIN_VALUE + 1;
      }
      return false;
    }
    long time = arrivedAt.getAsLong();
    newest = Math.max(newest, time);
    times[at] = time;
    if (before == FREE) {
      first[at] = one;
      second[at] = other;
      size++;
      if (size > times.length / 2) {
        clean();
      }
      return false;
    }
    return before != Long.MIN_VALUE + 1 && time - before <= horizon;
  }

  /** Number of ids that are remembered. */
  int size() {
    return size;
  }

  private int find(long one, long other) {
    int mask = times.length - 1;
    int at = (int) (one ^ (one >>> 32)) & mask;
    while (times[at] != FREE && (first[at] != one || second[at] != other)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  /** Forgets what is beyond the horizon, and takes more room if that is not enough. */
  private void clean() {
    long oldest = newest - horizon;
    int kept = 0;
    for (long time : times) {
      kept += time >= oldest && time != FREE ? 1 : 0;
    }
    int length = LEAST;
    while (length < 4L * kept) {
      length *= 2;
    }
    long[] ones = first;
    long[] others = second;
    long[] all = times;
    first = new long[length];
    second = new long[length];
    times = free(length);
    size = 0;
    for (int i = 0; i < all.length; i++) {
      if (all[i] != FREE && all[i] >= oldest) {
        int at = find(ones[i], others[i]);
        first[at] = ones[i];
        second[at] = others[i];
        times[at] = all[i];
        size++;
      }
    }
  }
}
