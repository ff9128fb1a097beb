package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What each aggregate gives, by brute force: all values in decimal, as long as it takes, and sorted
 * lists. It shares no code with the aggregates.
 */
public final class AggregateOracle {

  /** An event with its value, as {@link State#add} takes it. */
  public record Event(Object value, long micros, int partition, long offset) {}

  private AggregateOracle() {}

  /**
   * The result of an aggregate; distinct values are counted exactly, however many there are.
   *
   * @param type type of the values
   * @throws ArithmeticException with the message of the failure if it does not fit
   */
  public static Object result(
      Aggregate.Kind kind, FeatureType type, int n, List<Event> events, long nowMicros) {
    List<Event> ordered = new ArrayList<>(events);
    ordered.sort(
        Comparator.comparingLong(Event::micros)
            .thenComparingInt(Event::partition)
            .thenComparingLong(Event::offset)
            .thenComparing(Event::value, AggregateOracle::compare));
    return switch (kind) {
      case COUNT -> (long) events.size();
      case COUNT_DISTINCT -> distinct(events);
      case FIRST -> events.isEmpty() ? null : ordered.get(0).value();
      case LAST -> events.isEmpty() ? null : ordered.get(ordered.size() - 1).value();
      case LAST_N -> events.isEmpty() ? null : newest(ordered, n);
      case SECONDS_SINCE_LAST ->
          events.isEmpty()
              ? null
              : new BigDecimal(nowMicros)
                  .subtract(new BigDecimal(ordered.get(ordered.size() - 1).micros()))
                  .movePointLeft(6)
                  .setScale(0, RoundingMode.FLOOR)
                  .longValueExact();
      case MIN, MAX -> {
        Comparator<Event> byValue = Comparator.comparing(Event::value, AggregateOracle::compare);
        yield (kind == Aggregate.Kind.MIN
                ? events.stream().min(byValue)
                : events.stream().max(byValue))
            .map(Event::value)
            .orElse(null);
      }
      case SUM -> events.isEmpty() ? null : sum(type, events);
      case AVG -> events.isEmpty() ? null : average(type, events);
      case VARIANCE -> spread(events, false);
      case STDDEV -> spread(events, true);
    };
  }

  private static List<Object> newest(List<Event> ordered, int n) {
    List<Object> newest = new ArrayList<>();
    for (int i = ordered.size() - 1; i >= 0 && newest.size() < n; i--) {
      newest.add(ordered.get(i).value());
    }
    return newest;
  }

  private static long distinct(List<Event> events) {
    Set<Object> seen = new HashSet<>();
    for (Event event : events) {
      Object value = event.value();
      if (value instanceof byte[] bytes) {
        seen.add(new BigInteger(1, bytes) + " of " + bytes.length);
      } else if (value instanceof Double number && number == 0) {
        seen.add(0.0);
      } else {
        seen.add(value); // To Double.equals all NaN are one.
      }
    }
    return seen.size();
  }

  static int compare(Object one, Object other) {
    if (one instanceof byte[] left) {
      byte[] right = (byte[]) other;
      for (int i = 0; i < Math.min(left.length, right.length); i++) {
        if (left[i] != right[i]) {
          return (left[i] & 0xFF) - (right[i] & 0xFF);
        }
      }
      return left.length - right.length;
    }
    if (one instanceof BigDecimal left) {
      return left.subtract((BigDecimal) other).signum();
    }
    if (one instanceof Long left) {
      return left.compareTo((Long) other);
    }
    if (one instanceof Boolean left) {
      return left.compareTo((Boolean) other);
    }
    return ((Double) one).compareTo((Double) other);
  }

  private static Object sum(FeatureType type, List<Event> events) {
    if (events.get(0).value() instanceof Double) {
      Double special = special(events);
      return special != null ? special : nearest(total(events), BigDecimal.ONE);
    }
    BigDecimal total = total(events);
    if (type.getKind() == FeatureType.Kind.KIND_DECIMAL) {
      int precision = Math.min(38, type.getPrecision() + 10);
      check("sum", total, precision, type.getScale());
      return total.setScale(type.getScale());
    }
    if (total.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0
        || total.compareTo(BigDecimal.valueOf(Long.MIN_VALUE)) < 0) {
      throw new ArithmeticException("the sum %s does not fit into bigint".formatted(total));
    }
    return total.longValueExact();
  }

