package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Value;
import com.holdenkarau.spark.testing.DataframeGenerator;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.read.SparkValues;
import dev.tarn.manifest.FeatureType;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowValues;
import dev.tarn.row.Values;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Date;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.scalacheck.Gen;
import org.scalacheck.rng.Seed;
import scala.Option;

/**
 * A row that goes through Spark, the encoder and the reader answers what the same row answers by
 * way of Spark's own objects: two ways that share nothing but the last step, {@link Values}.
 */
class TestRowEncoder {

  private static final Instant AS_OF = Instant.parse("2026-01-02T03:04:05.678901Z");

  /** ScalaCheck's own defaults stand behind a name that Java can't write. */
  private static final Gen.Parameters SIZED =
      new Gen.Parameters() {
        private static final long serialVersionUID = 1L;

        @Override
        public int size() {
          return 30;
        }

        @Override
        public Option<Seed> initialSeed() {
          return Option.empty();
        }
      };

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
          DataTypes.TimestampNTZType);

  private static final String[] TEXTS = {
    "",
    " ",
    "a",
    "|",
    "\\",
    "a\\|b",
    ":{}[]",
    "line\nbreak\r\n",
    "\u0000",
    "\uFEFF",
    "é",
    "e\u0301",
    "日本語",
    "🏔",
    "👩‍👩‍👧",
    "\uFFFF",
    "NaN",
    "null"
  };

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void rowsOfAGeneratedDataframeAreAnsweredAsSparkHasThem(long seed) {
    StructType schema =
        new StructType()
            .add("boolean", DataTypes.BooleanType)
            .add("int", DataTypes.IntegerType)
            .add("bigint", DataTypes.LongType)
            .add("float", DataTypes.FloatType)
            .add("double", DataTypes.DoubleType)
            .add("string", DataTypes.StringType)
            .add("date", DataTypes.DateType)
            .add("timestamp", DataTypes.TimestampType)
            .add("decimal", DataTypes.createDecimalType(20, 5))
            .add("array", DataTypes.createArrayType(DataTypes.LongType))
            .add("struct", new StructType().add("a", DataTypes.StringType));
    Gen<Row> generator = DataframeGenerator.getRowGenerator(schema);
    List<Row> rows = new ArrayList<>();
    Random random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      rows.add(withJavaTime(generator.pureApply(SIZED, Seed.apply(random.nextLong()), 100)));
    }
    assertAnsweredAlike(rows, schema);
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
  void rowsOfAnySchemaAreAnsweredAsSparkHasThem(long seed) {
    Random random = new Random(seed);
    StructType schema = new StructType();
    int columns = 1 + random.nextInt(24);
    for (int i = 0; i < columns; i++) {
      schema = schema.add("f" + i, randomType(random, 4));
    }
    assertAnsweredAlike(randomRows(random, schema, 60), schema);
  }

  @ParameterizedTest
  @ValueSource(longs = {31, 32})
  void eachBasicTypeAndItsArraysAndStructsKeepTheirNastyValues(long seed) {
    Random random = new Random(seed);
    StructType schema = new StructType();
    List<DataType> types = new ArrayList<>(BASIC);
    types.add(DataTypes.createDecimalType(1, 0));
    types.add(DataTypes.createDecimalType(18, 18));
    types.add(DataTypes.createDecimalType(19, 0));
    types.add(DataTypes.createDecimalType(38, 18));
    types.add(DataTypes.createDecimalType(38, 38));
    for (DataType type : types) {
      int next = schema.size();
      StructType struct = new StructType().add("x", type).add("y", type);
      schema =
          schema
              .add("plain" + next, type)
              .add("array" + next, DataTypes.createArrayType(type))
              .add("deep" + next, DataTypes.createArrayType(DataTypes.createArrayType(type)))
              .add("struct" + next, struct)
              .add("structs" + next, DataTypes.createArrayType(struct));
    }
    assertAnsweredAlike(randomRows(random, schema, 120), schema);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 9, 63, 64, 65, 200})
  void rowsOfManyColumnsKeepWhichAreNull(int columns) {
    Random random = new Random(columns);
    StructType schema = new StructType();
    for (int i = 0; i < columns; i++) {
      schema = schema.add("f" + i, DataTypes.IntegerType);
    }
    List<Row> rows = randomRows(random, schema, 20);
    rows.add(RowFactory.create(new Object[columns]));
    assertAnsweredAlike(rows, schema);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 127, 128, 16_383, 16_384, 3_000_000})
  void hugeStringsAndArraysKeepEveryByte(int length) {
    StructType schema =
        new StructType()
            .add("text", DataTypes.StringType)
            .add("bytes", DataTypes.BinaryType)
            .add("array", DataTypes.createArrayType(DataTypes.LongType));
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    Long[] array = new Long[Math.min(length, 100_000)];
    for (int i = 0; i < array.length; i++) {
      array[i] = i % 3 == 0 ? null : (long) i * i;
    }
    assertAnsweredAlike(List.of(RowFactory.create("🏔".repeat(length / 2), bytes, array)), schema);
  }

  /** Encodes what Spark has of the rows and compares each value that is read from it. */
  private static void assertAnsweredAlike(List<Row> rows, StructType features) {
    StructType schema = features.add("event_timestamp", DataTypes.TimestampType, false);
    List<Row> complete = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      Object[] values = new Object[schema.size()];
      for (int c = 0; c < features.size(); c++) {
        values[c] = rows.get(i).get(c);
      }
      values[features.size()] = AS_OF.minusSeconds(i * 86_400L).plusNanos(i * 1_000L);
      complete.add(RowFactory.create(values));
    }
    Dataset<Row> dataset = new Workbench().spark().createDataFrame(complete, schema);
    InternalRow[] internal = dataset.queryExecution().executedPlan().executeCollect();
    List<Row> external = dataset.collectAsList();
    assertThat(internal).hasSize(rows.size());

    List<RowEncoder.Input> columns = new ArrayList<>();
    List<FeatureType> types = new ArrayList<>();
    for (int c = 0; c < features.size(); c++) {
      columns.add(new RowEncoder.Input(c, features.apply(c).dataType()));
      types.add(SparkTypes.stored(features.apply(c).dataType()).orElseThrow());
    }
    RowEncoder encoder = new RowEncoder(columns, features.size(), Values.micros(AS_OF));
    for (int i = 0; i < internal.length; i++) {
      RowReader reader = new RowReader(encoder.encode(internal[i]));
      Row row = external.get(i);
      try {
        assertThat(Values.instant(reader.readEventTimestamp(Values.micros(AS_OF))))
            .isEqualTo(row.getInstant(features.size()));
        Value[] values = RowValues.read(reader, types);
        for (int c = 0; c < values.length; c++) {
          assertThat(values[c])
              .as("row %d, column %s", i, features.apply(c))
              .isEqualTo(SparkValues.of(row.get(c)));
        }
      } catch (dev.tarn.row.CorruptRowException e) {
        throw new AssertionError("row %d of %s".formatted(i, features.simpleString()), e);
      }
    }
  }

  /** The generator makes java.sql's times; Tarn's sessions have java.time's. */
  private static Row withJavaTime(Row row) {
    Object[] values = new Object[row.size()];
    for (int i = 0; i < values.length; i++) {
      Object value = row.get(i);
      if (value instanceof Timestamp timestamp) {
        value = Instant.ofEpochMilli(timestamp.getTime());
      } else if (value instanceof Date date) {
        value = LocalDate.ofEpochDay(Math.floorMod(date.getTime(), 3_652_059L) - 719_162);
      }
      values[i] = value;
    }
    return RowFactory.create(values);
  }

  private static List<Row> randomRows(Random random, StructType schema, int count) {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      rows.add(randomRow(random, schema));
    }
    return rows;
  }

  private static Row randomRow(Random random, StructType schema) {
    Object[] values = new Object[schema.size()];
    for (int c = 0; c < values.length; c++) {
      values[c] = randomValue(random, schema.apply(c).dataType());
    }
    return RowFactory.create(values);
  }

  private static DataType randomType(Random random, int depth) {
    int kind = random.nextInt(BASIC.size() + (depth > 0 ? 5 : 1));
    if (kind < BASIC.size()) {
      return BASIC.get(kind);
    }
    if (kind == BASIC.size()) {
      int precision = 1 + random.nextInt(38);
      return DataTypes.createDecimalType(precision, random.nextInt(precision + 1));
    }
    if (kind <= BASIC.size() + 2) {
      return DataTypes.createArrayType(randomType(random, depth - 1));
    }
    List<StructField> fields = new ArrayList<>();
    int count = 1 + random.nextInt(10);
    for (int i = 0; i < count; i++) {
      fields.add(DataTypes.createStructField("x" + i, randomType(random, depth - 1), true));
    }
    return DataTypes.createStructType(fields);
  }

  private static Object randomValue(Random random, DataType type) {
    if (random.nextInt(6) == 0) {
      return null;
    }
    if (type instanceof BooleanType) {
      return random.nextBoolean();
    }
    if (type instanceof IntegerType) {
      return oneOf(random, 0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, random.nextInt());
    }
    if (type instanceof LongType) {
      long edge = 1L << 53;
      return oneOf(
          random,
          0L,
          edge,
          edge + 1,
          -edge,
          -edge - 1,
          Long.MIN_VALUE,
          Long.MAX_VALUE,
          random.nextLong(),
          random.nextLong() >> random.nextInt(64));
    }
    if (type instanceof FloatType) {
      return oneOf(
          random,
          0f,
          -0f,
          Float.NaN,
          Float.POSITIVE_INFINITY,
          Float.NEGATIVE_INFINITY,
          Float.MIN_VALUE,
          Float.MAX_VALUE,
          Float.intBitsToFloat(random.nextInt()));
    }
    if (type instanceof DoubleType) {
      return oneOf(
          random,
          0.0,
          -0.0,
          Double.NaN,
          Double.POSITIVE_INFINITY,
          Double.NEGATIVE_INFINITY,
          Double.MIN_VALUE,
          Double.MAX_VALUE,
          0.1 + 0.2,
          Double.longBitsToDouble(random.nextLong()));
    }
    if (type instanceof DecimalType decimal) {
      BigInteger bound = BigInteger.TEN.pow(decimal.precision());
      BigInteger unscaled =
          oneOf(
              random,
              BigInteger.ZERO,
              BigInteger.ONE.negate(),
              bound.subtract(BigInteger.ONE),
              BigInteger.ONE.subtract(bound),
              new BigInteger(bound.bitLength() + 8, random).mod(bound),
              new BigInteger(bound.bitLength() + 8, random).mod(bound).negate());
      return new BigDecimal(unscaled, decimal.scale());
    }
    if (type instanceof StringType) {
      return TEXTS[random.nextInt(TEXTS.length)].repeat(1 + random.nextInt(3) * 60);
    }
    if (type instanceof BinaryType) {
      byte[] bytes = new byte[random.nextInt(4) * 50];
      random.nextBytes(bytes);
      return bytes;
    }
    if (type instanceof DateType) {
      return oneOf(
          random,
          LocalDate.EPOCH,
          LocalDate.of(1969, 12, 31),
          LocalDate.of(1582, 10, 15),
          LocalDate.of(1582, 10, 4),
          LocalDate.of(1, 1, 1),
          LocalDate.of(9999, 12, 31),
          LocalDate.ofEpochDay(random.nextInt(100_000) - 50_000));
    }
    if (type instanceof TimestampType) {
      return randomInstant(random);
    }
    if (type instanceof ArrayType array) {
      Object[] elements = new Object[random.nextInt(4) == 0 ? 0 : random.nextInt(20)];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = randomValue(random, array.elementType());
      }
      return elements;
    }
    if (type instanceof StructType struct) {
      return randomRow(random, struct);
    }
    assertThat(type).isEqualTo(DataTypes.TimestampNTZType);
    return LocalDateTime.ofInstant(randomInstant(random), ZoneOffset.UTC);
  }

  private static Instant randomInstant(Random random) {
    return oneOf(
        random,
        Instant.EPOCH,
        Instant.parse("1969-12-31T23:59:59.999999Z"),
        Instant.parse("1969-12-31T23:59:59.001Z"),
        Instant.parse("0001-01-01T00:00:00Z"),
        Instant.parse("9999-12-31T23:59:59.999999Z"),
        Instant.parse("2026-03-29T01:30:00.000001Z"),
        Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000) * 1_000L));
  }

  @SafeVarargs
  private static <T> T oneOf(Random random, T... values) {
    return values[random.nextInt(values.length)];
  }
}
