package dev.tarn.etl.job;

import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.read.SnapshotLookup;
import dev.tarn.etl.read.StampLookup;
import dev.tarn.live.StampText;
import dev.tarn.manifest.Stamp;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Runs the command {@code get} with {@code snapshot=} or {@code stamp=}: answers a lookup from
 * Iceberg.
 */
public final class GetJob {

  private GetJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    if (line.has("target")) {
      throw new UsageException(
          "target= is the server's address, and snapshot= and stamp= ask Iceberg");
    }
    if (line.has("every")) {
      throw new UsageException("every= asks a server again and again; Iceberg answers once");
    }
    if (line.has("stamp") && (line.has("snapshot") || line.has("view"))) {
      throw new UsageException(
          "stamp= says of which views and snapshots the answer is: leave out snapshot= and view=");
    }
    Optional<Stamp> stamp = line.optional("stamp").map(StampText::parse);
    String snapshot = stamp.isPresent() ? "" : line.text("snapshot");
    boolean asJson = line.isJson();
    List<String> ids = line.list("ids").stream().distinct().toList();
    Definitions definitions = Definitions.load(settings);
    try (Lake lake = Lake.open(settings)) {
      GetOnlineFeaturesResponse answer =
          stamp.isPresent()
              ? new StampLookup(lake).get(definitions, stamp.get(), ids, line.list("features"))
              : atSnapshot(lake, definitions, line, snapshot, ids);
      console.result(
          asJson
              ? AnswerPrinter.json(answer, ids)
              : AnswerPrinter.table(answer, ids, Instant.now()));
    }
  }

  private static GetOnlineFeaturesResponse atSnapshot(
      Lake lake, Definitions definitions, CommandLine line, String snapshot, List<String> ids) {
    SnapshotLookup lookup = new SnapshotLookup(lake);
    FeatureView view = lookup.viewOf(definitions, line, snapshot);
    return lookup.get(view, snapshot, ids, line.list("features"));
  }
}
