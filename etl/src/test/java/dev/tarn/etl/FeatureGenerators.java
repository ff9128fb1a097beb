package dev.tarn.etl;

import com.holdenkarau.spark.testing.Column;
import com.holdenkarau.spark.testing.ColumnGenerator;
import com.holdenkarau.spark.testing.DataframeGenerator;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Date;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampType;
import org.scalacheck.Gen;
import org.scalacheck.rng.Seed;
import scala.Option;
import scala.collection.JavaConverters;

/**
 * Random schemas of all types that a feature may have, and generators of their rows in which the
 * values that are easily got wrong come up every few rows.
 */
final class FeatureGenerators {

  /** Columns of this prefix get the values that spark-testing-base makes up by itself. */
  private static final String PLAIN = "plain_";

  /** ScalaCheck's own defaults stand behind a name that Java can't write. */
  private static final Gen.Parameters SIZED =
      new Gen.Parameters() {
        private static final long serialVersionUID = 1L;

        @Override
        public int size() {
          return 20;
        }

        @Override
        public Option<Seed> initialSeed() {
          return Option.empty();
        }
      };

  /**
   * Types for which spark-testing-base has generators of its own. It has one of decimals, too, but
   * most of those have more digits than their type, which Spark turns into null.
   */
  private static final List<DataType> PLAIN_TYPES =
      List.of(
          DataTypes.BooleanType,
          DataTypes.IntegerType,
          DataTypes.LongType,
          DataTypes.FloatType,
          DataTypes.DoubleType,
          DataTypes.StringType,
          DataTypes.BinaryType,
          DataTypes.DateType,
          DataTypes.TimestampType,
          DataTypes.createArrayType(DataTypes.LongType),
          new StructType().add("a", DataTypes.StringType).add("b", DataTypes.DoubleType));

  private static final List<DataType> BASIC =
      List.of(
          DataTypes.BooleanType,
          DataTypes.IntegerType,
          DataTypes.LongType,
          DataTypes.FloatType,
          DataTypes.DoubleType,
          DataTypes.StringType,
          DataTypes.BinaryType,
          DataTypes.DateType,
          DataTypes.TimestampType,
          DataTypes.TimestampNTZType,
          DataTypes.createDecimalType(1, 0),
          DataTypes.createDecimalType(9, 2),
          DataTypes.createDecimalType(18, 18),
          DataTypes.createDecimalType(19, 0),
          DataTypes.createDecimalType(38, 0),
          DataTypes.createDecimalType(38, 18),
          DataTypes.createDecimalType(38, 38));

  private static final int HUGE = 100_000;

  static final List<String> TEXTS =
      List.of(
          "",
          " ",
          "a",
          "|",
          "\\",
          "a\\|b",
          "{tarn}:x:1",
          "line\nbreak\r\n\t",
          "\u0000",
          "\u0001",
          "\u001b[0m",
          "\u007f",
          "\u0085",
          "\u2028",
          "\uFEFF",
          "\uFFFF",
          "\uD7FF\uE000",
          "\u00E9",
          "e\u0301",
          "\u202Eabc",
          "日本語",
          "🏔",
          "👩‍👩‍👧",
          "\uDBFF\uDFFF",
          "NaN",
          "null",
          "true",
          "0",
          "1e400",
          "'\"%`$");

  /** Names of a struct's fields, which unlike features may have any. */
  private static final List<String> FIELD_NAMES =
      List.of(
          "x",
          "City",
          "null",
          "select",
          "key",
          "element",
          "list",
          "array",
          "event_timestamp",
          "0",
          "a b",
          "a.b",
          "a-b",
          "größe",
          "日本",
          "🏔",
          "a,b",
          "a:b",
          "<a>",
          "a`b",
          "a'b",
          "a\"b",
          "a\\b",
          "a/b",
          "%41",
          "_x41");

  private FeatureGenerators() {}

  /** A column of each type that has no other type within, and of a few that do. */
  static StructType schemaOfAllTypes() {
    StructType schema = new StructType();
    for (DataType type : BASIC) {
      schema = schema.add("f" + schema.size(), type);
      if (schema.size() % 2 == 0) {
        schema = schema.add("f" + schema.size(), DataTypes.createArrayType(type));
      } else {
        StructType struct = new StructType().add("x", type).add("y", type);
        schema = schema.add("f" + schema.size(), struct);
      }
    }
    // As deep as a definition may nest.
    DataType deep = DataTypes.LongType;
    for (int depth = 0; depth < 16; depth++) {
      deep =
          depth % 2 == 0
              ? new StructType().add("d" + depth, deep)
              : DataTypes.createArrayType(deep);
    }
    return schema.add("deepest", deep);
  }

  /** Some columns of random types, up to five deep, and some of the plain ones. */
  static StructType randomSchema(Random random) {
    StructType schema = new StructType();
    int columns = 1 + random.nextInt(20);
    for (int i = 0; i < columns; i++) {
      schema = schema.add("f" + i, randomType(random, 5));
    }
    int plain = random.nextInt(5);
    for (int i = 0; i < plain; i++) {
      schema = schema.add(PLAIN + i, PLAIN_TYPES.get(random.nextInt(PLAIN_TYPES.size())));
    }
    return schema;
  }

