package dev.tarn.row;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.NullValue;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TestValues {

  @Test
  void nullIsANullValueAndNotAnEmptyOne() {
    assertThat(Values.NULL.getNullValue()).isEqualTo(NullValue.NULL_VALUE);
    assertThat(Values.NULL.hasNullValue()).isTrue();
  }

  @Test
  void integersUpTo2To53AreNumbersAndThoseBeyondAreText() {
    assertThat(Values.ofLong(9_007_199_254_740_992L).getNumberValue()).isEqualTo(0x1p53);
    assertThat(Values.ofLong(-9_007_199_254_740_992L).getNumberValue()).isEqualTo(-0x1p53);
    assertThat(Values.ofLong(9_007_199_254_740_993L).getStringValue())
        .isEqualTo("9007199254740993");
    assertThat(Values.ofLong(Long.MIN_VALUE).getStringValue()).isEqualTo("-9223372036854775808");
  }

  @Test
  void noIntegerLosesADigit() {
    Random random = new Random(3);
    for (int i = 0; i < 100_000; i++) {
      long value = random.nextLong() >> random.nextInt(64);
      var answered = Values.ofLong(value);
      long back =
          answered.hasNumberValue()
              ? new BigDecimal(answered.getNumberValue()).longValueExact()
              : Long.parseLong(answered.getStringValue());
      assertThat(back).isEqualTo(value);
    }
  }

  @Test
  void decimalsKeepTheirScaleAndNeverTakeAnExponent() {
    assertThat(Values.ofDecimal(new BigDecimal("1.10")).getStringValue()).isEqualTo("1.10");
    assertThat(Values.ofDecimal(new BigDecimal("0E-18")).getStringValue())
        .isEqualTo("0.000000000000000000");
    assertThat(Values.ofDecimal(new BigDecimal("-1E-18")).getStringValue())
        .isEqualTo("-0.000000000000000001");
  }

  @Test
  void timestampsHaveNoThreeOrSixDigitsOfFraction() {
    assertThat(Values.ofTimestamp(0).getStringValue()).isEqualTo("1970-01-01T00:00:00Z");
    assertThat(Values.ofTimestamp(-1).getStringValue()).isEqualTo("1969-12-31T23:59:59.999999Z");
    assertThat(Values.ofTimestamp(-1_000).getStringValue()).isEqualTo("1969-12-31T23:59:59.999Z");
    assertThat(Values.ofTimestamp(1_000_000).getStringValue()).isEqualTo("1970-01-01T00:00:01Z");
    assertThat(Values.ofTimestampNtz(1_500_000).getStringValue())
        .isEqualTo("1970-01-01T00:00:01.500");
  }

  @Test
  void datesAreIso() {
    assertThat(Values.ofDate(0).getStringValue()).isEqualTo("1970-01-01");
    assertThat(Values.ofDate(-719_162).getStringValue()).isEqualTo("0001-01-01");
    assertThat(Values.ofDate(2_932_896).getStringValue()).isEqualTo("9999-12-31");
  }

  @Test
  void microsecondsAndInstantsTurnIntoEachOther() {
    for (long micros :
        new long[] {
          0,
          1,
          -1,
          -999_999,
          -1_000_000,
          -1_000_001,
          1_767_225_600_000_001L,
          Long.MAX_VALUE,
          Long.MIN_VALUE,
          Long.MIN_VALUE + 1
        }) {
      assertThat(Values.micros(Values.instant(micros))).isEqualTo(micros);
    }
    assertThat(Values.micros(Instant.parse("1969-12-31T23:59:59.999999999Z"))).isEqualTo(-1);
    assertThatThrownBy(() -> Values.micros(Instant.MAX)).isInstanceOf(ArithmeticException.class);
  }

  @Test
  void partOfABinaryIsEncodedByItself() {
    assertThat(Values.ofBinary(new byte[] {1, 2, 3, 4}, 1, 2).getStringValue()).isEqualTo("AgM=");
  }
}
