package dev.tarn.serving;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * The {@code serving} section of the settings; reference.conf says what each one means.
 *
 * @param port 0 for any that is free
 * @param defaultEntity empty for none
 * @param nearCacheBytes 0 for no near cache
 */
public record ServingSettings(
    String host,
    int port,
    String defaultEntity,
    int maxEntities,
    int maxIdBytes,
    long nearCacheBytes,
    Duration poll,
    Duration drain) {

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public ServingSettings {
    check(!host.isBlank(), "serving.host is empty: it is a host name or an IP address");
    check(port >= 0 && port <= 65_535, "serving.port = %s: it is from 0 to 65535".formatted(port));
    check(maxEntities >= 1, "serving.max-entities = %s: it is from 1 up".formatted(maxEntities));
    check(maxIdBytes >= 1, "serving.max-id-bytes = %s: it is from 1 up".formatted(maxIdBytes));
    check(poll.toMillis() >= 1, "serving.poll = %s ms: it is from 1 up".formatted(poll.toMillis()));
    check(!drain.isNegative(), "serving.drain is negative");
  }

  /** Reads the section {@code serving} of the settings below {@code tarn}. */
  public static ServingSettings of(Config tarn) {
    Config serving = tarn.getConfig("serving");
    return new ServingSettings(
        serving.getString("host"),
        serving.getInt("port"),
        serving.getString("default-entity"),
        serving.getInt("max-entities"),
        serving.getInt("max-id-bytes"),
        serving.getBytes("near-cache-bytes"),
        serving.getDuration("poll"),
        serving.getDuration("drain"));
  }

  private static void check(boolean isGood, String message) {
    if (!isGood) {
      throw new IllegalArgumentException(message);
    }
  }
}
