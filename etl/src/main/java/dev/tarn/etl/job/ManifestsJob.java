package dev.tarn.etl.job;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.manifest.TrainingReading;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * Runs the commands {@code manifests} and {@code retire}: lists the training sets that can be made
 * again, and says that one need not be.
 */
public final class ManifestsJob {

  private ManifestsJob() {}

  /** Runs the command {@code manifests}. */
  public static void list(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    boolean all = line.flag("all");
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      List<TrainingSets.Entry> entries =
          new TrainingSets(catalog)
              .all().stream().filter(entry -> all || entry.retiredAt().isEmpty()).toList();
      if (entries.isEmpty()) {
        console.nothing(asJson ? json(entries) : "No training set is kept.");
      } else {
        console.result(asJson ? json(entries) : table(entries));
      }
    }
  }

  /** Runs the command {@code retire}. */
  public static void retire(CommandLine line, Settings settings, Console console) {
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      TrainingSets sets = new TrainingSets(catalog);
      String id = sets.find(line.text("manifest")).getId();
      sets.retire(id);
      console.say("%s is retired: the next ./tarn expire may take its snapshots", id);
    }
  }

  private static String table(List<TrainingSets.Entry> entries) {
    TextTable table =
        new TextTable(
            "manifest", "state", "feature service", "rows", "snapshots", "made at", "out");
    for (TrainingSets.Entry entry : entries) {
      table.row(
          entry.manifest().getId(),
          entry
              .retiredAt()
              .map(at -> "retired " + at.truncatedTo(ChronoUnit.MILLIS))
              .orElse("kept"),
          entry.manifest().getService().getName(),
          "%,d".formatted(entry.manifest().getSpine().getRows()),
          Long.toString(
              entry.manifest().getViewsList().stream()
                  .flatMapToLong(
                      view ->
                          view.hasEvents()
                              ? LongStream.of(view.getEvents().getSnapshotId())
                              : view.getReadingsList().stream()
                                  .mapToLong(TrainingReading::getSnapshotId))
                  .filter(snapshot -> snapshot != 0)
                  .distinct()
                  .count()),
          TrainingSets.createdAt(entry.manifest()).toString(),
          entry.out());
    }
    return table.toString();
  }

  private static String json(List<TrainingSets.Entry> entries) {
    return Json.of(
        entries.stream()
            .map(
                entry ->
                    new ManifestResult(
                        entry.manifest().getId(),
                        entry.out(),
                        entry.retiredAt().isPresent() ? "retired" : "kept",
                        entry.retiredAt().map(Instant::toString),
                        JsonParser.parseString(TrainingSets.json(entry.manifest()))))
            .toList());
  }

  private record ManifestResult(
      String manifest,
      String out,
      String state,
      Optional<String> retiredAt,
      JsonElement definition) {}
}
