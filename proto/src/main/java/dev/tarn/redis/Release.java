package dev.tarn.redis;

import java.time.Instant;

/**
 * A feature view's entry in the release: which version lookups answer from, and since when. Stored
 * as {@code VERSION@EPOCH_MILLIS}; a release compares and sets that whole text, so it also notices
 * that the same version was released again in between.
 */
public record Release(String version, Instant releasedAt) {

  /**
   * Reads what {@link #format} wrote.
   *
   * @throws IllegalArgumentException if the text is not one that {@link #format} made
   */
  public static Release parse(String text) {
    int at = text.lastIndexOf('@');
    if (at < 1) {
      throw new IllegalArgumentException("'%s' is not VERSION@EPOCH_MILLIS".formatted(text));
    }
    return new Release(
        text.substring(0, at), Instant.ofEpochMilli(Long.parseLong(text.substring(at + 1))));
  }

  public String format() {
    return version + "@" + releasedAt.toEpochMilli();
  }
}
