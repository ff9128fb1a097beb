package dev.tarn.etl.definition;

import com.google.protobuf.Value;
import com.typesafe.config.ConfigValue;
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
    Object given = value.unwrapped();
    try {
      if (type instanceof BooleanType) {
        return given instanceof Boolean bool
            ? Optional.of(Values.ofBoolean(bool))
            : Optional.empty();
      }
      if (type instanceof StringType) {
        return given instanceof String text ? Optional.of(Values.ofString(text)) : Optional.empty();
      }
      if (type instanceof IntegerType) {
        return Optional.of(Values.ofLong(new BigDecimal(given.toString()).intValueExact()));
      }
      if (type instanceof LongType) {
        return Optional.of(Values.ofLong(new BigDecimal(given.toString()).longValueExact()));
      }
      if (type instanceof FloatType) {
        float number = Float.parseFloat(given.toString());
        return Optional.of(Values.ofDouble(number)).filter(v -> isExpected(number, given));
      }
      if (type instanceof DoubleType) {
        double number = Double.parseDouble(given.toString());
        return Optional.of(Values.ofDouble(number)).filter(v -> isExpected(number, given));
      }
      if (type instanceof DecimalType decimal) {
        BigDecimal scaled = new BigDecimal(given.toString()).setScale(decimal.scale());
        return Optional.of(scaled)
            .filter(number -> number.precision() <= decimal.precision())
            .map(Values::ofDecimal);
      }
      if (type instanceof DateType) {
        return Optional.of(Values.ofDate(LocalDate.parse(given.toString()).toEpochDay()));
      }
      if (type instanceof TimestampType) {
        return Optional.of(Values.ofTimestamp(Values.micros(Instant.parse(given.toString()))));
      }
      return Optional.empty();
    } catch (ArithmeticException | IllegalArgumentException | java.time.DateTimeException e) {
      return Optional.empty();
    }
  }

  /**
   * Whether the number is finite or was written as infinite: one that is too large for its type
   * becomes infinite.
   */
  private static boolean isExpected(double number, Object given) {
    return !Double.isInfinite(number) || given.toString().endsWith("Infinity");
  }
}
