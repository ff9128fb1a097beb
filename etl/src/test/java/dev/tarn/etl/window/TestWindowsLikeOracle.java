package dev.tarn.etl.window;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.aggregate.Aggregate.Kind;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.WindowFeature;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;

/**
 * Compares the windows of entities with {@link WindowOracle}: 100,000 values, or as many as the
 * property {@code tarn.oracle.values} says.
 */
class TestWindowsLikeOracle {

  private static final long SECOND = 1_000_000;
  private static final long START = 1_767_225_600L * SECOND;
  private static final int EVENTS = 60;
  private static final int QUESTIONS = 40;

  private static final Map<String, DataType> VALUES =
      Map.of(
          "n", DataTypes.LongType,
          "d", DataTypes.DoubleType,
          "m", DataTypes.createDecimalType(12, 2),
          "s", DataTypes.StringType);

  private static final double[] ODD = {
    Double.NaN,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    -0.0,
    0.0,
    Double.MIN_VALUE,
    -Double.MIN_VALUE,
    1e308,
    -1e308,
    1e-308,
    0.1,
    1 / 3.0,
    Double.MAX_VALUE
  };

  /** Every aggregate, and windows of few and of many cells. */
  private static final List<WindowFeature> FEATURES = features();

  @Test
  void everyValueIsThatOfBruteForce() {
    long wanted = Long.getLong("tarn.oracle.values", 100_000);
    Random random = new Random(17);
    WindowPlan plan = WindowPlan.of(FEATURES, FEATURES, VALUES::get);
    EntityWindows windows = EntityWindows.of(plan);
    long compared = 0;
    for (int entity = 0; compared < wanted; entity++) {
      boolean isKnown = entity % 2 == 1;
      List<WindowOracle.Event> events = events(random);
      compared += compare(plan, windows.next(), events, questions(random, events), isKnown);
    }
    System.out.printf("TestWindowsLikeOracle: %,d values, 0 bits different%n", compared);
  }

  private static long compare(
      WindowPlan plan,
      EntityWindows windows,
      List<WindowOracle.Event> events,
      List<Long> questions,
      boolean isKnown) {
    WindowOracle oracle = new WindowOracle(events);
    Comparator<WindowOracle.Event> byTime = Comparator.comparing(event -> visible(event, isKnown));
    // The sort is stable: events of one moment stay in their random order.
    List<WindowOracle.Event> sorted = events.stream().sorted(byTime).toList();
    int next = 0;
    long compared = 0;
    for (long moment : questions) {
      while (next < sorted.size() && visible(sorted.get(next), isKnown) <= moment) {
        WindowOracle.Event event = sorted.get(next++);
        Object[] values = plan.expressions().stream().map(event.values()::get).toArray();
        long now = visible(event, isKnown);
        windows.add(values, event.micros(), event.partition(), event.offset(), now);
      }
      for (int i = 0; i < FEATURES.size(); i++) {
        Object expected = oracle.expected(oracleOf(FEATURES.get(i)), "k", moment, isKnown);
        assertThat(bits(windows.value(i, moment)))
            .as("%s at %d, as known: %s, of %s", FEATURES.get(i), moment, isKnown, events)
            .isEqualTo(bits(expected));
        compared++;
      }
      boolean isThere =
          FEATURES.stream()
              .map(TestWindowsLikeOracle::counting)
              .anyMatch(count -> !oracle.expected(count, "k", moment, isKnown).equals(0L));
      assertThat(windows.isThere(moment)).isEqualTo(isThere);
    }
    return compared;
  }

  private static long visible(WindowOracle.Event event, boolean isKnown) {
    return isKnown ? Math.max(event.micros(), event.arrivalMicros()) : event.micros();
  }

  private static List<WindowFeature> features() {
    List<WindowFeature> features = new ArrayList<>();
    List<Duration[]> windows =
        List.of(
            new Duration[] {Duration.ofMinutes(1), Duration.ofSeconds(1)},
            new Duration[] {Duration.ofHours(1), Duration.ofMinutes(10)},
            new Duration[] {Duration.ofHours(6), Duration.ofHours(6)},
            new Duration[] {Duration.ofDays(2), Duration.ofHours(1)});
    int number = 0;
    for (Kind kind : Kind.values()) {
      for (String value : List.of("n", "d", "m", "s")) {
        boolean isGiven =
            feature(0, kind, value, windows.get(0))
                .resultType(Optional.of(VALUES.get(value)))
                .isPresent();
        if (isGiven && (kind.needsValue() || value.equals("d"))) {
          features.add(feature(number, kind, value, windows.get(number % windows.size())));
          number++;
        }
      }
    }
    features.add(
        new WindowFeature(
            "plain",
            Kind.COUNT,
            0,
            Optional.empty(),
            Optional.of(Duration.ofHours(1)),
            Duration.ofMinutes(1),
            new Position("", 1)));
    return List.copyOf(features);
  }

