package dev.tarn.live;

import java.util.HashMap;
import java.util.Map;

/**
 * How far the live job has come with one partition of a generation. It is stored as {@code FROM
 * NEXT THROUGH} in the hash that {@link dev.tarn.redis.RedisKeys#applied} names, under the
 * partition's number.
 *
 * @param from the first offset that live cells have: those of earlier ones are only in bases
 * @param next the first offset that may not be applied yet
 * @param through the time up to which the partition is known to be applied, microseconds since 1970
 *     UTC
 */
public record Progress(long from, long next, long through) {

  /** Bound of partitions' numbers: no topic has as many. */
  static final int PARTITIONS = 1 << 20;

  /** Checks the offsets. */
  public Progress {
    if (from < 0 || next < 0) {
      throw new IllegalArgumentException("an offset of the progress is negative");
    }
  }

  /** The progress as it is stored. */
  public String format() {
    return from + " " + next + " " + through;
  }

  /**
   * Reads what {@link #format} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static Progress parse(String text) {
    String[] parts = text.split(" ", -1);
    try {
      if (parts.length == 3) {
        return new Progress(
            Long.parseLong(parts[0]), Long.parseLong(parts[1]), Long.parseLong(parts[2]));
      }
    } catch (IllegalArgumentException e) {
      // Told below.
    }
    throw new IllegalArgumentException("'%s' is not FROM NEXT THROUGH".formatted(text));
  }

  /**
   * Reads a whole hash: the progress by partition.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static Map<Integer, Progress> parse(Map<String, String> fields) {
    Map<Integer, Progress> progress = new HashMap<>();
    fields.forEach((partition, text) -> progress.put(partition(partition), parse(text)));
    return progress;
  }

  private static int partition(String text) {
    try {
      int partition = Integer.parseInt(text);
      if (partition >= 0 && partition < PARTITIONS) {
        return partition;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new IllegalArgumentException("'%s' is no partition".formatted(text));
  }
}
