package dev.tarn.bench.stream;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Knows the right answer of {@link LiveViews#LAWS} for a user, a cut and a moment: by brute force,
 * over all payments of the user. It shares no code with what it checks. Of a payment that is
 * repeated within its partition the first counts. Thread-safe.
 */
public final class Oracle {

  /** The features, in the order of answers. */
  public static final List<String> FEATURES =
      List.of(
          "n_10s",
          "spend_1m",
          "score_1h",
          "most_1h",
          "least_1d",
          "merchants_1d",
          "last_3",
          "score_30d",
          "spend",
          "n");

  /** The answer about a user that no window knows. */
  public static final List<String> NOTHING = List.of();

  private static final String NULL = "null";
  private static final long SECOND = 1_000_000L;
  private static final long MINUTE = 60 * SECOND;
  private static final long HOUR = 60 * MINUTE;
  private static final long DAY = 24 * HOUR;

  /** A payment, where it lies, and its score as it is to be added. */
  private record Placed(int partition, long offset, Payment payment, BigDecimal score) {}

  private record Place(int partition, long id) {}

  private final Map<Integer, List<Placed>> byUser = new HashMap<>();
  private final Set<Place> seen = new HashSet<>();
  private long[] next;
  private long repeated;

  /** Makes one that knows no payment of a topic with so many partitions. */
  public Oracle(int partitions) {
    next = new long[partitions];
  }

  /** Adds what a partition has next. */
  public synchronized void add(int partition, long offset, Payment payment) {
    next[partition] = offset + 1;
    if (!seen.add(new Place(partition, payment.id()))) {
      repeated++;
    } else if (payment.cents() >= 100) {
      byUser
          .computeIfAbsent(payment.user(), user -> new ArrayList<>())
          .add(new Placed(partition, offset, payment, new BigDecimal(payment.score())));
    }
  }

  /** Whether it knows everything before a cut. */
  public synchronized boolean knows(long[] cut) {
    for (int i = 0; i < cut.length; i++) {
      if (cut[i] > next[i]) {
        return false;
      }
    }
    return true;
  }

  /** The first offset of each partition that it does not know. */
  public synchronized long[] next() {
    return next.clone();
  }

  /** Number of payments that repeat another. */
  public synchronized long repeated() {
    return repeated;
  }

  /** Number of distinct payments of all partitions. */
  public synchronized long distinct() {
    return seen.size();
  }

  /** The users that have a payment that counts. */
  public synchronized Set<Integer> users() {
    return Set.copyOf(byUser.keySet());
  }

  /**
   * The values of {@link #FEATURES} as text, or {@link #NOTHING}.
   *
   * @param cut by partition the first offset that does not count
   * @param moment of the question, microseconds since 1970 UTC
   */
  public List<String> answer(int user, long[] cut, long moment) {
    List<Placed> all;
    synchronized (this) {
      all = List.copyOf(byUser.getOrDefault(user, List.of()));
    }
    List<Placed> known =
        all.stream()
            .filter(one -> one.partition() < cut.length && one.offset() < cut[one.partition()])
            .filter(one -> one.payment().micros() <= moment)
            .toList();
    if (known.isEmpty()) {
      return NOTHING;
    }
    return List.of(
        Long.toString(in(known, moment, 10 * SECOND, SECOND).count()),
        money(in(known, moment, MINUTE, SECOND)),
        sum(placedIn(known, moment, HOUR, MINUTE)),
        in(known, moment, HOUR, MINUTE)
            .map(Payment::score)
            .max(Comparator.naturalOrder())
            .map(Oracle::text)
            .orElse(NULL),
        in(known, moment, DAY, 10 * MINUTE)
            .map(Payment::cents)
            .min(Comparator.naturalOrder())
            .map(cents -> BigDecimal.valueOf(cents, 2).toPlainString())
            .orElse(NULL),
        Long.toString(
            in(known, moment, DAY, 10 * MINUTE).map(Payment::merchant).distinct().count()),
        last(known, moment),
        sum(placedIn(known, moment, 30 * DAY, HOUR)),
        money(known.stream().map(Placed::payment)),
        Integer.toString(known.size()));
  }

  private static boolean isIn(Placed one, long moment, long window, long resolution) {
    long cell = Math.floorDiv(one.payment().micros(), resolution);
    return cell > Math.floorDiv(moment, resolution) - window / resolution;
  }

  private static Stream<Placed> placedIn(
      List<Placed> known, long moment, long window, long resolution) {
    return known.stream().filter(one -> isIn(one, moment, window, resolution));
  }

  private static Stream<Payment> in(List<Placed> known, long moment, long window, long resolution) {
    return placedIn(known, moment, window, resolution).map(Placed::payment);
  }

  private static String money(Stream<Payment> payments) {
    return payments
        .map(Payment::cents)
        .reduce(Math::addExact)
        .map(cents -> BigDecimal.valueOf(cents, 2).toPlainString())
        .orElse(NULL);
  }

  /** The exact sum, rounded once. */
  private static String sum(Stream<Placed> payments) {
    return payments
        .map(Placed::score)
        .reduce(BigDecimal::add)
        .map(sum -> text(sum.doubleValue()))
        .orElse(NULL);
  }

  /** The merchants of the last three payments, the newest first. */
  private static String last(List<Placed> known, long moment) {
    List<String> merchants =
        known.stream()
            .filter(one -> isIn(one, moment, 7 * DAY, HOUR))
            .sorted(
                Comparator.<Placed, Long>comparing(one -> one.payment().micros())
                    .thenComparing(Placed::partition)
                    .thenComparing(Placed::offset)
                    .reversed())
            .limit(3)
            .map(one -> "m" + one.payment().merchant())
            .toList();
    return merchants.isEmpty() ? NULL : merchants.toString();
  }

  /** The bits of a double: two texts are equal if these are. */
  static String text(double value) {
    return value + " " + Long.toHexString(Double.doubleToRawLongBits(value));
  }

  /** Names the features that differ, with both values. */
  public static String difference(List<String> expected, List<String> found) {
    if (expected.size() != found.size()) {
      return "expected %s, not %s".formatted(expected, found);
    }
    Function<Integer, String> one =
        i -> "%s: expected %s, not %s".formatted(FEATURES.get(i), expected.get(i), found.get(i));
    return Stream.iterate(0, i -> i < expected.size(), i -> i + 1)
        .filter(i -> !expected.get(i).equals(found.get(i)))
        .map(one)
        .collect(Collectors.joining("; "));
  }
}
