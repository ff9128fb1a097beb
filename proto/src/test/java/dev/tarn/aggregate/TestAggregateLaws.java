package dev.tarn.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.aggregate.Aggregate.Kind;
import dev.tarn.aggregate.AggregateOracle.Event;
import dev.tarn.manifest.FeatureType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each aggregate of each type: results by the oracle, states by the order and grouping. */
class TestAggregateLaws {

  private static final int[] SIZES = {0, 1, 2, 3, 5, 12, 40, 90};
  private static final long NOW = 1_790_000_123_456_789L;

  static Stream<Aggregate> aggregates() {
    return Stream.of(Kind.values())
        .flatMap(
            kind ->
                Types.ALL.stream()
                    .filter(type -> Aggregate.resultType(kind, Optional.of(type)).isPresent())
                    .flatMap(type -> aggregates(kind, type)))
        .distinct();
  }

  private static Stream<Aggregate> aggregates(Kind kind, FeatureType type) {
    return (kind == Kind.LAST_N ? Stream.of(1, 2, 7, 30, 1000) : Stream.of(0))
        .map(n -> Aggregate.of(kind, Optional.of(type), n));
  }

  @ParameterizedTest
  @MethodSource("aggregates")
  void equalsTheOracleInEveryOrderAndGrouping(Aggregate aggregate) {
    Random random = new Random(aggregate.toString().hashCode());
    for (int round = 0; round < 8; round++) {
      for (int size : SIZES) {
        FeatureType type = typeOf(aggregate);
        List<Event> events = new RandomEvents(random).of(type, size);
        State inOrder = aggregate.newState();
        events.forEach(event -> add(inOrder, event));
        byte[] bytes = inOrder.toBytes();
        Object expected = expected(aggregate, events);
        checkResult(expected, inOrder);
        for (int shuffle = 0; shuffle < 3; shuffle++) {
          List<Event> shuffled = new ArrayList<>(events);
          Collections.shuffle(shuffled, random);
          State state = grouped(aggregate, shuffled, random);
          assertThat(state.toBytes()).isEqualTo(bytes);
          checkResult(expected, state);
        }
        State read = aggregate.read(bytes);
        assertThat(read.toBytes()).isEqualTo(bytes);
        checkResult(expected, read);
      }
    }
  }

  /** Whatever is read is written again as it was, so what is not is refused. */
  @ParameterizedTest
  @MethodSource("aggregates")
  void refusesBytesThatNoStateHas(Aggregate aggregate) {
    Random random = new Random(aggregate.toString().hashCode());
    for (int size : SIZES) {
      State state = aggregate.newState();
      new RandomEvents(random).of(typeOf(aggregate), size).forEach(event -> add(state, event));
      byte[] bytes = state.toBytes();
      for (int length = 0; length < bytes.length; length += 1 + random.nextInt(1 + length / 8)) {
        byte[] cut = Arrays.copyOf(bytes, length);
        assertThatThrownBy(() -> aggregate.read(cut)).isInstanceOf(CorruptStateException.class);
      }
      assertThatThrownBy(() -> aggregate.read(Arrays.copyOf(bytes, bytes.length + 1)))
          .isInstanceOf(CorruptStateException.class)
          .hasMessage("the state has 1 bytes behind its end");
      for (int i = 0; i < 40; i++) {
        byte[] changed = bytes.clone();
        changed[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        checkRefusedOrCanonical(aggregate, changed);
        byte[] noise = new byte[1 + random.nextInt(40)];
        random.nextBytes(noise);
        noise[0] = bytes[0];
        checkRefusedOrCanonical(aggregate, noise);
      }
    }
  }

  private static void checkRefusedOrCanonical(Aggregate aggregate, byte[] bytes) {
    State state;
    try {
      state = aggregate.read(bytes);
    } catch (CorruptStateException refused) {
      return;
    }
    assertThat(state.toBytes()).isEqualTo(bytes);
  }

  /** A state of groups of groups, some of which were written and read or copied. */
  private static State grouped(Aggregate aggregate, List<Event> events, Random random) {
    State state = aggregate.newState();
    if (events.size() < 2 || random.nextInt(4) == 0) {
      events.forEach(event -> add(state, event));
    } else {
      int cut = random.nextInt(events.size() + 1);
      State other = grouped(aggregate, events.subList(cut, events.size()), random);
      byte[] before = other.toBytes();
      boolean intoIt = random.nextBoolean();
      State target = intoIt ? grouped(aggregate, events.subList(0, cut), random) : state;
      target.merge(other);
      if (!intoIt) {
        events.subList(0, cut).forEach(event -> add(target, event));
      }
      assertThat(other.toBytes()).isEqualTo(before);
      return passedOn(aggregate, target, random);
    }
    return passedOn(aggregate, state, random);
  }

  private static State passedOn(Aggregate aggregate, State state, Random random) {
    return switch (random.nextInt(3)) {
      case 0 -> aggregate.read(state.toBytes());
      case 1 -> {
        State copy = state.copy();
        byte[] before = copy.toBytes();
        state.merge(copy);
        state.merge(state);
        assertThat(copy.toBytes()).isEqualTo(before);
        yield copy;
      }
      default -> state;
    };
  }

  /** The result, or the failure. */
  private static Object expected(Aggregate aggregate, List<Event> events) {
    try {
      return AggregateOracle.result(
          aggregate.kind(), typeOf(aggregate), aggregate.n(), events, NOW);
    } catch (ArithmeticException overflow) {
      return overflow;
    }
  }

  private static void checkResult(Object expected, State state) {
    if (expected instanceof ArithmeticException overflow) {
      assertThatThrownBy(() -> state.result(NOW))
          .isInstanceOf(OverflowException.class)
          .hasMessage(overflow.getMessage());
    } else {
      assertThat(bits(state.result(NOW))).isEqualTo(bits(expected));
    }
  }

  /** A value that equals only those with the same bits; NaN has one form. */
  private static Object bits(Object value) {
    if (value instanceof Double number) {
      return number.isNaN()
          ? "NaN"
          : number + " " + Long.toHexString(Double.doubleToRawLongBits(number));
    }
    if (value instanceof byte[] bytes) {
      return Arrays.toString(bytes);
    }
    if (value instanceof List<?> list) {
      return list.stream().map(TestAggregateLaws::bits).toList();
    }
    return value == null ? "nothing" : value;
  }

  private static FeatureType typeOf(Aggregate aggregate) {
    return aggregate.valueType() == null ? Types.BIGINT : aggregate.valueType();
  }

  private static void add(State state, Event event) {
    state.add(event.value(), event.micros(), event.partition(), event.offset());
  }
}