  private static WindowFeature feature(int number, Kind kind, String value, Duration[] window) {
    return new WindowFeature(
        "f" + number,
        kind,
        kind == Kind.LAST_N ? 3 : 0,
        Optional.of(value),
        Optional.of(window[0]),
        window[1],
        new Position("", 1));
  }

  private static WindowOracle.Feature oracleOf(WindowFeature feature) {
    return new WindowOracle.Feature(
        feature.aggregate(),
        feature.count(),
        feature.of(),
        feature.of().flatMap(value -> SparkTypes.stored(VALUES.get(value))),
        feature
            .window()
            .map(window -> OptionalLong.of(window.toSeconds() * SECOND))
            .orElse(OptionalLong.empty()),
        feature.resolution().toSeconds() * SECOND);
  }

  /** How many events a feature's window has, whatever their values. */
  private static WindowOracle.Feature counting(WindowFeature feature) {
    WindowOracle.Feature same = oracleOf(feature);
    return new WindowOracle.Feature(
        Kind.COUNT,
        0,
        Optional.empty(),
        Optional.empty(),
        same.windowMicros(),
        same.resolutionMicros());
  }

  /** One in ten is late by up to two days, some are at the same time, some are there twice. */
  private static List<WindowOracle.Event> events(Random random) {
    List<WindowOracle.Event> events = new ArrayList<>();
    // Between ten minutes and some days: windows are crowded, or nearly empty.
    long span = 600 * SECOND * (1L + random.nextInt(300));
    for (int i = 0; i < EVENTS; i++) {
      long micros = START + (long) (random.nextDouble() * span);
      if (random.nextInt(3) == 0) {
        micros -= Math.floorMod(micros, 600 * SECOND);
      }
      if (random.nextInt(5) == 0 && !events.isEmpty()) {
        micros = events.get(random.nextInt(events.size())).micros();
      }
      long late =
          random.nextInt(10) == 0
              ? (long) (random.nextDouble() * 172_800 * SECOND)
              : random.nextInt(2_000_000) - 500_000;
      events.add(
          new WindowOracle.Event("k", micros, micros + late, random.nextInt(3), i, values(random)));
    }
    Collections.shuffle(events, random);
    return events;
  }

  private static Map<String, Object> values(Random random) {
    Map<String, Object> values = new HashMap<>();
    if (random.nextInt(8) > 0) {
      values.put("n", (long) random.nextInt(1_000) - 500);
    }
    if (random.nextInt(8) > 0) {
      values.put(
          "d", random.nextBoolean() ? ODD[random.nextInt(ODD.length)] : random.nextGaussian());
    }
    if (random.nextInt(8) > 0) {
      values.put("m", new BigDecimal(BigInteger.valueOf(random.nextInt(200_000) - 100_000), 2));
    }
    if (random.nextInt(8) > 0) {
      values.put("s", ("m" + random.nextInt(12)).getBytes(StandardCharsets.UTF_8));
    }
    return values;
  }

  /** Moments in order: of events, at the ends of cells, a microsecond beside them, and any. */
  private static List<Long> questions(Random random, List<WindowOracle.Event> events) {
    List<Long> questions = new ArrayList<>();
    for (int i = 0; i < QUESTIONS; i++) {
      long moment = events.get(random.nextInt(events.size())).micros();
      switch (random.nextInt(4)) {
        case 0 -> moment -= Math.floorMod(moment, 3_600 * SECOND);
        case 1 -> moment += 600 * SECOND * (random.nextInt(100) - 20);
        case 2 -> moment = moment - Math.floorMod(moment, 600 * SECOND) + random.nextInt(3) - 1;
        default -> {}
      }
      questions.add(moment);
    }
    Collections.sort(questions);
    return questions;
  }

  /** A value whose equality is that of bits. */
  private static Object bits(Object value) {
    if (value instanceof Double number) {
      return "double " + Long.toHexString(Double.doubleToLongBits(number));
    }
    if (value instanceof byte[] bytes) {
      return new String(bytes, StandardCharsets.ISO_8859_1);
    }
    if (value instanceof List<?> list) {
      return list.stream().map(TestWindowsLikeOracle::bits).toList();
    }
    return value;
  }
}
