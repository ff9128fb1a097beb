package dev.tarn.etl.input;

import dev.tarn.etl.definition.Epoch;
import java.io.Serializable;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Pattern;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads the texts of one column as values of its type, in the form in which Spark holds them. This
 * is the one place that says what a text means. It never guesses: what is no value of the type is
 * refused.
 */
public final class TextColumn implements Serializable {
  private static final long serialVersionUID = 1L;

  /** The beginning of a number that has a digit other than 0 before its exponent. */
  private static final Pattern NOT_ZERO = Pattern.compile("[^eE]*[1-9]");

  private static final Pattern NO_NUMBER = Pattern.compile("[+-]?(nan|inf|infinity)");

  private static final int MOST_DIGITS = 40;
  private static final int MOST_EXPONENT_DIGITS = 9;

  /** Beyond these a BigDecimal of a few digits could take all memory. */
  private static final int MOST_SCALE = 400;

  private enum Kind {
    STRING,
    BOOLEAN,
    BYTE,
    SHORT,
    INT,
    LONG,
    FLOAT,
    DOUBLE,
    DECIMAL,
    BINARY,
    DATE,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    NONE
  }

  private final String name;
  private final DataType type;
  private final Kind kind;
  private final TextFormats formats;
  private final TextMoments.Zone zone;

  /** Whether all moments must be numbers, or none, once there is a first one. */
  private final boolean isOfFile;

  /** The first moment that was read; null before. */
  private String firstMoment;

  private TextColumn(
      String name, DataType type, TextFormats formats, TextMoments.Zone zone, boolean isOfFile) {
    this.name = name;
    this.type = type;
    this.kind = kind(type);
    this.formats = formats;
    this.zone = kind == Kind.TIMESTAMP_NTZ ? TextMoments.Zone.NONE : zone;
    this.isOfFile = isOfFile;
  }

  /** A column whose timestamps are UTC where they don't name a zone. */
  public static TextColumn of(String name, DataType type, TextFormats formats) {
    return new TextColumn(name, type, formats, TextMoments.Zone.OPTIONAL, false);
  }

  /**
   * A column of one file, or of a part of it: where numbers count time since 1970, all of its
   * timestamps are numbers or none, since 20260105 among days would be a moment of 1970.
   */
  static TextColumn ofFile(String name, DataType type, TextFormats formats) {
    return new TextColumn(name, type, formats, TextMoments.Zone.OPTIONAL, true);
  }

  /** A column whose timestamps must each name their zone. */
  static TextColumn zoned(String name, DataType type, TextFormats formats) {
    return new TextColumn(name, type, formats, TextMoments.Zone.REQUIRED, true);
  }

  /** Whether values of this type can be read from a text. */
  public static boolean reads(DataType type) {
    return kind(type) != Kind.NONE;
  }

  public String name() {
    return name;
  }

  boolean isString() {
    return kind == Kind.STRING;
  }

  /**
   * Reads a text.
   *
   * @throws InputException if it is no value of the type; the message names column and text
   */
  public Object value(String text) {
    try {
      return read(text);
    } catch (NoValueException e) {
      throw refused(text, e);
    }
  }

  InputException refused(String text, NoValueException e) {
    String shown = text.length() > 100 ? text.substring(0, 100) + "…" : text;
    return new InputException(
        "'%s' has the text '%s', which %s".formatted(name, shown, e.getMessage()));
  }

  private Object read(String text) {
    return switch (kind) {
      case STRING -> string(text);
      case BINARY -> text.getBytes(StandardCharsets.UTF_8);
      case BOOLEAN -> bool(text);
      case BYTE -> (byte) integer(text, Byte.MIN_VALUE, Byte.MAX_VALUE);
      case SHORT -> (short) integer(text, Short.MIN_VALUE, Short.MAX_VALUE);
      case INT -> (int) integer(text, Integer.MIN_VALUE, Integer.MAX_VALUE);
      case LONG -> integer(text, Long.MIN_VALUE, Long.MAX_VALUE);
      case FLOAT -> floating(text, true).floatValue();
      case DOUBLE -> floating(text, false);
      case DECIMAL -> decimal(text);
      case DATE -> formats.days(text);
      case TIMESTAMP -> moment(text);
      case TIMESTAMP_NTZ -> formats.micros(text, zone);
      case NONE -> throw new NoValueException("can't be read as " + type.simpleString());
    };
  }

