package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.etl.definition.Epoch;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks what a text means. The expected values come from java.time and from the text itself. */
class TestTextColumn {

  @ParameterizedTest
  @CsvSource({
    "2026-01-05T06:00:00Z, 2026-01-05T06:00:00Z",
    "2026-01-05 06:00:00z, 2026-01-05T06:00:00Z",
    "2026-01-05t06:00Z, 2026-01-05T06:00:00Z",
    "2026-01-05 06:00:00+00, 2026-01-05T06:00:00Z",
    "2026-01-05 06:00:00+0100, 2026-01-05T05:00:00Z",
    "2026-01-05T06:00:00-03:30, 2026-01-05T09:30:00Z",
    "2026-01-05 06:00:00 +0545, 2026-01-05T00:15:00Z",
    "2026-01-05T06:00:00.1Z, 2026-01-05T06:00:00.100Z",
    "2026-01-05T06:00:00.123456789Z, 2026-01-05T06:00:00.123456Z",
    "1969-12-31T23:59:59.999999999Z, 1969-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00Z, 0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z, 9999-12-31T23:59:59.999999Z",
    "1582-10-10T00:00:00Z, 1582-10-10T00:00:00Z",
    "2024-02-29T23:59:59+00:00, 2024-02-29T23:59:59Z"
  })
  void aMomentIsReadInEveryFormOfIso(String text, Instant moment) {
    assertThat(zoned().value(text)).isEqualTo(micros(moment));
    assertThat(column(DataTypes.TimestampType).value(text)).isEqualTo(micros(moment));
  }

