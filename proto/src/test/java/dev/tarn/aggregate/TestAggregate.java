package dev.tarn.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.aggregate.Aggregate.Kind;
import dev.tarn.manifest.FeatureType;
import dev.tarn.row.FeatureTypes;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestAggregate {

  private static final long NOW = 90_000_000;

  @Test
  void thePageHasTheTypeOfEveryResult() throws IOException {
    String page =
        Files.readString(Path.of(System.getProperty("tarn.home"), "docs", "aggregates.md"));
    for (Kind kind : Kind.values()) {
      String line =
          page.lines()
              .filter(row -> row.startsWith("| `" + kind.word() + "` |"))
              .findFirst()
              .orElseThrow();
      String[] cells = line.split(" \\| ", -1);
      List<FeatureType> columns =
          List.of(
              Types.INT,
              Types.FLOAT,
              Types.decimal(12, 2),
              Types.STRING,
              Types.DATE,
              Types.BOOLEAN,
              Types.ARRAY);
      for (int i = 0; i < columns.size(); i++) {
        FeatureType type = columns.get(i);
        String told =
            Aggregate.resultType(kind, Optional.of(type))
                .map(result -> result.equals(type) ? "T" : FeatureTypes.name(result))
                .map(result -> result.startsWith("array") ? "array<T>" : result)
                .orElse("–");
        String cell = cells[i + 1].replace("`", "").replace(" |", "").strip();
        cell = cell.replace("min(38, p+10)", "22").replace("min(38, p+4)", "16");
        cell = cell.replace("min(38, s+4)", "6").replace(", s)", ",2)").replace(", ", ",");
        assertThat(told).as(kind.word() + " of " + type).isEqualTo(cell);
      }
    }
  }

  @Test
  void decimalsHaveAtMost38Digits() {
    assertThat(result(Kind.SUM, Types.decimal(38, 4))).isEqualTo("decimal(38,4)");
    assertThat(result(Kind.SUM, Types.decimal(28, 4))).isEqualTo("decimal(38,4)");
    assertThat(result(Kind.AVG, Types.decimal(38, 4))).isEqualTo("decimal(38,8)");
    assertThat(result(Kind.AVG, Types.decimal(38, 36))).isEqualTo("decimal(38,38)");
    assertThat(result(Kind.LAST_N, Types.decimal(38, 36))).isEqualTo("array<decimal(38,36)>");
  }

  @Test
  void countsNeedNoValue() {
    assertThat(Stream.of(Kind.values()).filter(kind -> !kind.needsValue()))
        .containsExactly(Kind.COUNT, Kind.SECONDS_SINCE_LAST);
    for (Kind kind : Kind.values()) {
      assertThat(Aggregate.resultType(kind, Optional.empty()).isPresent())
          .isEqualTo(!kind.needsValue());
    }
  }

  @Test
  void whatIsNotGivenIsRefused() {
    assertThatThrownBy(() -> Aggregate.of(Kind.SUM, Optional.of(Types.STRING), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("sum is not given for string");
    assertThatThrownBy(() -> Aggregate.of(Kind.MAX, Optional.of(Types.ARRAY), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("max is not given for array<string>");
    assertThatThrownBy(() -> Aggregate.of(Kind.MAX, Optional.empty(), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("max is not given for events without value");
    for (int n : new int[] {-1, 0, 1001}) {
      assertThatThrownBy(() -> Aggregate.of(Kind.LAST_N, Optional.of(Types.STRING), n))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("the n of last n is 1 to 1,000, not ");
    }
  }

  @Test
  void nothingOfNoEventsButCountsAreZero() {
    for (Kind kind : Kind.values()) {
      Object result = aggregate(kind, Types.DOUBLE).newState().result(NOW);
      assertThat(result)
          .as(kind.word())
          .isEqualTo(kind == Kind.COUNT || kind == Kind.COUNT_DISTINCT ? 0L : null);
    }
  }

  @Test
  void whatDoesNotFitIsAnErrorThatCanStandBehindAName() {
    State sum = of(Kind.SUM, Types.BIGINT, Long.MAX_VALUE, 1L);
    assertThatThrownBy(() -> sum.result(NOW))
        .isInstanceOf(OverflowException.class)
        .hasMessage("the sum 9223372036854775808 does not fit into bigint");
    BigDecimal great = new BigDecimal("9".repeat(38));
    State decimals = of(Kind.SUM, Types.decimal(38, 0), great, BigDecimal.ONE);
    assertThatThrownBy(() -> decimals.result(NOW))
        .isInstanceOf(OverflowException.class)
        .hasMessage("the sum 1" + "0".repeat(38) + " does not fit into decimal(38,0)");
    State average = of(Kind.AVG, Types.decimal(38, 0), great);
    assertThatThrownBy(() -> average.result(NOW))
        .isInstanceOf(OverflowException.class)
        .hasMessage("the average " + "9".repeat(38) + ".0000 does not fit into decimal(38,4)");
  }

  @Test
  void whatOnceDidNotFitMayFitInTheEnd() {
    assertThat(
            of(Kind.SUM, Types.BIGINT, Long.MAX_VALUE, Long.MAX_VALUE, Long.MIN_VALUE).result(NOW))
        .isEqualTo(Long.MAX_VALUE - 1);
    assertThat(of(Kind.AVG, Types.BIGINT, Long.MAX_VALUE, Long.MAX_VALUE).result(NOW))
        .isEqualTo(0x1p63);
    assertThat(
            of(Kind.SUM, Types.DOUBLE, Double.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE)
                .result(NOW))
        .isEqualTo(Double.MAX_VALUE);
    assertThat(of(Kind.AVG, Types.DOUBLE, Double.MAX_VALUE, Double.MAX_VALUE).result(NOW))
        .isEqualTo(Double.MAX_VALUE);
    assertThat(of(Kind.STDDEV, Types.DOUBLE, 1e308, -1e308).result(NOW))
        .isEqualTo(Math.sqrt(2) * 1e308);
    assertThat(of(Kind.SUM, Types.DOUBLE, Double.MAX_VALUE, 0x1p970).result(NOW))
        .isEqualTo(Double.POSITIVE_INFINITY);
  }

  @Test
  void smallNumbersCountBesideGreatOnes() {
    assertThat(of(Kind.SUM, Types.DOUBLE, 1e308, 1e-308, -1e308).result(NOW)).isEqualTo(1e-308);
    assertThat(of(Kind.SUM, Types.DOUBLE, 0.1, 0.2, -0.1, -0.2).result(NOW)).isEqualTo(0.0);
    // The nearest double to 2⁵³ + 1 and a bit is above it.
    assertThat(of(Kind.SUM, Types.DOUBLE, 0x1p53, 1.0).result(NOW)).isEqualTo(0x1p53);
    assertThat(of(Kind.SUM, Types.DOUBLE, 0x1p53, 1.0, Double.MIN_VALUE).result(NOW))
        .isEqualTo(0x1p53 + 2);
  }

  @Test
  void zerosHaveNoSignUnlessTheyAreChosen() {
    assertBits(of(Kind.SUM, Types.DOUBLE, -0.0, -0.0), 0.0);
    assertBits(of(Kind.AVG, Types.DOUBLE, -0.0), 0.0);
    assertBits(of(Kind.AVG, Types.DOUBLE, -Double.MIN_VALUE, 0.0, 0.0), 0.0);
    assertBits(of(Kind.MIN, Types.DOUBLE, 0.0, -0.0), -0.0);
    assertBits(of(Kind.MAX, Types.DOUBLE, -0.0, 0.0), 0.0);
    assertBits(of(Kind.LAST, Types.DOUBLE, -0.0), -0.0);
  }

  @Test
  void allNaNsAreOne() {
    double odd = Double.longBitsToDouble(0xfff8_0000_0000_0123L);
    for (Kind kind : List.of(Kind.SUM, Kind.AVG, Kind.MIN, Kind.MAX, Kind.FIRST, Kind.LAST)) {
      assertBits(of(kind, Types.DOUBLE, odd), Double.NaN);
    }
    assertBits(of(Kind.STDDEV, Types.DOUBLE, odd, 1.0), Double.NaN);
    assertBits(of(Kind.MAX, Types.DOUBLE, odd, Double.POSITIVE_INFINITY), Double.NaN);
    assertBits(of(Kind.MIN, Types.DOUBLE, odd, Double.POSITIVE_INFINITY), Double.POSITIVE_INFINITY);
    assertThat(of(Kind.COUNT_DISTINCT, Types.DOUBLE, odd, Double.NaN, 0.0, -0.0).result(NOW))
        .isEqualTo(2L);
  }

  @Test
  void secondsAreWhole() {
    State state = aggregate(Kind.SECONDS_SINCE_LAST, Types.INT).newState();
    state.add(1L, 0, 0, 0);
    state.add(1L, 1_000_001, 0, 0);
    assertThat(state.result(1_000_001)).isEqualTo(0L);
    assertThat(state.result(3_000_000)).isEqualTo(1L);
    assertThat(state.result(3_000_001)).isEqualTo(2L);
  }

  @Test
  void equalPlacesAreOrderedByTheValue() {
    State state = Aggregate.of(Kind.LAST_N, Optional.of(Types.INT), 3).newState();
    for (long value : new long[] {2, 9, 2, 4}) {
      state.add(value, 5, 0, 0);
    }
    assertThat(state.result(NOW)).isEqualTo(List.of(9L, 4L, 2L));
    state.add(1L, 5, 0, 1);
    state.add(0L, 5, 1, 0);
    assertThat(state.result(NOW)).isEqualTo(List.of(0L, 1L, 9L));
  }

  @Test
  void aDecimalOfAnotherScaleIsRefused() {
    State state = aggregate(Kind.MAX, Types.decimal(10, 2)).newState();
    assertThatThrownBy(() -> state.add(new BigDecimal("1.5"), 0, 0, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1.5 has not the 2 digits after the point that its type has");
  }

  @Test
  void statesOfOthersAreRefused() {
    State state = aggregate(Kind.SUM, Types.INT).newState();
    assertThatThrownBy(() -> state.merge(aggregate(Kind.SUM, Types.BIGINT).newState()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a state of sum of bigint can't be merged into one of sum of int");
    assertThatThrownBy(
            () -> state.merge(Aggregate.of(Kind.LAST_N, Optional.of(Types.INT), 2).newState()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a state of last 2 of int can't be merged into one of sum of int");
  }

  @ParameterizedTest
  @CsvSource({
    "'', 'the state ends at byte 0, too early'",
    "2100, the state has format 2; known is 1",
    "1005, the state is not of sum",
    "1101, 'the state ends at byte 2, too early'",
    "11010105ff, the state has 1 bytes behind its end",
    "118000, the state has a number that is not written as it must be",
    "1101020005, the state has an integer of 2 bytes that is not written as it must be"
  })
  void otherBytesAreRefusedWithAReason(String hex, String message) {
    byte[] bytes = HexFormat.of().parseHex(hex);
    assertThatThrownBy(() -> aggregate(Kind.SUM, Types.INT).read(bytes))
        .isInstanceOf(CorruptStateException.class)
        .hasMessage(message);
  }

  /** The bytes of states are stored, so those of this version are read by all later ones. */
  @ParameterizedTest
  @CsvSource({
    "COUNT, INT, 1003, 3",
    "SUM, INT, 110301fc, -4",
    "SUM, DOUBLE, 110300070d4cccccccccccce, 0.30000000000000004",
    "SUM, DECIMAL, 110302f15a, -37.50",
    "AVG, INT, 120301fc, -1.3333333333333333",
    "AVG, DOUBLE, 120300070d4cccccccccccce, 0.1",
    "MIN, DOUBLE, 13010000000000000000, 0.0",
    "MIN, DECIMAL, 130102f63c, -25.00",
    "MAX, STRING, 14010c636166c3a920636166c3a920, 'café café '",
    "VARIANCE, INT, 150301fc0106, 0.3333333333333333",
    "VARIANCE, DECIMAL, 150302f15a03773594, 156.25",
    "STDDEV, DOUBLE, 160300070d4cccccccccccce0e1b0ccccccccccccd33333333333334, 0.1",
    "FIRST, INT, 170180897a00d80401, -1",
    "LAST, STRING, 180184897a04d4040c636166c3a920636166c3a920, 'café café '",
    "LAST_N, INT, 190384897a04d404010102d604030100d80401, '[-1, -2, -1]'",
    "COUNT_DISTINCT, INT, 1a02e4d971771b652c20f3203e9039f4a821, 2",
    """
    COUNT_DISTINCT, STRING, 1a03\
    95fb3544755220faf7a98c9e0dc79e99a845b3337f0299133ed79e2eb3d18878\
    00000000000000000000000000000000, 3""",
    "SECONDS_SINCE_LAST, INT, 1b0184897a, 88"
  })
  void bytesStayAsTheyAre(Kind kind, String typeName, String hex, String result) {
    FeatureType type =
        switch (typeName) {
          case "INT" -> Types.INT;
          case "DOUBLE" -> Types.DOUBLE;
          case "DECIMAL" -> Types.decimal(20, 2);
          default -> Types.STRING;
        };
    Aggregate aggregate = aggregate(kind, type);
    State state = aggregate.newState();
    for (int i = 0; i < 3; i++) {
      state.add(value(type, i), 1_000_000 + i, i, 300 - i);
    }
    assertThat(HexFormat.of().formatHex(state.toBytes())).isEqualTo(hex);
    Object read = aggregate.read(state.toBytes()).result(NOW);
    assertThat(read instanceof byte[] text ? new String(text, StandardCharsets.UTF_8) : read)
        .hasToString(result);
  }

  private static Object value(FeatureType type, int i) {
    return switch (type.getKind()) {
      case KIND_INT -> (long) i * i - 2L * i - 1;
      case KIND_DOUBLE -> 0.1 * i;
      case KIND_DECIMAL -> BigDecimal.valueOf(-1250L * i, 2);
      default -> "café ".repeat(i).getBytes(StandardCharsets.UTF_8);
    };
  }

  @Test
  void goesToOtherMachines() throws IOException, ClassNotFoundException {
    Aggregate aggregate = Aggregate.of(Kind.LAST_N, Optional.of(Types.DOUBLE), 3);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(aggregate);
    }
    Aggregate there;
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      there = (Aggregate) in.readObject();
    }
    assertThat(there).isEqualTo(aggregate);
    State state = there.newState();
    state.add(1.5, 0, 0, 0);
    State merged = aggregate.newState();
    merged.merge(state);
    assertThat(merged.result(NOW)).isEqualTo(List.of(1.5));
  }

  private static void assertBits(State state, double expected) {
    assertThat(Double.doubleToRawLongBits((Double) state.result(NOW)))
        .isEqualTo(Double.doubleToRawLongBits(expected));
  }

  private static String result(Kind kind, FeatureType type) {
    return FeatureTypes.name(Aggregate.resultType(kind, Optional.of(type)).orElseThrow());
  }

  private static Aggregate aggregate(Kind kind, FeatureType type) {
    return Aggregate.of(kind, Optional.of(type), 5);
  }

  private static State of(Kind kind, FeatureType type, Object... values) {
    State state = aggregate(kind, type).newState();
    for (Object value : values) {
      state.add(value, 0, 0, 0);
    }
    return state;
  }
}