  private static UTF8String string(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        int codePoint = text.codePointAt(i);
        if (!Character.isSupplementaryCodePoint(codePoint)) {
          throw new NoValueException("has half of a character (an unpaired surrogate)");
        }
        i++;
      }
    }
    return UTF8String.fromString(text);
  }

  /**
   * Whether a text is {@code [+-]?[0-9]{1,40}}; a regular expression takes several times as long.
   */
  private static boolean isInteger(String text) {
    int from = afterSign(text, 0);
    int digits = text.length() - from;
    return digits > 0 && digits <= MOST_DIGITS && afterDigits(text, from) == text.length();
  }

  /** Whether a text is {@code [+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?}. */
  private static boolean isNumber(String text) {
    int from = afterSign(text, 0);
    int at = afterDigits(text, from);
    int digits = at - from;
    if (at < text.length() && text.charAt(at) == '.') {
      int end = afterDigits(text, at + 1);
      digits += end - at - 1;
      at = end;
    }
    if (digits > 0 && at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
      int exponent = afterSign(text, at + 1);
      at = afterDigits(text, exponent);
      digits = at - exponent > MOST_EXPONENT_DIGITS ? 0 : at - exponent;
    }
    return digits > 0 && at == text.length();
  }

  private static int afterSign(String text, int at) {
    return at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-') ? at + 1 : at;
  }

  private static int afterDigits(String text, int from) {
    int at = from;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    return at;
  }

  private static boolean bool(String text) {
    if (text.equalsIgnoreCase("true")) {
      return true;
    }
    if (text.equalsIgnoreCase("false")) {
      return false;
    }
    throw new NoValueException("is neither true nor false");
  }

  private long integer(String text, long least, long most) {
    if (!isInteger(text)) {
      throw new NoValueException("is no " + type.simpleString());
    }
    try {
      long value = Long.parseLong(text);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // It is beyond a long, as said below.
    }
    throw new NoValueException("is beyond " + type.simpleString());
  }

  private Double floating(String text, boolean isFloat) {
    if (!isNumber(text)) {
      String lower = text.toLowerCase(Locale.ROOT);
      if (!NO_NUMBER.matcher(lower).matches()) {
        throw new NoValueException("is no " + type.simpleString());
      }
      if (lower.endsWith("nan")) {
        return Double.NaN;
      }
      return lower.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }
    // Once to the type itself: by way of a double, a float could be rounded twice.
    double value = isFloat ? Float.parseFloat(text) : Double.parseDouble(text);
    if (Double.isInfinite(value)) {
      throw new NoValueException("is beyond " + type.simpleString());
    }
    if (value == 0 && NOT_ZERO.matcher(text).lookingAt()) {
      throw new NoValueException(
          "is too close to zero for %s, which would make 0 of it".formatted(type.simpleString()));
    }
    return value;
  }

  private Decimal decimal(String text) {
    DecimalType decimal = (DecimalType) type;
    BigDecimal number = number(text);
    BigDecimal exact = number.signum() == 0 ? BigDecimal.ZERO : number.stripTrailingZeros();
    if (exact.scale() > decimal.scale()) {
      throw new NoValueException(
          "has more digits than %s after its point: declare as many as the files have"
              .formatted(type.simpleString()));
    }
    if (exact.precision() - exact.scale() > decimal.precision() - decimal.scale()) {
      throw new NoValueException("is beyond " + type.simpleString());
    }
    return Decimal.apply(exact.setScale(decimal.scale()), decimal.precision(), decimal.scale());
  }

  private BigDecimal number(String text) {
    if (!isNumber(text)) {
      throw new NoValueException("is no " + type.simpleString());
    }
    BigDecimal number = new BigDecimal(text);
    if (Math.abs((long) number.scale()) > MOST_SCALE) {
      throw new NoValueException("is beyond " + type.simpleString());
    }
    return number;
  }

  private long moment(String text) {
    if (!formats.hasEpoch()) {
      return formats.micros(text, zone);
    }
    boolean isNumber = isNumber(text);
    if (firstMoment != null && isNumber(firstMoment) != isNumber) {
      throw new NoValueException(
          "is %s, and the file had %s before: which one does the column have?"
              .formatted(isNumber ? "a number" : "no number", firstMoment));
    }
    long moment = isNumber ? counted(text) : formats.micros(text, zone);
    if (isOfFile && firstMoment == null) {
      firstMoment = text;
    }
    return moment;
  }

  private long counted(String text) {
    Epoch epoch = formats.epoch();
    BigDecimal micros = epoch.micros(number(text));
    try {
      return TextMoments.inRange(micros.longValueExact());
    } catch (NoValueException | ArithmeticException e) {
      throw beyond(epoch);
    }
  }

  private static NoValueException beyond(Epoch epoch) {
    return new NoValueException(
        "is outside the years 0001 to 9999 as %s since 1970: the source's epoch is another one"
            .formatted(epoch.name().toLowerCase(Locale.ROOT)));
  }

  private static Kind kind(DataType type) {
    if (type instanceof DecimalType) {
      return Kind.DECIMAL;
    }
    if (type.equals(DataTypes.StringType)) {
      return Kind.STRING;
    }
    if (type.equals(DataTypes.LongType)) {
      return Kind.LONG;
    }
    if (type.equals(DataTypes.IntegerType)) {
      return Kind.INT;
    }
    if (type.equals(DataTypes.DoubleType)) {
      return Kind.DOUBLE;
    }
    if (type.equals(DataTypes.TimestampType)) {
      return Kind.TIMESTAMP;
    }
    if (type.equals(DataTypes.DateType)) {
      return Kind.DATE;
    }
    if (type.equals(DataTypes.BooleanType)) {
      return Kind.BOOLEAN;
    }
    if (type.equals(DataTypes.FloatType)) {
      return Kind.FLOAT;
    }
    if (type.equals(DataTypes.TimestampNTZType)) {
      return Kind.TIMESTAMP_NTZ;
    }
    if (type.equals(DataTypes.BinaryType)) {
      return Kind.BINARY;
    }
    if (type.equals(DataTypes.ShortType)) {
      return Kind.SHORT;
    }
    return type.equals(DataTypes.ByteType) ? Kind.BYTE : Kind.NONE;
  }
}
