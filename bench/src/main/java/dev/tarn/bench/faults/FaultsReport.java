package dev.tarn.bench.faults;

import dev.tarn.bench.testbed.Figures;
import dev.tarn.etl.console.Console;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Counts what a campaign of faults did, and what it found that must not be. */
final class FaultsReport {

  /** The count of releases that were lost, or that the server did not answer from. */
  static final String LOST = "served versions lost";

  private final Map<String, Long> done = new LinkedHashMap<>();
  private final Map<String, Long> mustBeNone = new LinkedHashMap<>();

  synchronized void did(String what, long count) {
    done.merge(what, count, Long::sum);
  }

  /** Adds to a count that must be 0 in the end; 0 makes the report name it. */
  synchronized void mustBeNone(String what, long count) {
    mustBeNone.merge(what, count, Long::sum);
  }

  /** Lists what was found that must not be; empty if all is well. */
  List<String> findings() {
    return mustBeNone.entrySet().stream()
        .filter(entry -> entry.getValue() > 0)
        .map(entry -> "%s: %d".formatted(entry.getKey(), entry.getValue()))
        .toList();
  }

  void print(Console console, boolean asJson) {
    Figures figures = new Figures();
    done.forEach((what, count) -> figures.add(what, (double) count));
    mustBeNone.forEach((what, count) -> figures.add(what, (double) count, "= 0"));
    figures.print(console, asJson);
  }
}
