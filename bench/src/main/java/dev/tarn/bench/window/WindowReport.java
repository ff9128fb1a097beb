package dev.tarn.bench.window;

import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.Stopwatch;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Console;
import java.util.Map;

/** Prints the medians of what was measured, and their ratios. */
final class WindowReport {

  static final String FIVE = "Tarn, sums in 1m, 1h, 1d, 7d and 30d";
  static final String HOUR = "Tarn, sum in 1h";
  static final String MONTH = "Tarn, sum in 30d";
  static final String MIXED = "Tarn, six mixed aggregates";
  static final String FEWER_DAYS = "Tarn, five sums, a quarter of the days";
  static final String WINDOW_FUNCTIONS = "Spark's window functions";
  static final String RANGE_JOIN = "Spark's range join";
  static final String ONE_AS_OF = "Tarn, build of one as-of";
  static final String AS_OFS = "Tarn, build of daily as-ofs";
  static final String ARCHIVE = "Tarn, archive of a topic";
  static final String READ_TOPIC = "Spark reads the topic into nothing";
  static final String ONE_ENTITY = "Tarn, five sums of one entity";

  private final Stopwatch watch;
  private final WindowSizes sizes;
  private final int runs;
  private final boolean hasRivals;
  private long liveHeap;

  WindowReport(Stopwatch watch, WindowSizes sizes, int runs, boolean hasRivals) {
    this.watch = watch;
    this.sizes = sizes;
    this.runs = runs;
    this.hasRivals = hasRivals;
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
    if (watch.isStopped(FIVE)) {
      return figures;
    }
    double rate = sizes.rows() / watch.median(FIVE);
    figures.add("five sums, training rows/s", rate);
    if (hasRivals) {
      figures.add(
          "training rows/s ÷ Spark's range join of %,d rows".formatted(sizes.joinRows())
              + watch.bound(RANGE_JOIN),
          rate / (sizes.joinRows() / watch.median(RANGE_JOIN)),
          ">= 10");
      figures.add(
          "training rows/s ÷ Spark's window functions" + watch.bound(WINDOW_FUNCTIONS),
          rate / (sizes.rows() / watch.median(WINDOW_FUNCTIONS)),
          ">= 3");
    }
    addMore(figures, "five windows ÷ one of 30d, time", FIVE, MONTH, "<= 1.5");
    addMore(figures, "five windows ÷ one of 1h, time", FIVE, HOUR, "<= 1.5");
    addMore(
        figures,
        "%d days of events and rows ÷ %d days, time"
            .formatted(WindowSizes.DAYS, WindowSizes.SHORT_DAYS),
        FIVE,
        FEWER_DAYS,
        "<= 4.5");
    if (sizes.asOfs() > 0) {
      addMore(
          figures,
          "building %d daily as-ofs ÷ one, time".formatted(sizes.asOfs()),
          AS_OFS,
          ONE_AS_OF,
          "<= 3");
    }
    if (watch.names().contains(READ_TOPIC) && !watch.isStopped(ARCHIVE)) {
      figures.add(
          "archive, rows/s ÷ Spark reading the same topic into nothing",
          watch.median(READ_TOPIC) / watch.median(ARCHIVE),
          ">= 0.5");
    }
    if (sizes.hot() > 0) {
      String what = "one entity with %1$,d events and %1$,d rows".formatted(sizes.hot());
      figures.add(what + ", s" + watch.bound(ONE_ENTITY), watch.median(ONE_ENTITY));
      figures.add(what + ", live heap MB", (double) (liveHeap >> 20));
    }
    return figures;
  }

  /** Adds how many times as long more takes, unless one of the two was stopped. */
  private void addMore(Figures figures, String name, String more, String less, String aim) {
    if (!watch.isStopped(more) && !watch.isStopped(less)) {
      figures.add(name, watch.median(more) / watch.median(less), aim);
    }
  }

  private String table() {
    Map<String, Long> counts =
        Map.of(
            FEWER_DAYS, sizes.rows() * WindowSizes.SHORT_DAYS / WindowSizes.DAYS,
            RANGE_JOIN, sizes.joinRows(),
            ONE_AS_OF, sizes.entities(),
            AS_OFS, sizes.entities() * sizes.asOfs(),
            ARCHIVE, sizes.messages(),
            READ_TOPIC, sizes.messages(),
            ONE_ENTITY, sizes.hot());
    TextTable table = new TextTable("median of " + runs, "s", "rows/s");
    watch
        .names()
        .forEach(what -> watch.addTo(table, what, counts.getOrDefault(what, sizes.rows())));
    return table.toString();
  }
}