  @ParameterizedTest
  @CsvSource({
    "2026-01-05T06:00:00, 2026-01-05T06:00:00Z",
    "2026-01-05 06:00, 2026-01-05T06:00:00Z",
    "2026-01-05, 2026-01-05T00:00:00Z"
  })
  void aTimestampWithoutZoneIsUtcAndNoMomentOfASpine(String text, Instant moment) {
    assertThat(column(DataTypes.TimestampType).value(text)).isEqualTo(micros(moment));
    assertThat(column(DataTypes.TimestampNTZType).value(text)).isEqualTo(micros(moment));
    assertThatThrownBy(() -> zoned().value(text))
        .isInstanceOf(InputException.class)
        .hasMessage(
            "'at' has the text '%s', which is no moment with a zone; write 2026-11-20T06:00:00Z"
                .formatted(text));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "10:30 # is no timestamp; write 2026-11-20T06:00:00Z",
        "T23:59 # is no timestamp; write",
        "2026 # is no timestamp; write",
        "202601 # is no timestamp; if it counts time since 1970, its source must say so: epoch =",
        "1767225600000 # its source must say so: epoch = milliseconds",
        "2026-1-5 # is no timestamp",
        "2026-02-30T00:00:00Z # is no timestamp: there is no day 2026-02-30",
        "2026-13-01 # is no timestamp: there is no day 2026-13-01",
        "2026-01-05T25:00:00Z # is no timestamp: there is no hour 25",
        "2026-01-05T24:00:00Z # is no timestamp: there is no hour 24",
        "2026-01-05T23:60:00Z # is no timestamp: there is no minute 60",
        "2026-01-05T23:59:60Z # is no timestamp: there is no second 60",
        "2026-01-05T06:00:00. # a second has one to nine digits after its point",
        "2026-01-05T06:00:00.1234567890Z # a second has one to nine digits after its point",
        "2026-01-05 junk # is no timestamp",
        "2026-01-05T06:00:00 junk # has ' junk' after its time, which is no zone: write Z, +01:00",
        "2026-01-05T06:00:00 Europe/Berlin # which is no zone",
        "2026-01-05T06:00:00+19:00 # has the zone +19:00, and zones are within 18 hours of UTC",
        "2026-01-05T06 # is no timestamp",
        "0000-12-31T00:00:00Z # is outside the years 0001 to 9999",
        "0001-01-01T00:00:00+01:00 # is outside the years 0001 to 9999",
        "+29194-01-01T00:00:00Z # is no timestamp",
        "-2026-01-05T00:00:00Z # is no timestamp",
        "now # is no timestamp",
        "epoch # is no timestamp",
        "２０２６-01-05 # is no timestamp"
      })
  void whatIsNoTimestampIsRefusedWithItsReason(String text, String reason) {
    assertRefused(column(DataTypes.TimestampType), text, reason);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2026-01-05 junk",
        "2026-01-05T10:30:00+09:00",
        "2026-01-05T00:00:00",
        "2026-1-5",
        "20260105",
        "2026-01",
        "2026",
        "2026-02-29",
        "05.01.2026",
        "today"
      })
  void whatIsNoDateIsRefused(String text) {
    assertRefused(column(DataTypes.DateType), text, "is no date");
  }

  @Test
  void aDateIsADay() {
    for (String text : new String[] {"0001-01-01", "1582-10-10", "2024-02-29", "9999-12-31"}) {
      assertThat(column(DataTypes.DateType).value(text))
          .isEqualTo((int) LocalDate.parse(text).toEpochDay());
    }
  }

  @Test
  void aTimestampWithoutZoneTakesNone() {
    assertRefused(
        column(DataTypes.TimestampNTZType),
        "2026-01-05T06:00:00Z",
        "has 'Z' after its time, and a timestamp_ntz has no zone");
  }

  @ParameterizedTest
  @CsvSource({
    "SECONDS, 1767225600, 2026-01-01T00:00:00Z",
    "SECONDS, 1767225600.25, 2026-01-01T00:00:00.250Z",
    "SECONDS, 1.7672256E9, 2026-01-01T00:00:00Z",
    "MILLISECONDS, 1767225600123, 2026-01-01T00:00:00.123Z",
    "MILLISECONDS, -1, 1969-12-31T23:59:59.999Z",
    "MICROSECONDS, 1767225600123456, 2026-01-01T00:00:00.123456Z",
    "MICROSECONDS, 2026-01-01T01:00:00+01:00, 2026-01-01T00:00:00Z"
  })
  void anEpochMakesMomentsOfNumbers(Epoch epoch, String text, Instant moment) {
    assertThat(of(epoch).value(text)).isEqualTo(micros(moment));
  }

  @ParameterizedTest
  @CsvSource({
    "SECONDS, 1767225600000",
    "MILLISECONDS, 1767225600000000",
    "MICROSECONDS, 999999999999999999999999999999",
    "SECONDS, 1e300",
    "SECONDS, -62135596801"
  })
  void aMomentBeyondTheYearsIsOfAnotherEpoch(Epoch epoch, String text) {
    assertRefused(of(epoch), text, "the source's epoch is another one");
  }

  @ParameterizedTest
  @CsvSource({
    "INT, 5.0",
    "INT, 2147483648",
    "INT, 0x10",
    "INT, 1_000",
    "INT, ' 5'",
    "INT, ''",
    "INT, ٣",
    "BIGINT, 9223372036854775808",
    "BIGINT, 1e3",
    "TINYINT, 128",
    "SMALLINT, -32769",
    "DOUBLE, '1,5'",
    "DOUBLE, 1d",
    "DOUBLE, 0x1p3",
    "DOUBLE, 1e400",
    "DOUBLE, ' 1'",
    "DOUBLE, one",
    "FLOAT, 1e39",
    "FLOAT, -1e39",
    "'DECIMAL(10,2)', '1,234.50'",
    "'DECIMAL(10,2)', '1,50'",
    "'DECIMAL(10,2)', 1.005",
    "'DECIMAL(4,2)', 123.45",
    "'DECIMAL(10,2)', 1e999999999",
    "'DECIMAL(10,2)', NaN",
    "BOOLEAN, 1",
    "BOOLEAN, yes",
    "BOOLEAN, t"
  })
  void whatIsNoValueOfItsTypeIsRefused(String type, String text) {
    assertRefused(column(DataType.fromDDL(type)), text, "'at' has the text '%s'".formatted(text));
  }

  @ParameterizedTest
  @CsvSource({
    "INT, 007, 7",
    "INT, -2147483648, -2147483648",
    "BIGINT, +5, 5",
    "BIGINT, 9223372036854775807, 9223372036854775807",
    "DOUBLE, 1e3, 1000.0",
    "DOUBLE, .5, 0.5",
    "DOUBLE, -0.0, -0.0",
    "DOUBLE, NaN, NaN",
    "DOUBLE, -inf, -Infinity",
    "DOUBLE, Infinity, Infinity",
    "FLOAT, 0.1, 0.1",
    "FLOAT, 1.00000017881393432617187499, 1.0000001",
    "'DECIMAL(10,2)', 1.5, 1.50",
    "'DECIMAL(10,2)', 1.500, 1.50",
    "'DECIMAL(10,2)', 12e3, 12000.00",
    "'DECIMAL(38,10)', 1234567890.0123456789, 1234567890.0123456789",
    "BOOLEAN, True, true",
    "BOOLEAN, FALSE, false",
    "STRING, 00501, 00501",
    "STRING, ' x ', ' x '",
    "STRING, NaN, NaN"
  })
  void aValueIsWhatIsWritten(String type, String text, String value) {
    assertThat(column(DataType.fromDDL(type)).value(text)).hasToString(value);
  }

  @ParameterizedTest
  @CsvSource({
    "double, 1e-400",
    "double, -0.0000000001e-330",
    "float, 1e-50",
    "float, .00000000000000000000000000000000000000000000000001"
  })
  void aNumberThatWouldBecomeZeroIsRefused(String type, String text) {
    assertRefused(
        column(DataType.fromDDL(type)),
        text,
        "is too close to zero for %s, which would make 0 of it".formatted(type));
    assertThat(column(DataType.fromDDL(type)).value("-0.000e-999")).isIn(-0.0, -0.0f);
    assertThat(column(DataTypes.DoubleType).value("4.9e-324")).isEqualTo(Double.MIN_VALUE);
  }

  @Test
  void theMomentsOfAFileAreNumbersOrNot() {
    TextFormats seconds = TextFormats.of(new Options(Map.of()), Optional.of(Epoch.SECONDS));
    TextColumn texts = TextColumn.ofFile("at", DataTypes.TimestampType, seconds);
    assertThat(texts.value("2026-01-05")).isEqualTo(texts.value("2026-01-05T00:00Z"));
    assertRefused(
        texts,
        "20260105",
        "is a number, and the file had 2026-01-05 before: which one does the column have?");
    TextColumn numbers = TextColumn.ofFile("at", DataTypes.TimestampType, seconds);
    assertThat(numbers.value("0")).isEqualTo(0L);
    assertRefused(
        numbers,
        "2026-01-05",
        "is no number, and the file had 0 before: which one does the column have?");
    // A message says by itself what it has.
    TextColumn ofMessages = TextColumn.of("at", DataTypes.TimestampType, seconds);
    assertThat(ofMessages.value("0")).isEqualTo(ofMessages.value("1970-01-01"));
  }

  @Test
  void aPatternIsReadStrictly() {
    TextFormats formats =
        TextFormats.of(
            new Options(Map.of("timestampformat", "dd/MM/yyyy HH:mm", "dateFormat", "d.M.yyyy")),
            Optional.empty());
    TextColumn at = TextColumn.of("at", DataTypes.TimestampType, formats);
    assertThat(at.value("28/02/2026 06:30"))
        .isEqualTo(micros(Instant.parse("2026-02-28T06:30:00Z")));
    assertRefused(at, "30/02/2026 06:30", "is no timestamp of the pattern dd/MM/yyyy HH:mm");
    assertRefused(at, "2026-02-28T06:30:00Z", "is no timestamp of the pattern");
    TextColumn day = TextColumn.of("at", DataTypes.DateType, formats);
    assertThat(day.value("5.1.2026")).isEqualTo((int) LocalDate.of(2026, 1, 5).toEpochDay());
    assertRefused(day, "5.1.2026 junk", "is no date of the pattern d.M.yyyy");
  }

  @Test
  void halfACharacterIsRefused() {
    assertRefused(column(DataTypes.StringType), "a\ud800b", "has half of a character");
    assertThat(column(DataTypes.StringType).value("a😀b")).hasToString("a😀b");
  }

  private static void assertRefused(TextColumn column, String text, String reason) {
    assertThatThrownBy(() -> column.value(text))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(reason)
        .hasMessageStartingWith("'at' has the text '%s', which ".formatted(text));
  }

  private static TextColumn column(DataType type) {
    return TextColumn.of("at", type, TextFormats.iso());
  }

  private static TextColumn zoned() {
    return TextColumn.zoned("at", DataTypes.TimestampType, TextFormats.iso());
  }

  private static TextColumn of(Epoch epoch) {
    return TextColumn.of(
        "at", DataTypes.TimestampType, TextFormats.of(new Options(Map.of()), Optional.of(epoch)));
  }

  private static long micros(Instant moment) {
    return Math.addExact(
        Math.multiplyExact(moment.getEpochSecond(), 1_000_000L), moment.getNano() / 1000);
  }
}