  /** Rows of a schema, with java.time's times. */
  static List<Row> rows(Random random, StructType schema, int count) {
    Gen<Object> seeds =
        Gen.choose(
            (Object) Long.MIN_VALUE, (Object) Long.MAX_VALUE, Gen.Choose$.MODULE$.chooseLong());
    List<ColumnGenerator> columns = new ArrayList<>();
    for (StructField field : schema.fields()) {
      if (!field.name().startsWith(PLAIN)) {
        Gen<Object> values =
            seeds.map(seed -> value(new Random((Long) seed), field.dataType(), true));
        columns.add(new Column(field.name(), () -> values));
      }
    }
    Gen<Row> generator =
        DataframeGenerator.getRowGenerator(schema, JavaConverters.asScalaBuffer(columns).toSeq());
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      rows.add(withJavaTime(generator.pureApply(SIZED, Seed.apply(random.nextLong()), 100)));
    }
    return rows;
  }

  static DataType randomType(Random random, int depth) {
    int kind = random.nextInt(BASIC.size() + (depth > 0 ? 10 : 1));
    if (kind < BASIC.size()) {
      return BASIC.get(kind);
    }
    if (kind == BASIC.size()) {
      int precision = 1 + random.nextInt(38);
      return DataTypes.createDecimalType(precision, random.nextInt(precision + 1));
    }
    if (kind <= BASIC.size() + 4) {
      return DataTypes.createArrayType(randomType(random, depth - 1));
    }
    List<String> names = new ArrayList<>(FIELD_NAMES);
    Collections.shuffle(names, random);
    StructType struct = new StructType();
    int count = 1 + random.nextInt(random.nextInt(4) == 0 ? 12 : 3);
    for (int i = 0; i < count; i++) {
      struct = struct.add(names.get(i), randomType(random, depth - 1));
    }
    return struct;
  }

  /** A text for a key or a value; never one that UTF-8 can't say. */
  static String randomText(Random random) {
    StringBuilder text = new StringBuilder();
    int pieces = random.nextInt(6);
    for (int i = 0; i < pieces; i++) {
      if (random.nextInt(3) == 0) {
        int codePoint = random.nextInt(random.nextBoolean() ? 0x3000 : Character.MAX_CODE_POINT);
        // Half of a surrogate pair is no text.
        text.appendCodePoint(codePoint >= 0xD800 && codePoint < 0xE000 ? 0x20 : codePoint);
      } else {
        text.append(oneOf(random, TEXTS));
      }
    }
    return text.toString();
  }

  /** A value for {@code RowFactory}; arrays are {@code Object[]}, structs rows. */
  private static Object value(Random random, DataType type, boolean isTop) {
    if (random.nextInt(7) == 0) {
      return null;
    }
    boolean isHuge = isTop && random.nextInt(120) == 0;
    if (type instanceof BooleanType) {
      return random.nextBoolean();
    }
    if (type instanceof IntegerType) {
      return oneOf(
          random, List.of(0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, 1 << 24, random.nextInt()));
    }
    if (type instanceof LongType) {
      long edge = 1L << 53;
      return oneOf(
          random,
          List.of(
              0L,
              edge,
              edge - 1,
              edge + 1,
              -edge,
              -edge - 1,
              1L << 32,
              Long.MIN_VALUE,
              Long.MAX_VALUE,
              random.nextLong(),
              random.nextLong() >> random.nextInt(64)));
    }
    if (type instanceof FloatType) {
      return oneOf(
          random,
          List.of(
              0f,
              -0f,
              Float.NaN,
              Float.POSITIVE_INFINITY,
              Float.NEGATIVE_INFINITY,
              Float.MIN_VALUE,
              Float.MIN_NORMAL,
              Float.MAX_VALUE,
              -Float.MAX_VALUE,
              0.1f,
              number(Float.intBitsToFloat(random.nextInt()))));
    }
    if (type instanceof DoubleType) {
      return oneOf(
          random,
          List.of(
              0.0,
              -0.0,
              Double.NaN,
              Double.POSITIVE_INFINITY,
              Double.NEGATIVE_INFINITY,
              Double.MIN_VALUE,
              Double.MIN_NORMAL,
              Double.MAX_VALUE,
              -Double.MAX_VALUE,
              0.1 + 0.2,
              0x1p53 + 2,
              number(Double.longBitsToDouble(random.nextLong()))));
    }
    if (type instanceof DecimalType decimal) {
      return decimal(random, decimal);
    }
    if (type instanceof StringType) {
      if (isHuge) {
        String piece = oneOf(random, TEXTS) + "x";
        return piece.repeat(HUGE / piece.length());
      }
      return randomText(random);
    }
    if (type instanceof BinaryType) {
      byte[] bytes = new byte[isHuge ? HUGE + random.nextInt(3) : random.nextInt(4) * 5];
      random.nextBytes(bytes);
      return bytes;
    }
    if (type instanceof DateType) {
      return oneOf(
          random,
          List.of(
              LocalDate.EPOCH,
              LocalDate.of(1969, 12, 31),
              LocalDate.of(1900, 2, 28),
              LocalDate.of(1582, 10, 15),
              LocalDate.of(1582, 10, 10),
              LocalDate.of(1582, 10, 4),
              LocalDate.of(1, 1, 1),
              LocalDate.of(9999, 12, 31),
              LocalDate.of(2000, 2, 29),
              instant(random).atOffset(ZoneOffset.UTC).toLocalDate()));
    }
    if (type instanceof TimestampType) {
      return instant(random);
    }
    if (type instanceof ArrayType array) {
      boolean isLong = isHuge && BASIC.contains(array.elementType());
      Object[] elements = new Object[isLong ? 5_000 : random.nextInt(isTop ? 9 : 4)];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = value(random, array.elementType(), false);
      }
      return elements;
    }
    if (type instanceof StructType struct) {
      Object[] values = new Object[struct.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = value(random, struct.apply(i).dataType(), false);
      }
      return RowFactory.create(values);
    }
    if (type.equals(DataTypes.TimestampNTZType)) {
      return LocalDateTime.ofInstant(instant(random), ZoneOffset.UTC);
    }
    throw new IllegalArgumentException("no generator for " + type);
  }

  private static BigDecimal decimal(Random random, DecimalType type) {
    BigInteger bound = BigInteger.TEN.pow(type.precision());
    BigInteger unscaled =
        oneOf(
            random,
            List.of(
                BigInteger.ZERO,
                BigInteger.ONE,
                BigInteger.ONE.negate(),
                bound.subtract(BigInteger.ONE),
                BigInteger.ONE.subtract(bound),
                BigInteger.TEN.pow(type.precision() - 1),
                BigInteger.valueOf(random.nextInt(10)),
                new BigInteger(bound.bitLength() + 8, random).mod(bound),
                new BigInteger(bound.bitLength() + 8, random).mod(bound).negate()));
    BigDecimal value = new BigDecimal(unscaled, type.scale());
    BigDecimal stripped = value.stripTrailingZeros();
    // The same number with fewer digits than its type has is answered with all of them.
    return stripped.scale() >= 0 && random.nextInt(4) == 0 ? stripped : value;
  }

  private static Instant instant(Random random) {
    long first = Instant.parse("0001-01-01T00:00:00Z").getEpochSecond();
    long last = Instant.parse("9999-12-31T23:59:59Z").getEpochSecond();
    long second = first + Math.floorMod(random.nextLong(), last - first);
    int micros = random.nextInt(1_000_000);
    return oneOf(
        random,
        List.of(
            Instant.EPOCH,
            Instant.parse("1969-12-31T23:59:59.999999Z"),
            Instant.parse("1969-12-31T23:59:59.001Z"),
            Instant.parse("1969-12-31T23:59:59.100Z"),
            Instant.parse("1899-12-31T23:59:59.000001Z"),
            Instant.parse("1582-10-10T12:00:00.5Z"),
            Instant.parse("0001-01-01T00:00:00Z"),
            Instant.parse("0001-01-01T00:00:00.000001Z"),
            Instant.parse("9999-12-31T23:59:59.999999Z"),
            Instant.parse("2026-03-29T01:30:00.000001Z"),
            Instant.ofEpochSecond(second),
            Instant.ofEpochSecond(second, micros / 1_000 * 1_000_000L),
            Instant.ofEpochSecond(second, micros * 1_000L)));
  }

  /** One NaN for all, as Java has it: which of its many bits come through is not promised. */
  private static float number(float value) {
    return Float.isNaN(value) ? Float.NaN : value;
  }

  private static double number(double value) {
    return Double.isNaN(value) ? Double.NaN : value;
  }

  /** The generator makes java.sql's times, far beyond the calendar; Tarn's sessions have others. */
  private static Row withJavaTime(Row row) {
    Object[] values = new Object[row.size()];
    for (int i = 0; i < values.length; i++) {
      Object value = row.get(i);
      if (value instanceof Timestamp timestamp) {
        long first = Instant.parse("0001-01-01T00:00:00Z").toEpochMilli();
        long end = Instant.parse("9999-12-31T23:59:59.999Z").toEpochMilli();
        value = Instant.ofEpochMilli(first + Math.floorMod(timestamp.getTime(), end - first));
      } else if (value instanceof Date date) {
        value = LocalDate.ofEpochDay(Math.floorMod(date.getTime(), 3_652_059L) - 719_162);
      } else if (value instanceof String text) {
        value = text.replaceAll("\\p{Cs}", "?");
      }
      values[i] = value;
    }
    return RowFactory.create(values);
  }

  private static <T> T oneOf(Random random, List<T> values) {
    return values.get(random.nextInt(values.size()));
  }
}
