package dev.tarn.etl.definition;

import com.google.protobuf.Value;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import dev.tarn.cli.Hocon;
import dev.tarn.row.Values;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Optional;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.TimestampType;

/**
 * Reads a feature's default as a value of the feature's type, in the form in which such values are
 * answered.
 */
final class DefaultValues {

  private DefaultValues() {}

  /** Whether features of the type can have a default at all. */
  static boolean isPossible(DataType type) {
    return type instanceof BooleanType
        || type instanceof StringType
        || type instanceof IntegerType
        || type instanceof LongType
        || type instanceof FloatType
        || type instanceof DoubleType
        || type instanceof DecimalType
        || type instanceof DateType
        || type instanceof TimestampType;
  }

  /** Reads a value; empty if it is not of the type, or if the type can have no default. */
  static Optional<Value> of(ConfigValue value, DataType type) {
    Object unwrapped = value.unwrapped();
    String given = Hocon.text(value);
    try {
      if (type instanceof BooleanType) {
        return unwrapped instanceof Boolean bool
            ? Optional.of(Values.ofBoolean(bool))
            : Optional.empty();
      }
      if (type instanceof StringType) {
        return unwrapped instanceof String text
            ? Optional.of(Values.ofString(text))
            : Optional.empty();
      }
      if (type instanceof NumericType) {
        return number(given, type);
      }
      if (type instanceof DateType) {
        return Optional.of(Values.ofDate(LocalDate.parse(given).toEpochDay()));
      }
      if (type instanceof TimestampType) {
        return Optional.of(Values.ofTimestamp(Values.micros(Instant.parse(given))));
      }
      return Optional.empty();
    } catch (ArithmeticException | IllegalArgumentException | java.time.DateTimeException e) {
      return Optional.empty();
    }
  }

  /** Reads a number as a value of a numeric type; empty if it is none, or does not fit. */
  static Optional<Value> number(String given, DataType type) {
    try {
      if (type instanceof IntegerType) {
        return Optional.of(Values.ofLong(new BigDecimal(given).intValueExact()));
      }
      if (type instanceof LongType) {
        return Optional.of(Values.ofLong(new BigDecimal(given).longValueExact()));
      }
      if (type instanceof FloatType) {
        float number = Float.parseFloat(given);
        return Optional.of(Values.ofDouble(number)).filter(v -> isExpected(number, given));
      }
      if (type instanceof DoubleType) {
        double number = Double.parseDouble(given);
        return Optional.of(Values.ofDouble(number)).filter(v -> isExpected(number, given));
      }
      if (type instanceof DecimalType decimal) {
        BigDecimal scaled = new BigDecimal(given).setScale(decimal.scale());
        return Optional.of(scaled)
            .filter(number -> number.precision() <= decimal.precision())
            .map(Values::ofDecimal);
      }
      return Optional.empty();
    } catch (ArithmeticException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  /** What to write in place of a value that is not of the type, where that is known. */
  static String remedy(ConfigValue value, DataType type) {
    return type instanceof StringType && value.valueType() != ConfigValueType.OBJECT
        ? "; write it in quotes: \"%s\"".formatted(Hocon.text(value))
        : "";
  }

  /**
   * Whether the number is what was written: one that is too large for its type becomes infinite,
   * and one that is too small becomes 0.
   */
  private static boolean isExpected(double number, String given) {
    if (number == 0) {
      return new BigDecimal(given).signum() == 0;
    }
    return !Double.isInfinite(number) || given.endsWith("Infinity");
  }
}
