package dev.tarn.bench.faults;

import com.google.gson.JsonObject;
import dev.tarn.cli.TextTable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Counts what a campaign of faults did, and what it found that must not be. */
final class FaultsReport {

  /** The count of releases that were lost, or that the server did not answer from. */
  static final String LOST = "served versions lost";

  private final Map<String, Long> done = new LinkedHashMap<>();
  private final Map<String, Long> mustBeNone = new LinkedHashMap<>();

  void did(String what, long count) {
    done.merge(what, count, Long::sum);
  }

  /** Adds to a count that must be 0 in the end; 0 makes the report name it. */
  void mustBeNone(String what, long count) {
    mustBeNone.merge(what, count, Long::sum);
  }

  /** Lists what was found that must not be; empty if all is well. */
  List<String> findings() {
    return mustBeNone.entrySet().stream()
        .filter(entry -> entry.getValue() > 0)
        .map(entry -> "%s: %d".formatted(entry.getKey(), entry.getValue()))
        .toList();
  }

  String table() {
    TextTable table = new TextTable("what", "count");
    done.forEach((what, count) -> table.row(what, "%,d".formatted(count)));
    mustBeNone.forEach((what, count) -> table.row(what + " (must be 0)", "%,d".formatted(count)));
    return table.toString();
  }

  JsonObject json() {
    JsonObject object = new JsonObject();
    done.forEach((what, count) -> object.addProperty(key(what), count));
    JsonObject none = new JsonObject();
    mustBeNone.forEach((what, count) -> none.addProperty(key(what), count));
    object.add("must_be_none", none);
    return object;
  }

  private static String key(String what) {
    return what.replaceAll("[^A-Za-z0-9]+", "_");
  }
}
