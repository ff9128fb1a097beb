package dev.tarn.redis;

import java.util.Locale;
import java.util.Optional;

/**
 * What a Redis server removes when its memory is full, as INFO says it. Rows of a release and the
 * control keys have no expiry, so policies that take keys with an expiry only leave them alone.
 */
public record Eviction(String policy, long maxMemory) {

  /** Reads the section {@code memory} of INFO, which may have other lines. */
  public static Eviction of(String info) {
    String max = line(info, "maxmemory");
    return new Eviction(
        line(info, "maxmemory_policy"), max.matches("\\d{1,18}") ? Long.parseLong(max) : 0);
  }

  /** Whether the server removes rows of a release and control keys when it is full. */
  public boolean takesReleased() {
    return policy.startsWith("allkeys-");
  }

  /** Whether the server removes rows that a push has not released yet, which have an expiry. */
  public boolean takesUnreleased() {
    return takesReleased() || policy.startsWith("volatile-");
  }

  /**
   * The warning for a server that removes what is released.
   *
   * @param server its address
   * @return empty if it does not
   */
  public Optional<String> warning(String server) {
    if (!takesReleased()) {
      return Optional.empty();
    }
    return Optional.of(
        "Redis at %s has maxmemory-policy = %s: %s it removes released rows, which lookups then answer with NOT_FOUND, and control keys. Set maxmemory-policy to noeviction (docs/redis.md)"
            .formatted(
                server,
                policy,
                maxMemory > 0
                    ? String.format(
                        Locale.ROOT, "when maxmemory (%,d bytes) is reached,", maxMemory)
                    : "once a maxmemory is set and reached,"));
  }

  private static String line(String info, String name) {
    return info.lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> line.substring(name.length() + 1).strip())
        .findFirst()
        .orElse("");
  }
}
