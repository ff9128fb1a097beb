package dev.tarn.bench.train;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TextTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Collects the seconds of every run, and prints their medians. */
final class TrainReport {

  private final TrainSizes sizes;
  private final int runs;
  private final boolean hasRivals;

  /** The seconds of each run, by what was measured. */
  private final Map<String, List<Double>> seconds = new LinkedHashMap<>();

  /** Names of what was stopped because it took too long; its seconds end there. */
  private final Set<String> stopped = new LinkedHashSet<>();

  private long liveHeap;

  TrainReport(TrainSizes sizes, int runs, boolean hasRivals) {
    this.sizes = sizes;
    this.runs = runs;
    this.hasRivals = hasRivals;
  }

  /** Names a way at a size. */
  static String name(String name, int views, int count) {
    return "%s; %s, %s".formatted(name, Plural.of(views, "view"), Plural.of(count, "as-of"));
  }

  /** Adds a run. */
  void add(String what, double took) {
    seconds.computeIfAbsent(what, key -> new ArrayList<>()).add(took);
  }

  /** Notes that something was stopped, so it need not be measured again. */
  void stop(String what) {
    stopped.add(what);
  }

  boolean isStopped(String what) {
    return stopped.contains(what);
  }

  /** Notes the peak of the live heap in the measurement of one entity, in bytes. */
  void liveHeap(long bytes) {
    liveHeap = bytes;
  }

  private double median(String what) {
    List<Double> sorted = seconds.get(what).stream().sorted().toList();
    return sorted.get((sorted.size() - 1) / 2);
  }

  private Map<String, Double> ratios() {
    Map<String, Double> ratios = new LinkedHashMap<>();
    for (int count : sizes.asOfs()) {
      for (int views : sizes.views(count)) {
        double tarn = median(name("Tarn", views, count));
        for (String rival :
            hasRivals
                ? List.of("join on entity and time, row_number", "union and one window")
                : List.<String>of()) {
          String what = name(rival, views, count);
          ratios.put(
              name(rival + " ÷ Tarn", views, count)
                  + (stopped.contains(what) ? " (at least: it was stopped)" : ""),
              median(what) / tarn);
        }
      }
      if (sizes.wideAsOfs().contains(count)) {
        ratios.put(
            "Tarn, %d views ÷ one; %s".formatted(TrainSizes.VIEWS, Plural.of(count, "as-of")),
            median(name("Tarn", TrainSizes.VIEWS, count)) / median(name("Tarn", 1, count)));
      }
    }
    return ratios;
  }

  String table() {
    TextTable table = new TextTable("median of " + runs, "s", "spine rows/s");
    seconds
        .keySet()
        .forEach(
            what ->
                table.row(
                    what,
                    (stopped.contains(what) ? "stopped after %.1f" : "%.1f")
                        .formatted(median(what)),
                    stopped.contains(what)
                        ? ""
                        : "%,.0f"
                            .formatted(
                                (what.contains("one entity") ? sizes.hot() : sizes.rows())
                                    / median(what))));
    TextTable figures = new TextTable("ratio (medians)", "is");
    ratios().forEach((name, value) -> figures.row(name, "%.2f".formatted(value)));
    if (sizes.hot() > 0) {
      figures.row("live heap with one entity, MB", Long.toString(liveHeap >> 20));
    }
    return table + "\n\n" + figures;
  }

  JsonObject json() {
    JsonObject whole = new JsonObject();
    whole.addProperty("rows", sizes.rows());
    whole.addProperty("entities", sizes.entities());
    whole.addProperty("features", sizes.features());
    whole.addProperty("runs", runs);
    JsonObject medians = new JsonObject();
    seconds.keySet().forEach(what -> medians.addProperty(what, rounded(median(what))));
    whole.add("median_seconds", medians);
    JsonArray ended = new JsonArray();
    stopped.forEach(ended::add);
    whole.add("stopped", ended);
    JsonObject ratios = new JsonObject();
    ratios().forEach((name, value) -> ratios.addProperty(name, rounded(value)));
    whole.add("ratios", ratios);
    if (sizes.hot() > 0) {
      whole.addProperty("hot_rows", sizes.hot());
      whole.addProperty("hot_live_heap_bytes", liveHeap);
    }
    return whole;
  }

  private static double rounded(double value) {
    return Double.parseDouble(String.format(Locale.ROOT, "%.3f", value));
  }
}