  private static Object average(FeatureType type, List<Event> events) {
    BigDecimal count = BigDecimal.valueOf(events.size());
    if (type.getKind() == FeatureType.Kind.KIND_DECIMAL) {
      int scale = Math.min(38, type.getScale() + 4);
      BigDecimal average = total(events).divide(count, scale, RoundingMode.HALF_UP);
      check("average", average, Math.min(38, type.getPrecision() + 4), scale);
      return average;
    }
    Double special = special(events);
    return special != null ? special : nearest(total(events), count);
  }

  private static void check(String what, BigDecimal value, int precision, int scale) {
    if (value.abs().compareTo(BigDecimal.TEN.pow(precision).movePointLeft(scale)) >= 0) {
      throw new ArithmeticException(
          "the %s %s does not fit into decimal(%d,%d)".formatted(what, value, precision, scale));
    }
  }

  /** From the distances to the mean, each times n. */
  private static Double spread(List<Event> events, boolean root) {
    int n = events.size();
    if (n < 2) {
      return null;
    }
    if (special(events) != null) {
      return Double.NaN;
    }
    BigDecimal total = total(events);
    BigDecimal squares = BigDecimal.ZERO;
    for (Event event : events) {
      BigDecimal distance = exact(event.value()).multiply(BigDecimal.valueOf(n)).subtract(total);
      squares = squares.add(distance.multiply(distance));
    }
    BigDecimal divisor = BigDecimal.valueOf((long) n * n * (n - 1));
    return root ? nearestRoot(squares, divisor) : nearest(squares, divisor);
  }

  /** What the values that are not finite make of a sum; null if there are none. */
  private static Double special(List<Event> events) {
    double sum = 0;
    for (Event event : events) {
      if (event.value() instanceof Double number && (number.isNaN() || number.isInfinite())) {
        sum += number;
      }
    }
    return sum == 0 ? null : Double.isNaN(sum) ? Double.valueOf(Double.NaN) : Double.valueOf(sum);
  }

  private static BigDecimal total(List<Event> events) {
    BigDecimal total = BigDecimal.ZERO;
    for (Event event : events) {
      BigDecimal value =
          event.value() instanceof Double number && !Double.isFinite(number)
              ? BigDecimal.ZERO
              : exact(event.value());
      total = total.add(value);
    }
    return total;
  }

  private static BigDecimal exact(Object value) {
    if (value instanceof Long integer) {
      return new BigDecimal(integer);
    }
    return value instanceof BigDecimal decimal ? decimal : new BigDecimal((Double) value);
  }

  /** The double that is nearest to a quotient, and the even one of two; never -0.0. */
  private static double nearest(BigDecimal numerator, BigDecimal denominator) {
    if (numerator.signum() == 0) {
      return 0.0;
    }
    BigDecimal positive = numerator.abs();
    double guess = positive.divide(denominator, new MathContext(30)).doubleValue();
    double nearest = nearest(guess, m -> positive.compareTo(m.multiply(denominator)));
    return numerator.signum() > 0 || nearest == 0 ? nearest : -nearest;
  }

  private static double nearestRoot(BigDecimal numerator, BigDecimal denominator) {
    if (numerator.signum() == 0) {
      return 0.0;
    }
    double guess =
        numerator.divide(denominator, new MathContext(30)).sqrt(new MathContext(20)).doubleValue();
    return nearest(guess, m -> numerator.compareTo(m.multiply(m).multiply(denominator)));
  }

  /** How a number compares with one that is given. */
  private interface Truth {
    int compareTo(BigDecimal other);
  }

  private static double nearest(double guess, Truth truth) {
    double nearest = guess;
    while (nearest < Double.POSITIVE_INFINITY
        && isBeyond(truth.compareTo(middle(nearest, Math.nextUp(nearest))), nearest)) {
      nearest = Math.nextUp(nearest);
    }
    while (nearest > 0
        && isBeyond(-truth.compareTo(middle(Math.nextDown(nearest), nearest)), nearest)) {
      nearest = Math.nextDown(nearest);
    }
    return nearest;
  }

  private static boolean isBeyond(int order, double number) {
    return order > 0 || (order == 0 && (Double.doubleToLongBits(number) & 1) == 1);
  }

  private static BigDecimal middle(double one, double other) {
    return value(one).add(value(other)).multiply(new BigDecimal("0.5"));
  }

  private static BigDecimal value(double number) {
    return Double.isInfinite(number) ? BigDecimal.valueOf(2).pow(1024) : new BigDecimal(number);
  }
}
