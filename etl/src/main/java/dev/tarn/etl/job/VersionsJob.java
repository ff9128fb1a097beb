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
 * The command {@code versions}: what is released, kept and pinned, since when and of which
 * snapshot.
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
    Map<String, Release> pins = store.pins();
    List<String> pinned = new ArrayList<>();
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
            Optional<Release> pin = Optional.ofNullable(pins.get(view));
            pin.ifPresent(
                at ->
                    pinned.add(
                        "%s is pinned to %s by a rollback at %s: pushes release nothing until ./tarn unpin view=%s"
                            .formatted(view, at.version(), at.releasedAt(), view)));
            List<VersionRecord> records = store.records(view);
            for (VersionRecord record : records) {
              boolean isReleased = record.getVersion().equals(release.version());
              boolean isPinned =
                  pin.filter(at -> at.version().equals(record.getVersion())).isPresent();
              String releasedAt = isReleased ? release.releasedAt().toString() : "-";
              table.row(
                  view,
                  record.getVersion(),
                  state(isReleased) + (isPinned ? ", pinned" : ""),
                  Long.toString(record.getSnapshotId()),
                  Timestamps.toString(record.getAsOf()),
                  "%,d".formatted(record.getRows()),
                  Timestamps.toString(record.getCreatedAt()),
                  releasedAt);
              results.add(
                  result(
                      record,
                      isReleased ? Optional.of(release) : Optional.empty(),
                      isPinned ? pin : Optional.empty()));
            }
          }
        });
    if (releases.isEmpty()) {
      console.nothing(
          line.isJson() ? Json.of(results) : "Nothing is released yet: ./tarn push view=…");
    } else if (line.isJson()) {
      console.result(Json.of(results));
    } else {
      console.result(table.toString());
      pinned.forEach(console::result);
    }
  }

  private static String state(boolean isReleased) {
    return isReleased ? "released" : "kept";
  }

  private static VersionResult result(
      VersionRecord record, Optional<Release> release, Optional<Release> pin) {
    return new VersionResult(
        record.getFeatureView(),
        record.getVersion(),
        state(release.isPresent()),
        Long.toString(record.getSnapshotId()),
        Timestamps.toString(record.getAsOf()),
        record.getRows(),
        Timestamps.toString(record.getCreatedAt()),
        release.map(current -> current.releasedAt().toString()),
        pin.isPresent(),
        pin.map(at -> at.releasedAt().toString()));
  }

  private record VersionResult(
      String featureView,
      String version,
      String state,
      String snapshotId,
      String asOf,
      long rows,
      String pushedAt,
      Optional<String> releasedAt,
      boolean pinned,
      Optional<String> pinnedAt) {}
}
