package dev.tarn.etl.job;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.train.Output;
import dev.tarn.etl.train.Training;
import dev.tarn.etl.train.TrainingSet;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Runs the command {@code train}: makes a training set of a spine and a feature service, or makes
 * one again from its manifest.
 */
public final class TrainJob {

  private TrainJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    boolean isAgain = line.has("manifest");
    boolean overwrite = line.flag("overwrite");
    String out = line.text("out");
    if (!isAgain && !(line.has("spine") && line.has("service"))) {
      throw new UsageException("train needs spine=…, service=… and out=…, or manifest=… and out=…");
    }
    Instant start = Instant.now();
    try (Lake lake = Lake.open(settings)) {
      // Checked before anything is read, since a set takes long.
      Output unused = Output.of(lake, out, overwrite);
      Training training = new Training(lake, settings, console);
      TrainingSet set;
      try (Pulse pulse = TaskProgress.show(lake, console, "train")) {
        set =
            isAgain
                ? training.setAgain(line, Optional.empty())
                : training.newSet(line, Optional.empty());
        set.save(out, overwrite);
      }
      double seconds = Duration.between(start, Instant.now()).toMillis() / 1e3;
      console.say(
          "%s in %.1f s (%,.0f rows/s), manifest %s",
          Plural.of(set.count(), "row"), seconds, set.count() / seconds, set.id());
      console.result(asJson ? json(set, out, seconds) : table(set.stored()));
    }
  }

  private static String table(TrainingManifest manifest) {
    TextTable table = new TextTable("feature view", "snapshot id", "released from", "to");
    for (TrainingView view : manifest.getViewsList()) {
      if (view.hasEvents()) {
        long snapshot = view.getEvents().getSnapshotId();
        table.row(
            view.getFeatureView(),
            "%s of source '%s'"
                .formatted(
                    snapshot == 0 ? "files" : Long.toString(snapshot),
                    view.getEvents().getSource().getName()),
            "-",
            "-");
      }
      if (view.hasLive()) {
        table.row(view.getFeatureView(), "live, at the cuts of its answers", "-", "-");
        continue;
      }
      for (TrainingReading reading : view.getReadingsList()) {
        table.row(
            view.getFeatureView(),
            Long.toString(reading.getSnapshotId()),
            reading.hasReleasedAt() ? Timestamps.toString(reading.getReleasedAt()) : "-",
            reading.hasRetiredAt() ? Timestamps.toString(reading.getRetiredAt()) : "-");
      }
    }
    return table.toString();
  }

  private static String json(TrainingSet set, String out, double seconds) {
    return Json.of(
        new TrainResult(
            set.id(), out, set.count(), seconds, JsonParser.parseString(set.manifest())));
  }

  private record TrainResult(
      String manifest, String out, long rows, double seconds, JsonElement definition) {}
}
