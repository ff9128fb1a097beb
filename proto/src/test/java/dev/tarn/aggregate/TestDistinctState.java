package dev.tarn.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.hash.Hashing;
import dev.tarn.manifest.FeatureType;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestDistinctState {

  /** Of 4,096 registers. */
  private static final double STANDARD_ERROR = 1.04 / 64;

  @Test
  void isExactUpTo256() {
    for (FeatureType type : new FeatureType[] {Types.BIGINT, Types.STRING}) {
      State state = aggregate(type).newState();
      for (int i = 0; i < 3 * 256; i++) {
        state.add(value(type, i % 256), 0, 0, 0);
        assertThat(state.result(0)).isEqualTo(Math.min(i + 1L, 256));
      }
      state.add(value(type, 256), 0, 0, 0);
      assertThat((Long) state.result(0)).isBetween(257L, 270L);
    }
  }

  @Test
  void registersAreAFunctionOfTheUnion() {
    for (FeatureType type : new FeatureType[] {Types.DOUBLE, Types.BINARY}) {
      State all = aggregate(type).newState();
      State parts = aggregate(type).newState();
      for (int part = 0; part < 20; part++) {
        State state = aggregate(type).newState();
        // Parts that are sets and parts that are registers, which have values in common.
        for (int i = 0; i < (part % 2 == 0 ? 200 : 400); i++) {
          Object value = value(type, 150 * part + i);
          state.add(value, 0, 0, 0);
          all.add(value, 0, 0, 0);
        }
        if (part == 10) {
          state.merge(parts);
          parts = state;
        } else {
          parts.merge(state);
        }
      }
      assertThat(parts.toBytes()).isEqualTo(all.toBytes());
      assertThat(all.toBytes()).hasSize(1 + 2 + 3072);
    }
  }

  @ParameterizedTest
  @CsvSource({"1000, 20", "10000, 20", "100000, 10", "1000000, 2"})
  void theErrorIsThatOfTheBook(int count, int seeds) {
    for (FeatureType type : new FeatureType[] {Types.BIGINT, Types.STRING}) {
      double squares = 0;
      for (int seed = 0; seed < seeds; seed++) {
        State state = aggregate(type).newState();
        long start = new Random(seed).nextLong() >>> 16;
        for (int i = 0; i < count; i++) {
          state.add(value(type, start + i), 0, 0, 0);
        }
        double error = ((Long) state.result(0) - count) / (double) count;
        assertThat(error).isBetween(-4 * STANDARD_ERROR, 4 * STANDARD_ERROR);
        squares += error * error;
      }
      assertThat(Math.sqrt(squares / seeds))
          .isLessThan(STANDARD_ERROR * (1 + 1.5 / Math.sqrt(seeds)));
    }
  }

  @Test
  void wideHashesAreThoseOfGuava() {
    Random random = new Random(1);
    for (int length = 0; length < 100; length++) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      Hashes.Wide hash = Hashes.of(bytes);
      StateWriter out = new StateWriter();
      out.putFixed64(Long.reverseBytes(hash.first()));
      out.putFixed64(Long.reverseBytes(hash.second()));
      assertThat(out.toBytes()).isEqualTo(Hashing.murmur3_128().hashBytes(bytes).asBytes());
    }
  }

  @Test
  void narrowValuesNeverCollide() {
    // The inverse of each step: no two longs have the same hash.
    Stream.of(0L, 1L, -1L, Long.MIN_VALUE, 0x9e3779b97f4a7c15L, 1234567890123L)
        .forEach(value -> assertThat(unmixed(Hashes.mix(value))).isEqualTo(value));
  }

  private static long unmixed(long mixed) {
    long value = mixed ^ (mixed >>> 31) ^ (mixed >>> 62);
    value *= 0x319642b2d24d8ec3L;
    value = value ^ (value >>> 27) ^ (value >>> 54);
    value *= 0x96de1b173f119089L;
    value = value ^ (value >>> 30) ^ (value >>> 60);
    return value - 0x9e3779b97f4a7c15L;
  }

  private static Object value(FeatureType type, long i) {
    return switch (type.getKind()) {
      case KIND_BIGINT -> i;
      case KIND_DOUBLE -> i / 100.0;
      default -> ("merchant-" + i).getBytes(StandardCharsets.UTF_8);
    };
  }

  private static Aggregate aggregate(FeatureType type) {
    return Aggregate.of(Aggregate.Kind.COUNT_DISTINCT, Optional.of(type), 0);
  }
}
