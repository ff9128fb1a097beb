package dev.tarn.etl.window;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.manifest.FeatureType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestWindowOracle {

  private static final WindowOracle ORACLE =
      new WindowOracle(
          List.of(
              event("a", -1, -1, Map.of("x", 1L)),
              event("a", 0, 0, Map.of("x", 10L)),
              event("a", 9, 25, Map.of("x", 100L)),
              event("a", 10, 10, Map.of()),
              event("a", 19, 19, Map.of("x", 1_000L)),
              event("b", 19, 19, Map.of("x", 5L))));

  /** Windows of 20 in cells of 10. */
  @ParameterizedTest
  @CsvSource({
    "-1, false, 1",
    "0, false, 11",
    "9, false, 111",
    "9, true, 11",
    "10, false, 110",
    "18, false, 110",
    "19, false, 1110",
    "19, true, 1010",
    "20, false, 1000",
    "29, true, 1000",
    "30, false, "
  })
  void sumsTheCellsOfTheWindow(long micros, boolean asKnown, Long expected) {
    assertThat(ORACLE.expected(sum(OptionalLong.of(20)), "a", micros, asKnown)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"-2, false, ", "9, false, 111", "24, true, 1011", "25, true, 1111"})
  void withoutWindowAllEventsCount(long micros, boolean asKnown, Long expected) {
    assertThat(ORACLE.expected(sum(OptionalLong.empty()), "a", micros, asKnown))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"19, 5", "-5, 0"})
  void countsWithoutValue(long micros, long expected) {
    WindowOracle.Feature count =
        new WindowOracle.Feature(
            Aggregate.Kind.COUNT, 0, Optional.empty(), Optional.empty(), OptionalLong.empty(), 0);
    assertThat(ORACLE.expected(count, "a", micros, false)).isEqualTo(expected);
    assertThat(ORACLE.expected(count, "c", micros, false)).isEqualTo(0L);
  }

  private static WindowOracle.Feature sum(OptionalLong window) {
    FeatureType type = FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_BIGINT).build();
    return new WindowOracle.Feature(
        Aggregate.Kind.SUM, 0, Optional.of("x"), Optional.of(type), window, 10);
  }

  private static WindowOracle.Event event(
      String key, long micros, long arrival, Map<String, Object> values) {
    return new WindowOracle.Event(key, micros, arrival, 0, micros, values);
  }
}
