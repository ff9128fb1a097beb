package dev.tarn.live;

import com.google.protobuf.util.Durations;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Random events of a topic, and what a live view answers about one entity, computed from the events
 * themselves.
 */
final class LiveEvents {

  static final long SECOND = 1_000_000;

  /** Offsets of a segment: few, so that events have many segments. */
  static final int SEGMENT = 16;

  static final int PARTITIONS = 3;

  /** How much later than its place in the topic an event is asked about at the earliest. */
  static final long SKEW = 5 * SECOND;

  /** The values: a bigint, a double and a string. */
  static final LiveBase BASE =
      LiveBase.newBuilder()
          .setSegment(SEGMENT)
          .addValueTypes(type(Kind.KIND_BIGINT))
          .addValueTypes(type(Kind.KIND_DOUBLE))
          .addValueTypes(type(Kind.KIND_STRING))
          .addWindows(window("COUNT", -1, SECOND, 60))
          .addWindows(window("SUM", 0, SECOND, 60))
          .addWindows(window("SUM", 1, 60 * SECOND, 5))
          .addWindows(window("MAX", 1, 10 * SECOND, 12))
          .addWindows(window("LAST_N", 2, 10 * SECOND, 6).toBuilder().setCount(3).build())
          .addWindows(window("COUNT_DISTINCT", 2, SECOND, 90))
          .addWindows(window("SECONDS_SINCE_LAST", -1, 60 * SECOND, 3))
          .addWindows(window("COUNT", 0, 0, 0))
          .build();

  /** The same without the window over all events, so that entities are let go. */
  static final LiveBase BOUNDED = BASE.toBuilder().removeWindows(7).build();

  /**
   * An event of the entity.
   *
   * @param arrived the moment at which it is in the topic
   */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares events.
  record Event(int partition, long offset, long arrived, long micros, Object[] values) {}

  private static final String[] WORDS = {"", "a", "b", "kiel", "ålesund"};
  private static final double[] DOUBLES = {
    0, -0.0, 1e300, -1e300, 1e-300, 0.1, Double.NaN, 2251799813685248.5
  };

  private LiveEvents() {}

  static FeatureType type(Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }

  static LiveWindow window(String aggregate, int value, long resolution, long cells) {
    LiveWindow.Builder window =
        LiveWindow.newBuilder().setAggregate(aggregate).setValue(value).setCells(cells);
    if (cells > 0) {
      window.setResolution(Durations.fromMicros(resolution));
    }
    return window.build();
  }

