package dev.tarn.etl.window;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.etl.definition.WindowFeature;
import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * What is computed of each entity's events: the values that are read of an event, the features that
 * are made of them, and when an entity has a row at all.
 */
final class WindowPlan implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * A feature to compute.
   *
   * @param value index of the value that it is made of; -1: it counts events
   * @param isValueUsed whether the value itself matters, and not only that there is one
   * @param length number of cells; 0: all events
   */
  record Slot(
      String name,
      Aggregate.Kind kind,
      int count,
      int value,
      boolean isValueUsed,
      DataType type,
      long resolution,
      long length)
      implements Serializable {}

  private final List<String> expressions;
  private final List<DataType> valueTypes;
  private final List<Slot> slots;

  /** Resolution and length of each window of the view; none has a length of 0. */
  private final long[][] windows;

  private final boolean isEndless;

  private WindowPlan(
      List<String> expressions,
      List<DataType> valueTypes,
      List<Slot> slots,
      long[][] windows,
      boolean isEndless) {
    this.expressions = expressions;
    this.valueTypes = valueTypes;
    this.slots = slots;
    this.windows = windows;
    this.isEndless = isEndless;
  }

  /**
   * The plan for some of a view's features.
   *
   * @param all features of the view: they decide when an entity has a row
   * @param wanted those to compute
   * @param typeOf the type of an expression over the source
   */
  static WindowPlan of(
      List<WindowFeature> all, List<WindowFeature> wanted, Function<String, DataType> typeOf) {
    Map<String, Integer> values = new LinkedHashMap<>();
    List<DataType> valueTypes = new ArrayList<>();
    List<Slot> slots = new ArrayList<>();
    for (WindowFeature feature : wanted) {
      int value = -1;
      Optional<DataType> valueType = Optional.empty();
      if (feature.of().isPresent()) {
        String expression = feature.of().get();
        valueType = Optional.of(typeOf.apply(expression));
        if (!values.containsKey(expression)) {
          values.put(expression, values.size());
          valueTypes.add(valueType.get());
        }
        value = values.get(expression);
      }
      boolean isValueUsed = feature.aggregate().needsValue();
      DataType type = feature.resultType(valueType).orElseThrow();
      slots.add(
          new Slot(
              feature.name(),
              feature.aggregate(),
              feature.count(),
              value,
              isValueUsed,
              type,
              micros(feature.resolution()),
              length(feature)));
    }
    long[][] windows =
        all.stream()
            .filter(feature -> feature.window().isPresent())
            .map(feature -> new long[] {micros(feature.resolution()), length(feature)})
            .toArray(long[][]::new);
    return new WindowPlan(
        List.copyOf(values.keySet()), valueTypes, slots, windows, windows.length < all.size());
  }

  private static long length(WindowFeature feature) {
    return feature.window().map(window -> window.dividedBy(feature.resolution())).orElse(0L);
  }

  private static long micros(Duration duration) {
    return Math.multiplyExact(duration.toSeconds(), 1_000_000L);
  }

  /** Spark SQL for each value of an event. */
  List<String> expressions() {
    return expressions;
  }

  List<DataType> valueTypes() {
    return valueTypes;
  }

  List<Slot> slots() {
    return slots;
  }

  /** The features as columns, each under its name. */
  StructType features() {
    StructType features = new StructType();
    for (Slot slot : slots) {
      features = features.add(slot.name(), slot.type(), true);
    }
    return features;
  }

  /** Microseconds that the longest window may reach back; empty: it reaches all events. */
  Optional<Long> reach() {
    long longest = 0;
    for (long[] window : windows) {
      longest = Math.max(longest, Math.multiplyExact(window[0], window[1]));
    }
    return isEndless ? Optional.empty() : Optional.of(longest);
  }

  /** Whether any window has an event of {@code newest} at a moment. */
  boolean reaches(long newest, long moment) {
    if (isEndless) {
      return true;
    }
    for (long[] window : windows) {
      if (Math.floorDiv(newest, window[0]) > Math.floorDiv(moment, window[0]) - window[1]) {
        return true;
      }
    }
    return false;
  }
}
