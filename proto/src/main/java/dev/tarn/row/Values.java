package dev.tarn.row;

import com.google.protobuf.NullValue;
import com.google.protobuf.Value;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.Base64;

/**
 * Converts values of Spark SQL types to {@code google.protobuf.Value}s without loss. This is the
 * only place of that rule: the server, the training read and the defaults use it.
 */
public final class Values {

  public static final Value NULL = Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();

  /** Integers from −2^53 to 2^53 are doubles exactly; those beyond go out as strings. */
  private static final long MAX_EXACT = 1L << 53;

  // RFC 3339 with no, three or six digits of fraction: proto3 JSON's rule for timestamps.
  private static final DateTimeFormatter SECONDS =
      new DateTimeFormatterBuilder()
          .append(DateTimeFormatter.ISO_LOCAL_DATE)
          .appendLiteral('T')
          .appendPattern("HH:mm:ss")
          .toFormatter();
  private static final DateTimeFormatter MILLIS = withFraction(3);
  private static final DateTimeFormatter MICROS = withFraction(6);

  private Values() {}

  public static Value ofBoolean(boolean value) {
    return Value.newBuilder().setBoolValue(value).build();
  }

  public static Value ofLong(long value) {
    return isExact(value) ? ofDouble((double) value) : ofString(Long.toString(value));
  }

  /** Whether an integer is answered as a number. */
  static boolean isExact(long value) {
    return value >= -MAX_EXACT && value <= MAX_EXACT;
  }

  public static Value ofDouble(double value) {
    return Value.newBuilder().setNumberValue(value).build();
  }

  public static Value ofDecimal(BigDecimal value) {
    return ofString(value.toPlainString());
  }

  public static Value ofString(String value) {
    return Value.newBuilder().setStringValue(value).build();
  }

  /** Converts bytes to Base64, with padding. */
  public static Value ofBinary(byte[] bytes, int offset, int length) {
    ByteBuffer encoded = Base64.getEncoder().encode(ByteBuffer.wrap(bytes, offset, length));
    return ofString(new String(encoded.array(), StandardCharsets.ISO_8859_1));
  }

  public static Value ofDate(long daysSince1970) {
    return ofString(LocalDate.ofEpochDay(daysSince1970).toString());
  }

  public static Value ofTimestamp(long microsSince1970) {
    return ofString(format(microsSince1970) + "Z");
  }

  /** A timestamp without time zone: as written, with no offset. */
  public static Value ofTimestampNtz(long microsSince1970) {
    return ofString(format(microsSince1970));
  }

  /** Microseconds since 1970 of an instant; finer parts are cut off. */
  public static long micros(Instant instant) {
    long seconds = instant.getEpochSecond();
    long micros = instant.getNano() / 1_000;
    if (seconds < 0 && micros > 0) {
      // The second in which time begins does not begin itself within a long's microseconds.
      return Math.addExact(Math.multiplyExact(seconds + 1, 1_000_000L), micros - 1_000_000L);
    }
    return Math.addExact(Math.multiplyExact(seconds, 1_000_000L), micros);
  }

  /** The instant of microseconds since 1970. */
  public static Instant instant(long micros) {
    return Instant.ofEpochSecond(
        Math.floorDiv(micros, 1_000_000L), Math.floorMod(micros, 1_000_000L) * 1_000);
  }

  private static String format(long micros) {
    DateTimeFormatter formatter = MICROS;
    if (micros % 1_000_000 == 0) {
      formatter = SECONDS;
    } else if (micros % 1_000 == 0) {
      formatter = MILLIS;
    }
    return formatter.format(LocalDateTime.ofInstant(instant(micros), ZoneOffset.UTC));
  }

  private static DateTimeFormatter withFraction(int digits) {
    return new DateTimeFormatterBuilder()
        .append(SECONDS)
        .appendFraction(ChronoField.NANO_OF_SECOND, digits, digits, true)
        .toFormatter();
  }
}
