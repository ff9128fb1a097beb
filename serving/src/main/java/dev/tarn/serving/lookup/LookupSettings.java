package dev.tarn.serving.lookup;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * The settings of {@code serving} that lookups use; reference.conf says what each one means.
 *
 * @param defaultEntity empty for none
 * @param nearCacheBytes 0 for no near cache
 * @param serveStale zero for no stale answers
 */
public record LookupSettings(
    String defaultEntity,
    int maxEntities,
    int maxIdBytes,
    int maxAnswerBytes,
    long nearCacheBytes,
    Duration serveStale) {

  private static final int MOST_ANSWER_BYTES = 1 << 30;

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public LookupSettings {
    check(maxEntities >= 1, "serving.max-entities = %s: it is from 1 up".formatted(maxEntities));
    check(maxIdBytes >= 1, "serving.max-id-bytes = %s: it is from 1 up".formatted(maxIdBytes));
    check(
        maxAnswerBytes >= 1 && maxAnswerBytes <= MOST_ANSWER_BYTES,
        "serving.max-answer-bytes = %s: it is from 1 to 1G".formatted(maxAnswerBytes));
    check(!serveStale.isNegative(), "serving.serve-stale is negative");
    check(
        serveStale.isZero() || nearCacheBytes > 0,
        "serving.serve-stale is for answers from the near cache: set serving.near-cache-bytes too");
  }

  /** Reads them from the section {@code serving}. */
  public static LookupSettings of(Config serving) {
    return new LookupSettings(
        serving.getString("default-entity"),
        serving.getInt("max-entities"),
        serving.getInt("max-id-bytes"),
        Math.toIntExact(Math.min(serving.getBytes("max-answer-bytes"), Integer.MAX_VALUE)),
        serving.getBytes("near-cache-bytes"),
        serving.getDuration("serve-stale"));
  }

  /** Returns whether stale answers are given while Redis is away. */
  public boolean servesStale() {
    return !serveStale.isZero();
  }

  private static void check(boolean isGood, String message) {
    if (!isGood) {
      throw new IllegalArgumentException(message);
    }
  }
}
