package dev.tarn.etl.window;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.aggregate.AggregateOracle;
import dev.tarn.manifest.FeatureType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a feature of a window view is at a moment, by brute force: it looks at every event of the
 * key, and gives those in the window to {@link AggregateOracle}. It shares no code with windows and
 * aggregates.
 */
public final class WindowOracle {

  /**
   * An event.
   *
   * @param micros its time, microseconds since 1970 UTC
   * @param arrivalMicros when it was there, microseconds since 1970 UTC
   * @param values its values by name, as aggregates take them; null or missing is null
   */
  public record Event(
      String key,
      long micros,
      long arrivalMicros,
      int partition,
      long offset,
      Map<String, Object> values) {}

  /**
   * A feature.
   *
   * @param n of last n; 0 for others
   * @param value name of the value; empty if there is none
   * @param type type of the value
   * @param windowMicros empty: all events up to the moment
   * @param resolutionMicros not looked at without window
   */
  public record Feature(
      Aggregate.Kind kind,
      int n,
      Optional<String> value,
      Optional<FeatureType> type,
      OptionalLong windowMicros,
      long resolutionMicros) {}

  private final Map<String, List<Event>> events = new HashMap<>();

  public WindowOracle(Iterable<Event> events) {
    for (Event event : events) {
      this.events.computeIfAbsent(event.key(), key -> new ArrayList<>()).add(event);
    }
  }

  /**
   * The value of a feature at a moment; null if there is none.
   *
   * @param asKnown whether only events count that had arrived by the moment
   * @throws ArithmeticException if it does not fit into its type
   */
  public Object expected(Feature feature, String key, long micros, boolean asKnown) {
    List<AggregateOracle.Event> inWindow = new ArrayList<>();
    for (Event event : events.getOrDefault(key, List.of())) {
      Object value = feature.value().map(event.values()::get).orElse(null);
      if (event.micros() <= micros
          && (!asKnown || event.arrivalMicros() <= micros)
          && isInWindow(feature, event.micros(), micros)
          && (value != null || feature.value().isEmpty())) {
        inWindow.add(
            new AggregateOracle.Event(
                value == null ? false : value, event.micros(), event.partition(), event.offset()));
      }
    }
    return AggregateOracle.result(
        feature.kind(),
        feature.type().orElse(FeatureType.getDefaultInstance()),
        feature.n(),
        inWindow,
        micros);
  }

  private static boolean isInWindow(Feature feature, long eventMicros, long micros) {
    if (feature.windowMicros().isEmpty()) {
      return true;
    }
    long resolution = feature.resolutionMicros();
    long cells = feature.windowMicros().getAsLong() / resolution;
    return Math.floorDiv(micros, resolution) - cells < Math.floorDiv(eventMicros, resolution);
  }
}
