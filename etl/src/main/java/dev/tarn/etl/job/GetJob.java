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
import java.time.Instant;
import java.util.List;

/** Runs the command {@code get} with {@code snapshot=}: answers a lookup from Iceberg. */
public final class GetJob {

  private GetJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    String snapshot = line.text("snapshot");
    if (line.has("target")) {
      throw new UsageException("target= is the server's address, and snapshot= asks Iceberg");
    }
    if (line.has("every")) {
      throw new UsageException("every= asks a server again and again; Iceberg answers once");
    }
    boolean asJson = line.isJson();
    List<String> ids = line.list("ids").stream().distinct().toList();
    Definitions definitions = Definitions.load(settings);
    try (Lake lake = Lake.open(settings)) {
      SnapshotLookup lookup = new SnapshotLookup(lake);
      FeatureView view = lookup.viewOf(definitions, line, snapshot);
      GetOnlineFeaturesResponse answer = lookup.get(view, snapshot, ids, line.list("features"));
      console.result(
          asJson
              ? AnswerPrinter.json(answer, ids)
              : AnswerPrinter.table(answer, ids, Instant.now()));
    }
  }
}
