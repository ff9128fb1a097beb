package dev.tarn.etl.job;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.expire.Expire;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.PushSettings;
import dev.tarn.etl.redis.RedisServers;
import java.time.Duration;
import java.util.Collection;
import java.util.List;

/** Runs the command {@code expire}: removes snapshots and files that nothing needs. */
public final class ExpireJob {

  private ExpireJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    PushSettings push = settings.read(PushSettings::of);
    Duration olderThan = line.duration("older-than", Duration.ofDays(30));
    Definitions definitions = Definitions.load(settings);
    Collection<FeatureView> views =
        line.has("view") ? List.of(definitions.view(line.text("view"))) : definitions.views();
    RedisServers redis = RedisServers.connect(settings);
    Duration orphans =
        olderThan.compareTo(Expire.LONGEST_BUILD) > 0 ? olderThan : Expire.LONGEST_BUILD;
    try (Lake lake = Lake.open(settings)) {
      List<Expire.Outcome> outcomes =
          new Expire(
                  lake,
                  redis,
                  console,
                  push.keep(),
                  push.grace(),
                  olderThan,
                  orphans)
              .expire(views.stream().map(FeatureView::name).toList());
      if (asJson) {
        console.result(json(outcomes));
      }
    }
  }

  private static String json(List<Expire.Outcome> outcomes) {
    JsonArray tables = new JsonArray();
    for (Expire.Outcome outcome : outcomes) {
      JsonObject table = new JsonObject();
      table.addProperty("table", outcome.table());
      table.addProperty("snapshots_expired", outcome.snapshots());
      table.addProperty("files_deleted", outcome.files());
      table.addProperty("orphan_files_deleted", outcome.orphans());
      table.add("branches_removed", array(outcome.deadBuilds()));
      table.add("versions_pruned", array(outcome.pruned()));
      table.add("tags_put_back", array(outcome.tagged()));
      JsonArray kept = new JsonArray();
      for (Expire.Kept version : outcome.kept()) {
        JsonObject object = new JsonObject();
        object.addProperty("version", version.version());
        object.addProperty("state", version.isReleased() ? "released" : "kept");
        object.addProperty("snapshot_id", Long.toString(version.snapshotId()));
        object.addProperty("snapshot_exists", !version.isLost());
        kept.add(object);
      }
      table.add("kept", kept);
      tables.add(table);
    }
    JsonObject whole = new JsonObject();
    whole.add("tables", tables);
    return whole.toString();
  }

  private static JsonArray array(List<String> texts) {
    JsonArray array = new JsonArray();
    texts.forEach(array::add);
    return array;
  }
}
