package dev.tarn.bench.lookup;

import dev.tarn.bench.lookup.SkewedLookups.Skewed;
import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.LoadGenerators.Latency;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Console;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Collects what was measured, and prints it. */
final class LookupReport {

  /**
   * Minutes from which on the aim of the long run holds; the slowest of few requests say little.
   */
  private static final int MINUTES_OF_AIM = 10;

  static final String TARN = "Tarn";
  static final String FLOOR = "floor";
  static final String OBJECTS = "objects";

  private final int minutes;
  private final List<Outcome> outcomes = new ArrayList<>();
  private Optional<Latency> quarter = Optional.empty();
  private Optional<Latency> soak = Optional.empty();
  private Optional<SkewedLookups.Result> skewed = Optional.empty();
  private Optional<LiveLookups.Result> live = Optional.empty();

  LookupReport(int minutes) {
    this.minutes = minutes;
  }

  /**
   * One server under one kind of request.
   *
   * @param perSecond requests a second at saturation; all that follows was measured at half of that
   */
  record Outcome(
      LookupShape shape,
      String server,
      double perSecond,
      Latency latency,
      double cpuMicros,
      double allocatedBytes,
      long failed) {}

  void add(Outcome outcome) {
    outcomes.add(outcome);
  }

  /** Takes the latency of single entities at a quarter of saturation. */
  void quarter(Latency latency) {
    quarter = Optional.of(latency);
  }

  /** Takes the latency of single entities over minutes. */
  void soak(Latency latency) {
    soak = Optional.of(latency);
  }

  void skewed(SkewedLookups.Result result) {
    skewed = Optional.of(result);
  }

  void live(LiveLookups.Result result) {
    live = Optional.of(result);
  }

  /** Finds what was measured of a server under one kind of request. */
  Outcome outcome(LookupShape shape, String server) {
    return outcomes.stream()
        .filter(outcome -> outcome.shape().equals(shape) && outcome.server().equals(server))
        .findFirst()
        .orElseThrow();
  }

  void print(Console console, boolean asJson) {
    figures().print(console, asJson, outcomes.isEmpty() ? "" : table());
  }

  private String table() {
    TextTable table =
        new TextTable(
            "entities × features",
            "server",
            "requests/s",
            "paced",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU µs",
            "allocated bytes",
            "failed");
    for (Outcome outcome : outcomes) {
      table.row(
          outcome.shape().toString(),
          outcome.server(),
          "%,.0f".formatted(outcome.perSecond()),
          "%,.0f".formatted(outcome.latency().perSecond()),
          millis(outcome.latency().p50()),
          millis(outcome.latency().p99()),
          millis(outcome.latency().p999()),
          "%.1f".formatted(outcome.cpuMicros()),
          "%,.0f".formatted(outcome.allocatedBytes()),
          Long.toString(outcome.failed()));
    }
    return table.toString();
  }

  static String millis(double micros) {
    return "%.2f".formatted(micros / 1e3);
  }

  private Figures figures() {
    LookupShape one = new LookupShape(false, 1, LookupShape.WIDTH);
    LookupShape hundred = new LookupShape(false, 100, LookupShape.WIDTH);
    LookupShape vectors = new LookupShape(true, 100, LookupShape.WIDTH);
    Figures figures = new Figures();
    outcomes.forEach(outcome -> add(figures, outcome));
    if (!outcomes.isEmpty()) {
      figures.add(one + ": Tarn ÷ floor", ratio(one, FLOOR), ">= 0.85");
      figures.add(hundred + ": Tarn ÷ objects", ratio(hundred, OBJECTS), ">= 3");
      figures.add(vectors + ": Tarn ÷ floor", ratio(vectors, FLOOR), ">= 0.8");
      figures.add(one + ": p99 ms", outcome(one, TARN).latency().p99() / 1e3, "< 1");
      figures.add(hundred + ": p99 ms", outcome(hundred, TARN).latency().p99() / 1e3, "< 5");
    }
    quarter.ifPresent(latency -> figures.add(one + " at a quarter: p99 ms", latency.p99() / 1e3));
    soak.ifPresent(latency -> addSoak(figures, latency));
    skewed.ifPresent(result -> addSkewed(figures, result));
    live.ifPresent(result -> result.addTo(figures));
    return figures;
  }

  private static void add(Figures figures, Outcome outcome) {
    String name = outcome.shape() + ", " + outcome.server();
    figures.addOfTables(name + ": requests/s", outcome.perSecond());
    figures.addOfTables(name + ": paced requests/s", outcome.latency().perSecond());
    figures.addOfTables(name + ": paced p50 ms", outcome.latency().p50() / 1e3);
    figures.addOfTables(name + ": paced p99 ms", outcome.latency().p99() / 1e3);
    figures.addOfTables(name + ": paced p99.9 ms", outcome.latency().p999() / 1e3);
    figures.addOfTables(name + ": CPU µs/request", outcome.cpuMicros());
    figures.addOfTables(name + ": allocated bytes/request", outcome.allocatedBytes());
    figures.addOfTables(name + ": failed requests", (double) outcome.failed());
  }

  private void addSoak(Figures figures, Latency latency) {
    figures.add("p50 ms over %d min".formatted(minutes), latency.p50() / 1e3);
    figures.add("p99.9 ms over %d min".formatted(minutes), latency.p999() / 1e3);
    String name = "p99.9 ÷ p50 over %d min".formatted(minutes);
    double ratio = latency.p999() / latency.p50();
    if (minutes >= MINUTES_OF_AIM) {
      figures.add(name, ratio, "<= 10");
    } else {
      figures.add(name, ratio);
    }
  }

  private static void addSkewed(Figures figures, SkewedLookups.Result skewed) {
    Skewed without = skewed.without();
    Skewed with = skewed.with();
    figures.add("Zipf 1.0, no near cache: requests/s", without.perSecond());
    figures.add("Zipf 1.0, near cache: requests/s", with.perSecond());
    figures.add("Zipf 1.0, near cache: share of rows in it", skewed.nearShare());
    figures.add("Zipf 1.0: near cache ÷ without", with.perSecond() / without.perSecond(), ">= 1.8");
    figures.add("Zipf 1.0, no near cache: CPU µs, Redis's too", without.cpuMicros());
    figures.add("Zipf 1.0, near cache: CPU µs, Redis's too", with.cpuMicros());
    figures.add("Zipf 1.0: CPU without near cache ÷ with", without.cpuMicros() / with.cpuMicros());
  }

  private double ratio(LookupShape shape, String rival) {
    return outcome(shape, TARN).perSecond() / outcome(shape, rival).perSecond();
  }
}
