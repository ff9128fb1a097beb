package dev.tarn.bench.lookup;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.bench.lookup.LoadGenerators.Latency;
import dev.tarn.bench.lookup.SkewedLookups.Skewed;
import dev.tarn.cli.TextTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Collects what was measured, and prints it. */
final class LookupReport {

  static final String TARN = "Tarn";
  static final String FLOOR = "floor";
  static final String OBJECTS = "objects";

  private final long entities;
  private final int minutes;
  private final List<Outcome> outcomes = new ArrayList<>();
  private Optional<Latency> quarter = Optional.empty();
  private Optional<Latency> soak = Optional.empty();
  private Optional<SkewedLookups.Result> skewed = Optional.empty();

  LookupReport(long entities, int minutes) {
    this.entities = entities;
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

  /** Finds what was measured of a server under one kind of request. */
  Outcome outcome(LookupShape shape, String server) {
    return outcomes.stream()
        .filter(outcome -> outcome.shape().equals(shape) && outcome.server().equals(server))
        .findFirst()
        .orElseThrow();
  }

  String table() {
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
    TextTable figures = new TextTable("figure", "is", "aim");
    for (Figure figure : figures()) {
      figures.row(figure.name(), "%.2f".formatted(figure.value()), figure.aim());
    }
    return outcomes.isEmpty() ? figures.toString() : table + "\n\n" + figures;
  }

  static String millis(double micros) {
    return "%.2f".formatted(micros / 1e3);
  }

  /** A figure and what it should be. */
  private record Figure(String name, double value, String aim) {}

  private List<Figure> figures() {
    LookupShape one = new LookupShape(false, 1, LookupShape.WIDTH);
    LookupShape hundred = new LookupShape(false, 100, LookupShape.WIDTH);
    LookupShape vectors = new LookupShape(true, 100, LookupShape.WIDTH);
    List<Figure> figures = new ArrayList<>();
    if (!outcomes.isEmpty()) {
      figures.add(new Figure(one + ": Tarn ÷ floor", ratio(one, FLOOR), ">= 0.85"));
      figures.add(new Figure(hundred + ": Tarn ÷ objects", ratio(hundred, OBJECTS), ">= 3"));
      figures.add(new Figure(vectors + ": Tarn ÷ floor", ratio(vectors, FLOOR), ">= 0.8"));
      figures.add(new Figure(one + ": p99 ms", outcome(one, TARN).latency().p99() / 1e3, "< 1"));
      figures.add(
          new Figure(hundred + ": p99 ms", outcome(hundred, TARN).latency().p99() / 1e3, "< 5"));
    }
    quarter.ifPresent(
        latency ->
            figures.add(new Figure(one + " at a quarter: p99 ms", latency.p99() / 1e3, "-")));
    soak.ifPresent(
        latency -> {
          figures.add(
              new Figure("p50 ms over %d min".formatted(minutes), latency.p50() / 1e3, "-"));
          figures.add(
              new Figure("p99.9 ms over %d min".formatted(minutes), latency.p999() / 1e3, "-"));
          figures.add(
              new Figure(
                  "p99.9 ÷ p50 over %d min".formatted(minutes),
                  latency.p999() / latency.p50(),
                  "<= 10 over 10 min"));
        });
    skewed.ifPresent(result -> figures.addAll(figures(result)));
    return figures;
  }

  private static List<Figure> figures(SkewedLookups.Result skewed) {
    Skewed without = skewed.without();
    Skewed with = skewed.with();
    return List.of(
        new Figure("Zipf 1.0, no near cache: requests/s", without.perSecond(), "-"),
        new Figure("Zipf 1.0, near cache: requests/s", with.perSecond(), "-"),
        new Figure("Zipf 1.0, near cache: share of rows in it", skewed.nearShare(), "-"),
        new Figure(
            "Zipf 1.0: near cache ÷ without", with.perSecond() / without.perSecond(), ">= 1.8"),
        new Figure("Zipf 1.0, no near cache: CPU µs, Redis's too", without.cpuMicros(), "-"),
        new Figure("Zipf 1.0, near cache: CPU µs, Redis's too", with.cpuMicros(), "-"),
        new Figure(
            "Zipf 1.0: CPU without near cache ÷ with",
            without.cpuMicros() / with.cpuMicros(),
            "-"));
  }

  private double ratio(LookupShape shape, String rival) {
    return outcome(shape, TARN).perSecond() / outcome(shape, rival).perSecond();
  }

  JsonObject json() {
    JsonObject whole = new JsonObject();
    whole.addProperty("entities", entities);
    JsonArray all = new JsonArray();
    for (Outcome outcome : outcomes) {
      JsonObject one = new JsonObject();
      one.addProperty("rpc", outcome.shape().method());
      one.addProperty("entities", outcome.shape().entities());
      one.addProperty("features", outcome.shape().features());
      one.addProperty("server", outcome.server());
      one.addProperty("requests_per_second", outcome.perSecond());
      one.addProperty("paced_per_second", outcome.latency().perSecond());
      one.addProperty("p50_us", outcome.latency().p50());
      one.addProperty("p99_us", outcome.latency().p99());
      one.addProperty("p999_us", outcome.latency().p999());
      one.addProperty("cpu_us_per_request", outcome.cpuMicros());
      one.addProperty("allocated_bytes_per_request", outcome.allocatedBytes());
      one.addProperty("failed", outcome.failed());
      all.add(one);
    }
    whole.add("servers", all);
    JsonObject figures = new JsonObject();
    figures().forEach(figure -> figures.addProperty(figure.name(), figure.value()));
    whole.add("figures", figures);
    return whole;
  }
}
