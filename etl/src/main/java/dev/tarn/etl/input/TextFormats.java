package dev.tarn.etl.input;

import dev.tarn.etl.definition.Epoch;
import java.io.Serializable;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Says how the texts of a source differ from ISO 8601: by patterns of their own, or by numbers that
 * count time since 1970.
 */
public final class TextFormats implements Serializable {
  private static final long serialVersionUID = 1L;

  static final String TIMESTAMP = "timestampFormat";
  static final String TIMESTAMP_NTZ = "timestampNTZFormat";
  static final String DATE = "dateFormat";
  static final String LOCALE = "locale";

  /** Null where numbers are no moments. */
  private final Epoch epoch;

  private final Pattern timestamp;
  private final Pattern timestampNtz;
  private final Pattern date;

  private TextFormats(Epoch epoch, Pattern timestamp, Pattern timestampNtz, Pattern date) {
    this.epoch = epoch;
    this.timestamp = timestamp;
    this.timestampNtz = timestampNtz;
    this.date = date;
  }

  /**
   * The formats that options give.
   *
   * @param options by their names in lower case
   */
  static TextFormats of(Options options, Optional<Epoch> epoch) {
    Locale locale = Locale.forLanguageTag(options.text(LOCALE).orElse("en-US"));
    return new TextFormats(
        epoch.orElse(null),
        pattern(options, TIMESTAMP, locale),
        pattern(options, TIMESTAMP_NTZ, locale),
        pattern(options, DATE, locale));
  }

  /** ISO 8601 and nothing else. */
  public static TextFormats iso() {
    return of(new Options(Map.of()), Optional.empty());
  }

  private static Pattern pattern(Options options, String name, Locale locale) {
    Optional<String> text = options.text(name);
    if (text.isEmpty()) {
      return null;
    }
    Pattern pattern = new Pattern(text.get(), locale);
    try {
      pattern.formatter();
    } catch (IllegalArgumentException e) {
      throw new InputException(
          "option %s = %s is no pattern of a date or time: %s"
              .formatted(name, text.get(), e.getMessage()),
          e);
    }
    return pattern;
  }

  boolean hasEpoch() {
    return epoch != null;
  }

  Epoch epoch() {
    return epoch;
  }

  long micros(String text, TextMoments.Zone zone) {
    Pattern pattern = zone == TextMoments.Zone.NONE ? timestampNtz : timestamp;
    if (pattern == null) {
      return TextMoments.micros(text, zone);
    }
    TemporalAccessor read = pattern.read(text, "timestamp");
    LocalDate day = LocalDate.from(read);
    LocalTime time =
        Optional.ofNullable(read.query(TemporalQueries.localTime())).orElse(LocalTime.MIDNIGHT);
    ZoneId given = Optional.ofNullable(read.query(TemporalQueries.zone())).orElse(ZoneOffset.UTC);
    ZoneId at = zone == TextMoments.Zone.NONE ? ZoneOffset.UTC : given;
    var instant = LocalDateTime.of(day, time).atZone(at).toInstant();
    return TextMoments.inRange(
        TimeUnit.SECONDS.toMicros(instant.getEpochSecond()) + instant.getNano() / 1000);
  }

  int days(String text) {
    return date == null
        ? TextMoments.days(text)
        : (int) LocalDate.from(date.read(text, "date")).toEpochDay();
  }

  /** A pattern of Java's DateTimeFormatter, read strictly. */
  private static final class Pattern implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String text;
    private final Locale locale;
    private transient DateTimeFormatter formatter;

    Pattern(String text, Locale locale) {
      this.text = text;
      this.locale = locale;
    }

    DateTimeFormatter formatter() {
      if (formatter == null) {
        formatter =
            new DateTimeFormatterBuilder()
                .parseCaseInsensitive()
                .appendPattern(text)
                .parseDefaulting(ChronoField.ERA, 1)
                .toFormatter(locale)
                .withResolverStyle(ResolverStyle.STRICT);
      }
      return formatter;
    }

    TemporalAccessor read(String value, String what) {
      try {
        TemporalAccessor read = formatter().parse(value);
        int year = LocalDate.from(read).getYear();
        if (year < 1 || year > 9999) {
          throw new NoValueException("is outside the years 0001 to 9999");
        }
        return read;
      } catch (DateTimeException e) {
        throw new NoValueException("is no %s of the pattern %s".formatted(what, text));
      }
    }
  }
}
