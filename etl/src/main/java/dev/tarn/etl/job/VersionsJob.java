package dev.tarn.etl.job;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.Manifest;
import dev.tarn.redis.Release;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The command {@code versions}: what is released, what is kept, since when and of which snapshot.
 */
public final class VersionsJob {

  private VersionsJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    VersionStore store = new VersionStore(RedisServers.connect(settings));
    Map<String, Release> releases = store.releases();
    Optional<String> only = line.optional("view");
    if (only.isPresent() && !releases.containsKey(only.get())) {
      throw new UsageException(
          "nothing is released of a feature view '%s'%s"
              .formatted(only.get(), Suggestion.forName(only.get(), releases.keySet())));
    }
    JsonArray json = new JsonArray();
    TextTable table =
        new TextTable(
            "feature view",
            "version",
            "state",
            "snapshot id",
            "as-of",
            "rows",
            "pushed at",
            "released at");
    releases.forEach(
        (view, release) -> {
          if (only.isEmpty() || only.get().equals(view)) {
            List<Manifest> manifests = store.manifests(view);
            for (Manifest manifest : manifests) {
              boolean isReleased = manifest.getVersion().equals(release.version());
              String releasedAt = isReleased ? release.releasedAt().toString() : "-";
              table.row(
                  view,
                  manifest.getVersion(),
                  isReleased ? "released" : "kept",
                  Long.toString(manifest.getSnapshotId()),
                  Timestamps.toString(manifest.getAsOf()),
                  "%,d".formatted(manifest.getRows()),
                  Timestamps.toString(manifest.getCreatedAt()),
                  releasedAt);
              json.add(json(manifest, isReleased, releasedAt));
            }
          }
        });
    if (line.isJson()) {
      console.result(json.toString());
    } else if (releases.isEmpty()) {
      console.result("Nothing is released yet: ./tarn push view=…");
    } else {
      console.result(table.toString());
    }
  }

  private static JsonObject json(Manifest manifest, boolean isReleased, String releasedAt) {
    JsonObject object = new JsonObject();
    object.addProperty("feature_view", manifest.getFeatureView());
    object.addProperty("version", manifest.getVersion());
    object.addProperty("state", isReleased ? "released" : "kept");
    object.addProperty("snapshot_id", Long.toString(manifest.getSnapshotId()));
    object.addProperty("as_of", Timestamps.toString(manifest.getAsOf()));
    object.addProperty("rows", manifest.getRows());
    object.addProperty("pushed_at", Timestamps.toString(manifest.getCreatedAt()));
    if (isReleased) {
      object.addProperty("released_at", releasedAt);
    }
    return object;
  }
}
