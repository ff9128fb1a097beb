package dev.tarn.etl.definition;

import java.time.ZoneOffset;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.RuntimeReplaceable;
import org.apache.spark.sql.catalyst.util.DateTimeUtils;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DatetimeType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.JavaConverters;

/**
 * Knows the texts that Spark takes for a moment of its clock. A time of day alone, as a timestamp,
 * is that of the day on which the job runs. {@code now}, {@code today}, {@code tomorrow} and {@code
 * yesterday} are moments where the text is a constant; in a column they are none.
 */
public final class ClockTexts {

  private static final String WORDS = "now|today|tomorrow|yesterday";

  private static final Pattern WORD = Pattern.compile("(?is)^\\s*(" + WORDS + ")\\b.*");

  /** A literal with its type before it, which Spark's parser makes a moment of. */
  private static final Pattern LITERAL =
      Pattern.compile("(?is)\\b(date|timestamp|timestamp_ntz|timestamp_ltz)\\s*(['\"])(.*?)\\2");

  private ClockTexts() {}

  /** Whether Spark takes a text for a time of the day on which it runs. */
  public static boolean isTimeOfDay(UTF8String text) {
    return maybeTimeOfDay(text)
        && DateTimeUtils.stringToTimestamp(text, ZoneOffset.UTC).isDefined();
  }

  /** Tells most other texts apart by their first few characters. */
  private static boolean maybeTimeOfDay(UTF8String text) {
    int bytes = text.numBytes();
    int at = 0;
    while (at < bytes && byteOf(text, at) >= 0 && byteOf(text, at) <= ' ') {
      at++;
    }
    if (at < bytes && byteOf(text, at) == 'T') {
      return true;
    }
    int digits = at;
    while (digits < bytes && byteOf(text, digits) >= '0' && byteOf(text, digits) <= '9') {
      digits++;
    }
    return digits > at && digits < bytes && byteOf(text, digits) == ':';
  }

  private static byte byteOf(UTF8String text, int index) {
    return Platform.getByte(text.getBaseObject(), text.getBaseOffset() + index);
  }

  /** Whether a constant is a moment of the clock, as a date or timestamp of the type. */
  public static boolean isOfClock(UTF8String constant, DataType type) {
    return WORD.matcher(constant.toString()).matches()
        || (type.equals(DataTypes.TimestampType) && isTimeOfDay(constant));
  }

  /** The first literal of SQL, such as {@code DATE 'today'}, that is a moment of the clock. */
  public static Optional<String> literal(String sql) {
    Matcher literal = LITERAL.matcher(sql);
    while (literal.find()) {
      UTF8String text = UTF8String.fromString(literal.group(3));
      boolean isMoment = literal.group(1).toLowerCase(Locale.ROOT).matches("timestamp(_ltz)?");
      if (isOfClock(text, isMoment ? DataTypes.TimestampType : DataTypes.DateType)) {
        return Optional.of(literal.group(3).strip());
      }
    }
    return Optional.empty();
  }

  /** The first constant in a resolved expression that Spark makes a moment of the clock of. */
  public static Optional<String> constant(Expression expression) {
    return cast(expression)
        .or(
            () ->
                JavaConverters.seqAsJavaList(expression.children()).stream()
                    .flatMap(child -> constant(child).stream())
                    .findFirst());
  }

  /** The constant that an expression itself makes a moment of the clock of, and no child of it. */
  public static Optional<String> cast(Expression expression) {
    if (expression instanceof RuntimeReplaceable function) {
      return constant(function.replacement());
    }
    if (!(expression instanceof Cast cast)
        || !(cast.dataType() instanceof DatetimeType)
        || !cast.child().dataType().equals(DataTypes.StringType)
        || !cast.child().foldable()) {
      return Optional.empty();
    }
    try {
      return Optional.ofNullable(cast.child().eval(null))
          .map(UTF8String.class::cast)
          .filter(text -> isOfClock(text, cast.dataType()))
          .map(UTF8String::toString);
    } catch (Exception e) { // Scala does not declare what it throws
      // What can't be computed yet is looked at when it is.
      return Optional.empty();
    }
  }
}
