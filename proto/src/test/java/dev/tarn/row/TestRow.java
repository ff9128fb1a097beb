package dev.tarn.row;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import com.google.protobuf.ByteString;
import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StructField;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** {@link RowWriter} and {@link RowReader}: what the one writes the other gives back. */
class TestRow {

  private static final long AS_OF = 1_767_225_600_000_000L;

  private static final FeatureType BOOLEAN = of(Kind.KIND_BOOLEAN);
  private static final FeatureType INT = of(Kind.KIND_INT);
  private static final FeatureType BIGINT = of(Kind.KIND_BIGINT);
  private static final FeatureType FLOAT = of(Kind.KIND_FLOAT);
  private static final FeatureType DOUBLE = of(Kind.KIND_DOUBLE);
  private static final FeatureType STRING = of(Kind.KIND_STRING);
  private static final FeatureType BINARY = of(Kind.KIND_BINARY);
  private static final FeatureType DATE = of(Kind.KIND_DATE);
  private static final FeatureType TIMESTAMP = of(Kind.KIND_TIMESTAMP);
  private static final FeatureType TIMESTAMP_NTZ = of(Kind.KIND_TIMESTAMP_NTZ);

  @Test
  void booleansAndIntegersReadBack() throws Exception {
    assertThat(one(BOOLEAN, w -> w.putBoolean(true))).isEqualTo(Values.ofBoolean(true));
    assertThat(one(BOOLEAN, w -> w.putBoolean(false))).isEqualTo(Values.ofBoolean(false));
    for (int value : new int[] {0, 1, -1, 63, -64, 64, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      assertThat(one(INT, w -> w.putLong(value)).getNumberValue()).isEqualTo(value);
    }
  }

  @Test
  void longsBeyond2To53ReadBackAsText() throws Exception {
    long limit = 1L << 53;
    for (long value : new long[] {0, -1, limit - 1, limit, -limit}) {
      assertThat(one(BIGINT, w -> w.putLong(value)).getNumberValue()).isEqualTo((double) value);
    }
    for (long value : new long[] {limit + 1, -limit - 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
      assertThat(one(BIGINT, w -> w.putLong(value)).getStringValue())
          .isEqualTo(Long.toString(value));
    }
  }

  @Test
  void doublesReadBackBitForBit() throws Exception {
    double payload = Double.longBitsToDouble(0x7ff8_0000_dead_beefL);
    double[] values = {
      0.0,
      -0.0,
      0.1,
      Double.MIN_VALUE,
      -Double.MAX_VALUE,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      Double.NaN,
      payload
    };
    for (double value : values) {
      assertThat(Double.doubleToRawLongBits(one(DOUBLE, w -> w.putDouble(value)).getNumberValue()))
          .isEqualTo(Double.doubleToRawLongBits(value));
    }
  }

  @Test
  void floatsReadBackExactlyAsDoubles() throws Exception {
    float[] values = {
      0.0f,
      -0.0f,
      0.1f,
      Float.MIN_VALUE,
      -Float.MAX_VALUE,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY
    };
    for (float value : values) {
      double read = one(FLOAT, w -> w.putFloat(value)).getNumberValue();
      assertThat(Double.doubleToRawLongBits(read))
          .isEqualTo(Double.doubleToRawLongBits((double) value));
    }
    float payload = Float.intBitsToFloat(0x7fc0_1234);
    assertThat(one(FLOAT, w -> w.putFloat(payload)).getNumberValue()).isNaN();
  }

  @Test
  void textsReadBackWhateverTheirLength() throws Exception {
    for (String text :
        List.of(
            "",
            " ",
            "\0",
            "Zoë",
            "👩‍👩‍👧‍👦 and 🇪🇺",
            "x".repeat(127),
            "x".repeat(128),
            "é".repeat(1_000_000))) {
      assertThat(one(STRING, w -> w.putBytes(utf8(text))).getStringValue()).isEqualTo(text);
    }
  }

  @Test
  void binaryReadsBackAsBase64() throws Exception {
    assertThat(one(BINARY, w -> w.putBytes(new byte[0])).getStringValue()).isEmpty();
    assertThat(one(BINARY, w -> w.putBytes(new byte[] {0, -1, 127, -128})).getStringValue())
        .isEqualTo("AP9/gA==");
  }

  @Test
  void decimalsReadBackWithTheirScale() throws Exception {
    for (String text : List.of("0.00", "-0.01", "99999999.99", "-99999999.99", "1.10")) {
      assertThat(decimal(text, 10, 2)).isEqualTo(text);
    }
    String nines = "9".repeat(18);
    assertThat(decimal(nines, 18, 0)).isEqualTo(nines);
    assertThat(decimal("-" + nines, 18, 0)).isEqualTo("-" + nines);
    assertThat(decimal("0." + nines, 18, 18)).isEqualTo("0." + nines);
  }

  @Test
  void decimalsOf38DigitsReadBack() throws Exception {
    String largest = "9".repeat(20) + "." + "9".repeat(18);
    for (String text :
        List.of(
            "0.000000000000000000",
            "0.000000000000000001",
            "-0.000000000000000001",
            largest,
            "-" + largest)) {
      assertThat(decimal(text, 38, 18)).isEqualTo(text);
    }
    assertThat(decimal("-1", 19, 0)).isEqualTo("-1");
    assertThat(decimal("9".repeat(38), 38, 0)).isEqualTo("9".repeat(38));
  }

  @Test
  void datesReadBackFromYear1To9999() throws Exception {
    for (String date :
        List.of(
            "0001-01-01", "1582-10-10", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31")) {
      long days = LocalDate.parse(date).toEpochDay();
      assertThat(one(DATE, w -> w.putLong(days)).getStringValue()).isEqualTo(date);
    }
  }

  @Test
  void timestampsReadBackToTheMicrosecond() throws Exception {
    for (String time :
        List.of(
            "0001-01-01T00:00:00Z",
            "1582-10-10T12:00:00.000001Z",
            "1969-12-31T23:59:59.999999Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "2026-11-20T06:07:08.090Z",
            "2026-11-20T06:07:08.000100Z",
            "9999-12-31T23:59:59.999999Z")) {
      long micros = Values.micros(Instant.parse(time));
      assertThat(one(TIMESTAMP, w -> w.putLong(micros)).getStringValue()).isEqualTo(time);
      assertThat(one(TIMESTAMP_NTZ, w -> w.putLong(micros)).getStringValue() + "Z").isEqualTo(time);
    }
  }

  @Test
  void arraysReadBackWithTheirNullsAndDepth() throws Exception {
    FeatureType type = array(array(BIGINT));
    // [[1, null], [], null]
    Value value =
        one(
            type,
            w -> {
              w.putLength(3);
              int outer = w.putNulls(3);
              w.putLength(2);
              int inner = w.putNulls(2);
              w.putLong(1);
              w.setNull(inner, 1);
              w.putLength(0);
              w.putNulls(0);
              w.setNull(outer, 2);
            });
    assertThat(value).isEqualTo(list(list(Values.ofLong(1), Values.NULL), list(), Values.NULL));
  }

  @Test
  void anArrayOfManyElementsReadsBack() throws Exception {
    int count = 10_000;
    Value value =
        one(
            array(INT),
            w -> {
              w.putLength(count);
              int nulls = w.putNulls(count);
              for (int i = 0; i < count; i++) {
                if (i % 3 == 0) {
                  w.setNull(nulls, i);
                } else {
                  w.putLong(i);
                }
              }
            });
    assertThat(value.getListValue().getValuesCount()).isEqualTo(count);
    for (int i = 0; i < count; i++) {
      assertThat(value.getListValue().getValues(i))
          .isEqualTo(i % 3 == 0 ? Values.NULL : Values.ofLong(i));
    }
  }

  @Test
  void structsReadBackWithinArraysWithinStructs() throws Exception {
    FeatureType point = struct("lat", DOUBLE, "name", STRING);
    FeatureType type = struct("points", array(point), "last", point);
    Value value =
        one(
            type,
            w -> {
              int fields = w.putNulls(2);
              w.putLength(2);
              w.putNulls(2);
              int first = w.putNulls(2);
              w.putDouble(-0.0);
              w.setNull(first, 1);
              w.putNulls(2);
              w.putDouble(Double.NaN);
              w.putBytes(utf8("ß"));
              w.setNull(fields, 1);
            });
    assertThat(value)
        .isEqualTo(
            record(
                "points",
                list(
                    record("lat", Values.ofDouble(-0.0), "name", Values.NULL),
                    record("lat", Values.ofDouble(Double.NaN), "name", Values.ofString("ß"))),
                "last",
                Values.NULL));
  }

  @Test
  void arraysReadBack64DeepAndNoDeeper() throws Exception {
    assertThat(nested(64)).isEmpty();
    assertThatThrownBy(() -> nested(65))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage("types are nested deeper than 64");
  }

  @Test
  void nullsOfEveryTypeReadBackBetweenValues() throws Exception {
    List<FeatureType> types = new ArrayList<>();
    for (FeatureType type : allTypes()) {
      types.add(type);
      types.add(BIGINT);
    }
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    int nulls = writer.putNulls(types.size());
    for (int i = 0; i < types.size(); i++) {
      if (i % 2 == 0) {
        writer.setNull(nulls, i);
      } else {
        writer.putLong(i);
      }
    }
    Value[] values = read(writer.toBytes(), types);
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isEqualTo(i % 2 == 0 ? Values.NULL : Values.ofLong(i));
    }
  }

  @Test
  void aRowOfNoFeaturesReadsBack() throws Exception {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    writer.putNulls(0);
    assertThat(read(writer.toBytes(), List.of())).isEmpty();
  }

  @Test
  void theEventTimestampReadsBackWhetherBeforeOrAfterTheAsOf() throws Exception {
    for (long time : new long[] {AS_OF, AS_OF - 1, AS_OF + 1, 0, -1, Long.MIN_VALUE / 2}) {
      RowWriter writer = new RowWriter();
      writer.start(AS_OF, time);
      assertThat(new RowReader(writer.toBytes()).readEventTimestamp(AS_OF)).isEqualTo(time);
    }
  }

  @Test
  void aReusedWriterKeepsNothingOfTheRowBefore() throws Exception {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    int nulls = writer.putNulls(2);
    writer.setNull(nulls, 0);
    writer.putBytes(new byte[1000]);
    writer.start(AS_OF, AS_OF);
    writer.putNulls(2);
    writer.putLong(1);
    writer.putLong(2);
    assertThat(read(writer.toBytes(), List.of(BIGINT, BIGINT)))
        .containsExactly(Values.ofLong(1), Values.ofLong(2));
  }

  /** Rows of this format are in Redis already: the bytes may not change under its number. */
  @Test
  void format1IsTheseBytes() {
    assertThat(RowWriter.FORMAT).isEqualTo(1);
    RowWriter writer = new RowWriter();
    writer.start(1_000_000, 999_999);
    int nulls = writer.putNulls(7);
    writer.putBoolean(true);
    writer.putLong(-65);
    writer.setNull(nulls, 2);
    writer.putFloat(1.5f);
    writer.putDouble(-2.0);
    writer.putDecimal(BigInteger.valueOf(-1), 38);
    writer.putBytes(utf8("é"));
    assertThat(HexFormat.of().formatHex(writer.toBytes()))
        .isEqualTo(
            "02" + "04" + "01" + "8101" + "0000c03f" + "00000000000000c0" + "01ff" + "02c3a9");
  }

  @Test
  void leftoverBytesAreRefused() {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    writer.putNulls(1);
    writer.putLong(5);
    byte[] row = writer.toBytes();
    assertThatThrownBy(() -> read(Arrays.copyOf(row, row.length + 2), List.of(BIGINT)))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage("bytes left after the last value: 2");
  }

  @Test
  void impossibleLengthsAreRefusedBeforeAnythingIsAllocated() {
    String huge = "ffffffff07";
    assertRefused("00" + "00" + huge, array(BIGINT), "an array of 2147483647 at byte 7");
    assertRefused("00" + "00" + huge, STRING, "the row ends at byte 7, within a value at byte 7");
    assertRefused("00" + "00" + "ffffffff0f", STRING, "a length of 4294967295 at byte 7");
    assertRefused("00" + "00" + "ffffffffffffffffff01", BINARY, "a length of -1 at byte 12");
    assertRefused("00" + "00" + "00", decimalType(38, 2), "a decimal of no bytes at byte 3");
    assertRefused(
        "00" + "00" + "ff".repeat(10) + "01", BIGINT, "a varint of over 10 bytes at byte 12");
    assertRefused("00" + "00", of(Kind.KIND_UNSPECIFIED), "unknown type KIND_UNSPECIFIED");
  }

  @Test
  void daysBeyondAnyCalendarAreRefused() {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    writer.putNulls(1);
    writer.putLong(Long.MAX_VALUE);
    assertRefused(
        HexFormat.of().formatHex(writer.toBytes()), DATE, "a date of 9223372036854775807 days");
  }

  @Test
  void valueByValueIsAsAllAtOnce() throws Exception {
    Random random = new Random(5);
    List<FeatureType> types = allTypes();
    for (int n = 0; n < 300; n++) {
      byte[] row = randomRow(random, types);
      Value[] expected = read(row, types);
      RowReader reader = new RowReader(row);
      reader.readEventTimestamp(AS_OF);
      int nulls = reader.readNulls(types.size());
      for (int i = 0; i < types.size(); i++) {
        FeatureType type = types.get(i);
        assertThat(reader.isNull(nulls, i)).isEqualTo(expected[i].hasNullValue());
        if (reader.isNull(nulls, i)) {
          continue;
        }
        switch (random.nextBoolean() ? type.getKind() : Kind.KIND_UNSPECIFIED) {
          case KIND_FLOAT, KIND_DOUBLE ->
              assertThat(reader.readNumber(type)).isEqualTo(expected[i].getNumberValue());
          case KIND_BOOLEAN ->
              assertThat(reader.readNumber(type)).isEqualTo(expected[i].getBoolValue() ? 1 : 0);
          case KIND_DECIMAL ->
              assertThat(reader.readNumber(type))
                  .isEqualTo(Double.parseDouble(expected[i].getStringValue()));
          case KIND_STRING ->
              assertThat(reader.readText(type)).isEqualTo(expected[i].getStringValue());
          case KIND_INT, KIND_BIGINT -> {
            long number = Long.parseLong(reader.readText(type));
            assertThat(Values.ofLong(number)).isEqualTo(expected[i]);
          }
          default -> reader.skipValue(type);
        }
      }
      reader.endValues();
    }
  }

  @Test
  void aRowCutOffAnywhereIsCorrupt() throws Exception {
    Random random = new Random(11);
    List<FeatureType> types = allTypes();
    for (int i = 0; i < 200; i++) {
      byte[] row = randomRow(random, types);
      read(row, types);
      for (int length = 0; length < row.length; length++) {
        try {
          read(Arrays.copyOf(row, length), types);
          fail("%d of %d bytes were enough".formatted(length, row.length));
        } catch (CorruptRowException e) {
          assertThat(e.getMessage()).isNotBlank();
        }
      }
    }
  }

  @Test
  void garbageIsCorruptOrReadsAsSomethingAndNothingElse() {
    Random random = new Random(12);
    List<FeatureType> all = allTypes();
    int corrupt = 0;
    for (int i = 0; i < 100_000; i++) {
      List<FeatureType> types =
          i % 2 == 0 ? all : List.of(all.get(random.nextInt(all.size())), BIGINT);
      byte[] row;
      if (i % 3 == 0) {
        row = new byte[random.nextInt(80)];
        random.nextBytes(row);
      } else {
        // Nearly right is what reaches the deep parts.
        row = randomRow(random, types);
        for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
          row[random.nextInt(row.length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      try {
        if (i % 4 == 0) {
          List<Object> unused = stored(row, types);
        } else {
          read(row, types);
        }
      } catch (CorruptRowException e) {
        corrupt++;
        assertThat(e.getMessage()).isNotBlank();
      } catch (RuntimeException | Error e) {
        fail("case %d: %s".formatted(i, HexFormat.of().formatHex(row)), e);
      }
    }
    assertThat(corrupt).isBetween(30_000, 99_000);
  }

  @Test
  void storedValuesAreTellingBitByBit() throws Exception {
    FeatureType point =
        FeatureType.newBuilder()
            .setKind(Kind.KIND_STRUCT)
            .addFields(StructField.newBuilder().setName("x").setType(DOUBLE))
            .build();
    List<FeatureType> types =
        List.of(
            BOOLEAN,
            INT,
            FLOAT,
            DOUBLE,
            decimalType(20, 2),
            STRING,
            BINARY,
            DATE,
            array(INT),
            point,
            TIMESTAMP);
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    int nulls = writer.putNulls(types.size());
    writer.putBoolean(true);
    writer.putLong(-5);
    writer.putFloat(-0.0f);
    writer.putDouble(Double.longBitsToDouble(0x7ff8_0000_dead_beefL));
    writer.putDecimal(BigInteger.valueOf(1050), 20);
    writer.putBytes(utf8("é"));
    writer.putBytes(new byte[] {-1});
    writer.putLong(-1);
    writer.putLength(2);
    int elements = writer.putNulls(2);
    writer.setNull(elements, 0);
    writer.putLong(7);
    writer.putNulls(1);
    writer.putDouble(-0.0);
    writer.setNull(nulls, 10);
    assertThat(stored(writer.toBytes(), types))
        .containsExactly(
            true,
            -5L,
            0xFFFF_FFFF_8000_0000L,
            0x7ff8_0000_dead_beefL,
            new BigDecimal("10.50"),
            ByteString.copyFromUtf8("é"),
            ByteString.copyFrom(new byte[] {-1}),
            -1L,
            Arrays.asList(null, 7L),
            List.of(Long.MIN_VALUE),
            null);
  }

  @Test
  void whatIsStoredAsNoWriterWritesItIsNoRow() {
    assertThatThrownBy(() -> stored(HexFormat.of().parseHex("000002"), List.of(BOOLEAN)))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage("a boolean of 2");
    assertThatThrownBy(() -> stored(HexFormat.of().parseHex("000201"), List.of(BOOLEAN)))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage("null bits beyond value 1, the last");
  }

  private static List<Object> stored(byte[] row, List<FeatureType> types)
      throws CorruptRowException {
    RowReader reader = new RowReader(row);
    long unused = reader.readEventTimestamp(AS_OF);
    return reader.readStored(types);
  }

  private static void assertRefused(String hex, FeatureType type, String message) {
    assertThatThrownBy(() -> read(HexFormat.of().parseHex(hex), List.of(type)))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage(message);
  }

  private static List<FeatureType> allTypes() {
    return List.of(
        BOOLEAN,
        INT,
        BIGINT,
        FLOAT,
        DOUBLE,
        decimalType(10, 2),
        decimalType(38, 18),
        STRING,
        BINARY,
        DATE,
        TIMESTAMP,
        TIMESTAMP_NTZ,
        array(STRING),
        array(array(DATE)),
        struct("a", BIGINT, "b", array(struct("c", DOUBLE, "d", decimalType(20, 0)))));
  }

  private static byte[] randomRow(Random random, List<FeatureType> types) {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF - random.nextInt());
    putAll(writer, random, types);
    return writer.toBytes();
  }

  private static void putAll(RowWriter writer, Random random, List<FeatureType> types) {
    int nulls = writer.putNulls(types.size());
    for (int i = 0; i < types.size(); i++) {
      if (random.nextInt(5) == 0) {
        writer.setNull(nulls, i);
      } else {
        put(writer, random, types.get(i));
      }
    }
  }

  private static void put(RowWriter writer, Random random, FeatureType type) {
    switch (type.getKind()) {
      case KIND_BOOLEAN -> writer.putBoolean(random.nextBoolean());
      case KIND_FLOAT -> writer.putFloat(Float.intBitsToFloat(random.nextInt()));
      case KIND_DOUBLE -> writer.putDouble(Double.longBitsToDouble(random.nextLong()));
      case KIND_DECIMAL -> {
        int bits = type.getPrecision() <= 18 ? 30 : 90;
        writer.putDecimal(new BigInteger(bits, random).negate(), type.getPrecision());
      }
      case KIND_STRING, KIND_BINARY -> writer.putBytes(utf8("aé😀".repeat(random.nextInt(3))));
      case KIND_ARRAY -> {
        int length = random.nextInt(4);
        writer.putLength(length);
        putAll(writer, random, java.util.Collections.nCopies(length, type.getElement()));
      }
      case KIND_STRUCT ->
          putAll(writer, random, type.getFieldsList().stream().map(StructField::getType).toList());
      default -> writer.putLong(random.nextInt());
    }
  }

  private static Value[] nested(int depth) throws CorruptRowException {
    FeatureType type = BIGINT;
    for (int i = 0; i < depth; i++) {
      type = array(type);
    }
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF);
    writer.putNulls(1);
    for (int i = 0; i < depth - 1; i++) {
      writer.putLength(1);
      writer.putNulls(1);
    }
    writer.putLength(0);
    writer.putNulls(0);
    Value[] values = read(writer.toBytes(), List.of(type));
    Value innermost = values[0];
    for (int i = 0; i < depth - 1; i++) {
      innermost = innermost.getListValue().getValues(0);
    }
    return innermost.getListValue().getValuesList().toArray(new Value[0]);
  }

  private static String decimal(String text, int precision, int scale) throws CorruptRowException {
    BigInteger unscaled = new BigDecimal(text).unscaledValue();
    return one(decimalType(precision, scale), w -> w.putDecimal(unscaled, precision))
        .getStringValue();
  }

  private static Value one(FeatureType type, Consumer<RowWriter> put) throws CorruptRowException {
    RowWriter writer = new RowWriter();
    writer.start(AS_OF, AS_OF - 1);
    writer.putNulls(1);
    put.accept(writer);
    return read(writer.toBytes(), List.of(type))[0];
  }

  private static Value[] read(byte[] row, List<FeatureType> types) throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(AS_OF);
    return RowValues.read(reader, types);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static FeatureType of(Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }

  private static FeatureType decimalType(int precision, int scale) {
    return FeatureType.newBuilder()
        .setKind(Kind.KIND_DECIMAL)
        .setPrecision(precision)
        .setScale(scale)
        .build();
  }

  private static FeatureType array(FeatureType element) {
    return FeatureType.newBuilder().setKind(Kind.KIND_ARRAY).setElement(element).build();
  }

  private static FeatureType struct(String a, FeatureType typeA, String b, FeatureType typeB) {
    return FeatureType.newBuilder()
        .setKind(Kind.KIND_STRUCT)
        .addFields(StructField.newBuilder().setName(a).setType(typeA))
        .addFields(StructField.newBuilder().setName(b).setType(typeB))
        .build();
  }

  private static Value list(Value... values) {
    return Value.newBuilder()
        .setListValue(ListValue.newBuilder().addAllValues(List.of(values)))
        .build();
  }

  private static Value record(String a, Value valueA, String b, Value valueB) {
    return Value.newBuilder()
        .setStructValue(Struct.newBuilder().putFields(a, valueA).putFields(b, valueB))
        .build();
  }
}