  /** Makes events in the order of their arrival: some are late, some are of the future. */
  static List<Event> random(Random random, int count) {
    long[] next = new long[PARTITIONS];
    long now = 1_700_000_000L * SECOND;
    List<Event> events = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      now += random.nextInt(5) == 0 ? random.nextInt(20_000_000) : random.nextInt(1_000_000);
      int partition = random.nextInt(PARTITIONS);
      // Between the entity's events there are those of others.
      next[partition] += random.nextInt(4) == 0 ? random.nextInt(3 * SEGMENT) : 0;
      long micros =
          switch (random.nextInt(10)) {
            case 0 -> now - random.nextInt(200_000_000);
            case 1 -> now + random.nextInt(60_000_000);
            default -> now - random.nextInt(2_000_000);
          };
      Object[] values = {
        random.nextInt(4) == 0 ? null : (Object) (long) random.nextInt(),
        random.nextInt(4) == 0
            ? null
            : (Object)
                (random.nextBoolean()
                    ? random.nextGaussian()
                    : DOUBLES[random.nextInt(DOUBLES.length)]),
        random.nextInt(4) == 0
            ? null
            : WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8),
      };
      events.add(new Event(partition, next[partition]++, now, micros, values));
    }
    return events;
  }

  /** Returns the answer about these events; empty if there is no row. */
  static List<Object> answer(LiveBase base, List<Event> events, long moment) {
    List<Object> answers = new ArrayList<>();
    boolean isThere = false;
    for (LiveWindow window : base.getWindowsList()) {
      List<Event> inWindow = events.stream().filter(isIn(window, moment)).toList();
      isThere |= !inWindow.isEmpty();
      answers.add(answer(window, inWindow, moment));
    }
    return isThere ? answers : List.of();
  }

  private static Predicate<Event> isIn(LiveWindow window, long moment) {
    long resolution = Durations.toMicros(window.getResolution());
    return event ->
        event.micros() <= moment
            && (window.getCells() == 0
                || Math.floorDiv(event.micros(), resolution)
                    > Math.floorDiv(moment, resolution) - window.getCells());
  }

  private static Object answer(LiveWindow window, List<Event> events, long moment) {
    int value = window.getValue();
    if (value < 0) {
      return window.getAggregate().equals("COUNT")
          ? (Object) (long) events.size()
          : events.stream()
              .map(Event::micros)
              .max(Comparator.naturalOrder())
              .map(newest -> Math.floorDiv(moment - newest, SECOND))
              .orElse(null);
    }
    List<Event> known = events.stream().filter(event -> event.values()[value] != null).toList();
    Stream<Object> values = known.stream().map(event -> event.values()[value]);
    return switch (window.getAggregate()) {
      case "COUNT" -> (long) known.size();
      case "SUM" -> value == 0 ? sumOfLongs(known) : sumOfDoubles(known);
      case "MAX" -> values.map(Double.class::cast).max(Double::compare).orElse(null);
      case "LAST_N" -> lastOf(known, value, window.getCount());
      case "COUNT_DISTINCT" ->
          values.map(text -> new String((byte[]) text, StandardCharsets.UTF_8)).distinct().count();
      default -> throw new IllegalArgumentException(window.getAggregate());
    };
  }

  private static Object sumOfLongs(List<Event> events) {
    return events.isEmpty()
        ? null
        : events.stream().mapToLong(event -> (Long) event.values()[0]).sum();
  }

  private static Object sumOfDoubles(List<Event> events) {
    if (events.isEmpty()) {
      return null;
    }
    BigDecimal sum = BigDecimal.ZERO;
    for (Event event : events) {
      double number = (Double) event.values()[1];
      if (Double.isNaN(number)) {
        return Double.NaN;
      }
      sum = sum.add(new BigDecimal(number));
    }
    return sum.doubleValue();
  }

  private static Object lastOf(List<Event> events, int value, int count) {
    List<Object> last =
        events.stream()
            .sorted(
                Comparator.comparingLong(Event::micros)
                    .thenComparingInt(Event::partition)
                    .thenComparingLong(Event::offset)
                    .reversed())
            .limit(count)
            .map(event -> event.values()[value])
            .toList();
    return last.isEmpty() ? null : last;
  }

  /** Returns the answer that cells give, in the form of {@link #answer(LiveBase, List, long)}. */
  static List<Object> answer(LivePlan plan, LiveAnswer answer) {
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < plan.features() && answer.isThere(); i++) {
      values.add(answer.value(i));
    }
    return values;
  }

  /** Returns an answer so that two are equal just if all their bits are. */
  static List<String> bits(List<Object> answer) {
    return answer.stream().map(LiveEvents::bits).toList();
  }

  private static String bits(Object value) {
    if (value instanceof Double number) {
      return Long.toHexString(Double.doubleToRawLongBits(number));
    }
    if (value instanceof byte[] bytes) {
      return Arrays.toString(bytes);
    }
    return value instanceof List<?> list
        ? list.stream().map(LiveEvents::bits).toList().toString()
        : Objects.toString(value);
  }

  /** Returns the cut behind the first events of a list, rounded down to whole segments. */
  static Cut alignedCut(List<Event> events, int count) {
    long[] offsets = nextOffsets(events.subList(0, count));
    for (int p = 0; p < PARTITIONS; p++) {
      offsets[p] -= offsets[p] % SEGMENT;
    }
    return Cut.of(offsets);
  }

  static long[] nextOffsets(List<Event> events) {
    long[] offsets = new long[PARTITIONS];
    events.forEach(event -> offsets[event.partition()] = event.offset() + 1);
    return offsets;
  }

  /** Returns the events before a cut. */
  static List<Event> before(Cut cut, List<Event> events) {
    return events.stream().filter(event -> event.offset() < cut.next(event.partition())).toList();
  }

  /** Returns the distinct kinds of answers, to see that a test had them. */
  static Set<String> kinds(List<List<Object>> answers) {
    Set<String> kinds = new HashSet<>();
    answers.forEach(
        answer -> kinds.add(answer.isEmpty() ? "none" : answer.contains(null) ? "null" : "all"));
    return kinds;
  }
}
