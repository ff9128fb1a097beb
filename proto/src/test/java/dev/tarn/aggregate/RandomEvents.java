package dev.tarn.aggregate;

import dev.tarn.aggregate.AggregateOracle.Event;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;

/** Random events of any type, with what is easily got wrong. */
final class RandomEvents {

  private static final double[] ODD = {
    0.0,
    -0.0,
    Double.MIN_VALUE,
    -Double.MIN_VALUE,
    3 * Double.MIN_VALUE,
    Double.MIN_NORMAL,
    -Double.MIN_NORMAL,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    1e308,
    -1e308,
    1e-308,
    0.1,
    1,
    -1,
    1 + 0x1p-52,
    0x1p53,
    0x1p-53,
    0x1p970,
    0x1p971
  };

  private static final double[] SPECIAL = {
    Double.NaN,
    Double.longBitsToDouble(0xfff8_0000_0000_0123L),
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY
  };

  private static final float[] ODD_FLOATS = {
    0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, Float.MAX_VALUE, -Float.MAX_VALUE, 0.1f, 1f, 1e-38f
  };

  private static final long[] ODD_LONGS = {
    Long.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE + 1, 0, 1, -1, 1L << 53, (1L << 53) + 1, 1L << 32
  };

  private final Random random;

  RandomEvents(Random random) {
    this.random = random;
  }

  /** Events of one flavour, such as amounts of money, or the ends of the range. */
  List<Event> of(FeatureType type, int count) {
    Supplier<Object> values = values(type, random.nextInt(5));
    boolean crowded = random.nextBoolean();
    List<Event> events = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      if (!events.isEmpty() && random.nextInt(10) == 0) {
        Event again = events.get(random.nextInt(events.size()));
        events.add(
            random.nextBoolean()
                ? again
                : new Event(values.get(), again.micros(), again.partition(), again.offset()));
      } else {
        events.add(new Event(values.get(), micros(crowded), random.nextInt(3), random.nextInt(4)));
      }
    }
    return events;
  }

  private long micros(boolean crowded) {
    if (crowded) {
      return random.nextInt(5) - 2L;
    }
    return random.nextInt(20) == 0
        ? ODD_LONGS[random.nextInt(ODD_LONGS.length)]
        : 1_790_000_000_000_000L + random.nextInt();
  }

  private Supplier<Object> values(FeatureType type, int flavour) {
    return switch (type.getKind()) {
      case KIND_BOOLEAN -> random::nextBoolean;
      case KIND_INT, KIND_DATE ->
          () ->
              flavour == 0
                  ? (long) (random.nextBoolean() ? Integer.MAX_VALUE : Integer.MIN_VALUE)
                  : flavour == 1 ? random.nextInt(10) : (long) random.nextInt();
      case KIND_BIGINT, KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ -> () -> integer(flavour);
      case KIND_FLOAT -> () -> (double) number32(flavour);
      case KIND_DOUBLE -> () -> number(flavour);
      case KIND_DECIMAL -> () -> decimal(type, flavour);
      default -> () -> bytes(type.getKind() == Kind.KIND_STRING, flavour);
    };
  }

  private long integer(int flavour) {
    return switch (flavour) {
      case 0 -> ODD_LONGS[random.nextInt(ODD_LONGS.length)];
      case 1 -> random.nextInt(10);
      case 2 -> random.nextInt();
      case 3 -> Long.MAX_VALUE - random.nextInt(3);
      default -> random.nextLong() >> random.nextInt(64);
    };
  }

  private double number(int flavour) {
    return switch (flavour) {
      case 0 -> ODD[random.nextInt(ODD.length)];
      case 1 -> random.nextInt(20_000) / 100.0;
      case 2 ->
          random.nextInt(8) == 0
              ? SPECIAL[random.nextInt(SPECIAL.length)]
              : ODD[random.nextInt(ODD.length)];
      case 3 -> random.nextInt(2_000) - 1_000;
      default -> {
        double number = Double.longBitsToDouble(random.nextLong());
        yield Double.isFinite(number) ? number : random.nextGaussian();
      }
    };
  }

  private float number32(int flavour) {
    return switch (flavour) {
      case 0 -> ODD_FLOATS[random.nextInt(ODD_FLOATS.length)];
      case 1 -> random.nextInt(20_000) / 100f;
      case 2 ->
          random.nextInt(8) == 0
              ? (float) SPECIAL[random.nextInt(SPECIAL.length)]
              : ODD_FLOATS[random.nextInt(ODD_FLOATS.length)];
      default -> {
        float number = Float.intBitsToFloat(random.nextInt());
        yield Float.isFinite(number) ? number : random.nextFloat();
      }
    };
  }

  private BigDecimal decimal(FeatureType type, int flavour) {
    BigInteger bound = BigInteger.TEN.pow(type.getPrecision());
    BigInteger unscaled =
        switch (flavour) {
          case 0 -> bound.subtract(BigInteger.ONE);
          case 1 -> BigInteger.valueOf(random.nextInt(10));
          case 2 -> new BigInteger(random.nextInt(bound.bitLength()), random);
          default -> new BigInteger(bound.bitLength() + 8, random).mod(bound);
        };
    return new BigDecimal(
        flavour > 0 && random.nextBoolean() ? unscaled.negate() : unscaled, type.getScale());
  }

  private byte[] bytes(boolean text, int flavour) {
    if (text) {
      String word =
          switch (flavour) {
            case 0 -> List.of("", "a", "ab", "b", "ä", "z", "😀", "\uffee").get(random.nextInt(8));
            case 1 -> "merchant-" + random.nextInt(20);
            default -> "x".repeat(random.nextInt(40)) + random.nextInt();
          };
      return word.getBytes(StandardCharsets.UTF_8);
    }
    byte[] bytes = new byte[flavour == 0 ? random.nextInt(2) : random.nextInt(40)];
    random.nextBytes(bytes);
    return bytes;
  }
}
