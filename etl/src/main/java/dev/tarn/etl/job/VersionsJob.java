package dev.tarn.etl.job;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TextTable;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.util.ArrayList;
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
    List<VersionResult> results = new ArrayList<>();
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
            List<VersionRecord> records = store.records(view);
            for (VersionRecord record : records) {
              boolean isReleased = record.getVersion().equals(release.version());
              String releasedAt = isReleased ? release.releasedAt().toString() : "-";
              table.row(
                  view,
                  record.getVersion(),
                  isReleased ? "released" : "kept",
                  Long.toString(record.getSnapshotId()),
                  Timestamps.toString(record.getAsOf()),
                  "%,d".formatted(record.getRows()),
                  Timestamps.toString(record.getCreatedAt()),
                  releasedAt);
              results.add(result(record, isReleased ? Optional.of(release) : Optional.empty()));
            }
          }
        });
    if (line.isJson()) {
      console.result(Json.of(results));
    } else if (releases.isEmpty()) {
      console.result("Nothing is released yet: ./tarn push view=…");
    } else {
      console.result(table.toString());
    }
  }

  private static VersionResult result(VersionRecord record, Optional<Release> release) {
    return new VersionResult(
        record.getFeatureView(),
        record.getVersion(),
        release.isPresent() ? "released" : "kept",
        Long.toString(record.getSnapshotId()),
        Timestamps.toString(record.getAsOf()),
        record.getRows(),
        Timestamps.toString(record.getCreatedAt()),
        release.map(current -> current.releasedAt().toString()));
  }

  private record VersionResult(
      String featureView,
      String version,
      String state,
      String snapshotId,
      String asOf,
      long rows,
      String pushedAt,
      Optional<String> releasedAt) {}
}
