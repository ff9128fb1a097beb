package dev.tarn.bench.train;

import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.Stopwatch;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Console;
import java.util.List;

/** Prints the medians of what was measured, and their ratios. */
final class TrainReport {

  /** The way of Feast's Spark store. */
  static final String FEASTS_WAY = "join on entity and time, row_number";

  private final Stopwatch watch;
  private final TrainSizes sizes;
  private final int runs;
  private final boolean hasRivals;

  private long liveHeap;

  TrainReport(Stopwatch watch, TrainSizes sizes, int runs, boolean hasRivals) {
    this.watch = watch;
    this.sizes = sizes;
    this.runs = runs;
    this.hasRivals = hasRivals;
  }

  /** Names a way at a size. */
  static String name(String name, int views, int count) {
    return "%s; %s, %s".formatted(name, Plural.of(views, "view"), Plural.of(count, "as-of"));
  }

  /** Notes the peak of the live heap in the measurement of one entity, in bytes. */
  void liveHeap(long bytes) {
    liveHeap = bytes;
  }

  void print(Console console, boolean asJson) {
    figures().print(console, asJson, table());
  }

  private Figures figures() {
    Figures figures = new Figures();
    watch.addTo(figures);
    for (int count : sizes.asOfs()) {
      for (int views : sizes.views(count)) {
        if (hasRivals && isDone(views, count)) {
          addRival(figures, FEASTS_WAY, views, count);
          addRival(figures, "union and one window", views, count);
        }
      }
      if (sizes.wideAsOfs().contains(count) && isDone(1, count)) {
        addTarn(
            figures,
            "Tarn, %d views ÷ one; %s".formatted(TrainSizes.VIEWS, Plural.of(count, "as-of")),
            name("Tarn", TrainSizes.VIEWS, count),
            name("Tarn", 1, count),
            "< 2");
      }
    }
    if (sizes.asOfs().containsAll(List.of(20, 100)) && isDone(1, 20)) {
      addTarn(figures, "Tarn, 100 as-ofs ÷ 20", name("Tarn", 1, 100), name("Tarn", 1, 20), "<= 5");
    }
    if (sizes.hot() > 0) {
      figures.add("live heap with one entity, MB", (double) (liveHeap >> 20));
    }
    return figures;
  }

  private void addRival(Figures figures, String rival, int views, int count) {
    String what = name(rival, views, count);
    String ratio = name(rival + " ÷ Tarn", views, count) + watch.bound(what);
    double value = watch.median(what) / watch.median(name("Tarn", views, count));
    if (rival.equals(FEASTS_WAY) && (count == 20 || count == 100)) {
      figures.add(ratio, value, count == 20 ? ">= 3" : ">= 10");
    } else {
      figures.add(ratio, value);
    }
  }

  /** Adds how many times as long Tarn takes for more; what was stopped may not meet the aim. */
  private void addTarn(Figures figures, String ratio, String more, String less, String aim) {
    double value = watch.median(more) / watch.median(less);
    if (watch.isStopped(more)) {
      figures.add(ratio + watch.bound(more), value);
    } else {
      figures.add(ratio, value, aim);
    }
  }

  private boolean isDone(int views, int count) {
    return !watch.isStopped(name("Tarn", views, count));
  }

  private String table() {
    TextTable table = new TextTable("median of " + runs, "s", "spine rows/s");
    watch
        .names()
        .forEach(
            what ->
                watch.addTo(table, what, what.contains("one entity") ? sizes.hot() : sizes.rows()));
    return table.toString();
  }
}
