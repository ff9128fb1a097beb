package dev.tarn.etl.push;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.redis.RedisServers;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.HostAndPort;

/**
 * Checks whether Redis has room for a version before any of it is written. Beyond maxmemory Redis
 * would refuse rows, or evict those that are released.
 */
final class MemoryCheck {

  /** Measured overhead of a row beside its bytes, and of a bucket beside its rows, rounded up. */
  private static final int BYTES_A_ROW = 8;

  private static final int BYTES_A_BUCKET = 200;

  /** The allocator rounds up too. */
  private static final double ROUNDING = 1.15;

  private final RedisServers redis;

  MemoryCheck(RedisServers redis) {
    this.redis = redis;
  }

  /**
   * Checks each server for its share.
   *
   * @param rowBytes average size of an id with its row
   * @throws TarnException with the numbers, if it would not fit
   */
  void check(String view, long rows, double rowBytes, int buckets) {
    double all = ROUNDING * (rows * (rowBytes + BYTES_A_ROW) + (double) buckets * BYTES_A_BUCKET);
    Map<HostAndPort, String> servers = redis.info("memory");
    long share = (long) (all / servers.size());
    for (Map.Entry<HostAndPort, String> server : servers.entrySet()) {
      String memory = server.getValue();
      long max = number(memory, "maxmemory");
      long used = number(memory, "used_memory");
      if (max > 0 && used + share > max) {
        throw new TarnException(
            ("%s: about %s of %.0f bytes %s about %,.1f MB of Redis at %s, which has %,.1f of"
                    + " its %,.1f MB (maxmemory) in use; nothing was written. Raise maxmemory, or keep"
                    + " fewer versions (push.keep)")
                .formatted(
                    view,
                    Plural.of(rows, "row"),
                    rowBytes,
                    Plural.choose(rows, "takes", "take"),
                    share / 1e6,
                    server.getKey(),
                    used / 1e6,
                    max / 1e6));
      }
    }
  }

  private static long number(String info, String name) {
    Matcher matcher = Pattern.compile("(?m)^" + name + ":(\\d+)").matcher(info);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }
}
