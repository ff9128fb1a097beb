package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.compute.Drop;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Runs the command {@code drop}: takes one as-of out of a feature table's main. */
public final class DropJob {

  private final Settings settings;
  private final Console console;
  private final FeatureView view;
  private final Instant asOf;

  private DropJob(Settings settings, Console console, FeatureView view, Instant asOf) {
    this.settings = settings;
    this.console = console;
    this.view = view;
    this.asOf = asOf;
  }

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    boolean isDryRun = line.flag("dry-run");
    Instant asOf = Moments.parse("as-of", line.text("as-of"));
    FeatureView view = Definitions.load(settings).view(line.text("view"));
    DropResult result = new DropJob(settings, console, view, asOf).run(isDryRun);
    if (asJson) {
      console.result(Json.of(result));
    }
  }

  private DropResult run(boolean isDryRun) {
    String name = view.name();
    try (Lake lake = Lake.open(settings)) {
      FeatureTable table =
          FeatureTable.find(lake.catalog(), name)
              .orElseThrow(
                  () -> new UsageException("nothing has been built of '%s'".formatted(name)));
      refuseWhatSetsNeed(lake, table);
      Drop drop = new Drop(lake, view, table, console);
      long rows;
      try (Pulse pulse = TaskProgress.show(lake, console, name + " as of " + asOf)) {
        rows = drop.rows(asOf);
      }
      sayWhatHappens(table, rows);
      if (isDryRun) {
        console.say("%s: nothing is done, as dry-run=true says", name);
        return new DropResult(name, asOf.toString(), false, rows, Optional.empty());
      }
      Drop.Dropped dropped;
      try (Pulse pulse = TaskProgress.show(lake, console, name + " as of " + asOf)) {
        dropped = drop.drop(asOf);
      }
      console.say("%s as of %s is dropped, snapshot %d", name, asOf, dropped.snapshotId());
      return new DropResult(
          name,
          asOf.toString(),
          true,
          dropped.rows(),
          Optional.of(Long.toString(dropped.snapshotId())));
    }
  }

  private void refuseWhatSetsNeed(Lake lake, FeatureTable table) {
    List<String> sets =
        new TrainingSets(lake.catalog())
            .madeFrom(view.name(), snapshotId -> table.mayHave(snapshotId, asOf));
    if (!sets.isEmpty()) {
      throw new TarnException(
          "%s as of %s is not dropped: %s made from snapshots that have it and can be made again; first ./tarn retire manifest=… what need not be"
              .formatted(view.name(), asOf, TrainingSets.names(sets)));
    }
  }

  private void sayWhatHappens(FeatureTable table, long rows) {
    String name = view.name();
    console.say(
        "%s: %s as of %s %s from main of %s; older snapshots have them until ./tarn expire takes those",
        name, Plural.of(rows, "row"), asOf, Plural.choose(rows, "goes", "go"), table.sqlName());
    try {
      VersionStore versions = new VersionStore(RedisServers.connect(settings));
      Optional<String> released = versions.released(name).map(Release::version);
      for (VersionRecord record : versions.records(name)) {
        if (table.mayHave(record.getSnapshotId(), asOf)) {
          console.say(
              released.equals(Optional.of(record.getVersion()))
                  ? "%1$s: version %2$s is released and was made with it: lookups find that until the next ./tarn push view=%1$s"
                  : "%1$s: version %2$s is kept and was made with it: a rollback to it would bring that back",
              name,
              record.getVersion());
        }
      }
    } catch (TarnException e) {
      console.say("%s: which versions were made with it is not known: %s", name, Causes.reason(e));
    }
    console.say(
        "%s: the release history and other as-ofs stay as they are; ./tarn build view=%s as-of=%s would build it again",
        name, name, asOf);
  }

  private record DropResult(
      String featureView, String asOf, boolean dropped, long rows, Optional<String> snapshotId) {}
}
