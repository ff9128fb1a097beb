package dev.tarn.redis;

import java.time.Instant;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A feature view's entry in the release: which version lookups answer from, and since when. Stored
 * as {@code VERSION@EPOCH_MILLIS}; a release compares and sets that whole text, so it also notices
 * that the same version was released again in between.
 */
public record Release(String version, Instant releasedAt) {

  private static final Pattern TEXT = Pattern.compile("(.+)@(-?\\d{1,18})");

  /**
   * Reads what {@link #format} wrote.
   *
   * @throws IllegalArgumentException if the text is not one that {@link #format} made
   */
  public static Release parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("'%s' is not VERSION@EPOCH_MILLIS".formatted(text));
    }
    return new Release(matcher.group(1), Instant.ofEpochMilli(Long.parseLong(matcher.group(2))));
  }

  public String format() {
    return version + "@" + releasedAt.toEpochMilli();
  }
}
