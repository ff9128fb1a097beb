package dev.tarn.etl.console;

import dev.tarn.cli.UsageException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;

/** Reads moments, and writes lengths of time, as people type them. */
public final class Moments {

  private Moments() {}

  /**
   * Reads a moment. A date means its midnight; a time without a zone is UTC.
   *
   * @param name the argument's name, for the message
   * @throws UsageException if it is no moment
   */
  public static Instant parse(String name, String text) {
    try {
      if (!text.contains("T")) {
        return LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant();
      }
      return text.matches(".*([zZ]|[+-]\\d{2}:\\d{2})")
          ? OffsetDateTime.parse(text).toInstant()
          : LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
    } catch (DateTimeException e) {
      throw new UsageException(
          "%s=%s is not a moment: write 2026-11-20 or 2026-11-20T06:00:00Z (times are UTC)"
              .formatted(name, text),
          e);
    }
  }

  /** Writes a length of time in the largest unit that it is whole in: {@code 7d}, {@code 90s}. */
  public static String length(Duration length) {
    long seconds = length.toSeconds();
    if (seconds % 86_400 == 0) {
      return length.toDays() + "d";
    }
    if (seconds % 3_600 == 0) {
      return length.toHours() + "h";
    }
    return seconds % 60 == 0 ? length.toMinutes() + "m" : seconds + "s";
  }
}
