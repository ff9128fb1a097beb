package dev.tarn.etl.input;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.util.concurrent.TimeUnit;

/**
 * Reads dates and timestamps in the forms of ISO 8601 that say what they mean:
 *
 * <ul>
 *   <li>a date is {@code 2026-11-20};
 *   <li>a timestamp is {@code 2026-11-20T06:00}, with a space for the T, seconds, one to nine
 *       digits of a second, and {@code Z}, {@code +01:00}, {@code +0100} or {@code +01} after it;
 *   <li>years are 0001 to 9999. There is no second 60 and no hour 24.
 * </ul>
 */
final class TextMoments {

  /** 0001-01-01T00:00:00Z. */
  static final long LEAST = micros(Instant.parse("0001-01-01T00:00:00Z"));

  /** 9999-12-31T23:59:59.999999Z. */
  static final long GREATEST = micros(Instant.parse("9999-12-31T23:59:59.999999Z"));

  private static final int DATE = 10;
  private static final int MOST_DIGITS = 9;
  private static final int MOST_HOURS = 18;

  /** What a text says about its zone. */
  enum Zone {
    /** It must say which one. */
    REQUIRED,
    /** Without one it is UTC. */
    OPTIONAL,
    /** It must not have one. */
    NONE
  }

  private TextMoments() {}

  /** Days since 1970. */
  static int days(String text) {
    if (text.length() != DATE) {
      throw new NoValueException("is no date" + hint(text, "2026-11-20"));
    }
    return (int) day(text, "date", "2026-11-20");
  }

  /** Microseconds since 1970; digits of a second beyond the sixth are dropped. */
  static long micros(String text, Zone zone) {
    String what = zone == Zone.REQUIRED ? "moment with a zone" : "timestamp";
    String example = zone == Zone.NONE ? "2026-11-20T06:00:00" : "2026-11-20T06:00:00Z";
    int end = text.length();
    if (end < DATE) {
      throw new NoValueException("is no " + what + hint(text, example));
    }
    long day = day(text, what, example);
    if (end == DATE) {
      if (zone == Zone.REQUIRED) {
        throw new NoValueException("is no moment with a zone; write " + example);
      }
      return inRange(TimeUnit.DAYS.toMicros(day));
    }
    char separator = text.charAt(DATE);
    if ((separator != 'T' && separator != 't' && separator != ' ')
        || end < DATE + 6
        || text.charAt(DATE + 3) != ':') {
      throw new NoValueException("is no " + what + hint(text, example));
    }
    long seconds =
        3600L * part(text, DATE + 1, 23, "hour", what)
            + 60L * part(text, DATE + 4, 59, "minute", what);
    int at = DATE + 6;
    long fraction = 0;
    if (at < end && text.charAt(at) == ':') {
      seconds += part(text, at + 1, 59, "second", what);
      at += 3;
      if (at < end && text.charAt(at) == '.') {
        int first = ++at;
        while (at < end && isDigit(text.charAt(at))) {
          if (at - first < 6) {
            fraction = 10 * fraction + (text.charAt(at) - '0');
          }
          at++;
        }
        if (at == first || at - first > MOST_DIGITS) {
          throw new NoValueException(
              "is no %s: a second has one to nine digits after its point".formatted(what));
        }
        for (int digits = at - first; digits < 6; digits++) {
          fraction *= 10;
        }
      }
    }
    long micros =
        TimeUnit.DAYS.toMicros(day)
            + TimeUnit.SECONDS.toMicros(seconds - offset(text, at, zone, example))
            + fraction;
    return inRange(micros);
  }

  /** Refuses what Iceberg's other readers can't read. */
  static long inRange(long micros) {
    if (micros < LEAST || micros > GREATEST) {
      throw new NoValueException("is outside the years 0001 to 9999");
    }
    return micros;
  }

  /** Seconds that the zone is ahead of UTC. */
  private static long offset(String text, int from, Zone zone, String example) {
    if (from == text.length()) {
      if (zone == Zone.REQUIRED) {
        throw new NoValueException("is no moment with a zone; write " + example);
      }
      return 0;
    }
    String given = text.substring(from);
    if (zone == Zone.NONE) {
      throw new NoValueException(
          "has '%s' after its time, and a timestamp_ntz has no zone; write %s, or declare it TIMESTAMP"
              .formatted(given, example));
    }
    if (given.equals("Z") || given.equals("z")) {
      return 0;
    }
    String sign = given.startsWith(" ") ? given.substring(1) : given;
    if (!sign.matches("[+-][0-9]{2}(:?[0-9]{2})?")) {
      throw new NoValueException(
          "has '%s' after its time, which is no zone: write Z, +01:00, +0100 or +01"
              .formatted(given));
    }
    int hours = Integer.parseInt(sign.substring(1, 3));
    int minutes = sign.length() > 3 ? Integer.parseInt(sign.substring(sign.length() - 2)) : 0;
    if (minutes > 59 || 60 * hours + minutes > 60 * MOST_HOURS) {
      throw new NoValueException(
          "has the zone %s, and zones are within 18 hours of UTC".formatted(sign));
    }
    long seconds = 3600L * hours + 60L * minutes;
    return sign.charAt(0) == '-' ? -seconds : seconds;
  }

  private static long day(String text, String what, String example) {
    for (int i = 0; i < DATE; i++) {
      char c = text.charAt(i);
      boolean isHyphen = i == 4 || i == 7;
      if (isHyphen ? c != '-' : !isDigit(c)) {
        throw new NoValueException("is no " + what + hint(text, example));
      }
    }
    int year = Integer.parseInt(text.substring(0, 4));
    if (year == 0) {
      throw new NoValueException("is outside the years 0001 to 9999");
    }
    try {
      return LocalDate.of(
              year,
              Integer.parseInt(text.substring(5, 7)),
              Integer.parseInt(text.substring(8, DATE)))
          .toEpochDay();
    } catch (DateTimeException e) {
      throw new NoValueException(
          "is no %s: there is no day %s".formatted(what, text.substring(0, DATE)));
    }
  }

  private static int part(String text, int from, int most, String name, String what) {
    if (from + 2 > text.length()
        || !isDigit(text.charAt(from))
        || !isDigit(text.charAt(from + 1))) {
      throw new NoValueException("is no %s: its %s has not two digits".formatted(what, name));
    }
    int value = 10 * (text.charAt(from) - '0') + text.charAt(from + 1) - '0';
    if (value > most) {
      throw new NoValueException("is no %s: there is no %s %d".formatted(what, name, value));
    }
    return value;
  }

  private static String hint(String text, String example) {
    return text.matches("-?[0-9]{5,}(\\.[0-9]+)?")
        ? "; if it counts time since 1970, its source must say so: epoch = milliseconds (or seconds, microseconds)"
        : "; write " + example;
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static long micros(Instant instant) {
    return TimeUnit.SECONDS.toMicros(instant.getEpochSecond()) + instant.getNano() / 1000;
  }
}
