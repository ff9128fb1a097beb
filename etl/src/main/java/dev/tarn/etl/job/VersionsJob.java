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
import dev.tarn.live.Progress;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

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
    if (only.isPresent()
        && !releases.containsKey(only.get())
        && store.records(only.get()).isEmpty()) {
      throw new UsageException(
          "nothing is released of a feature view '%s'%s"
              .formatted(only.get(), Suggestion.forName(only.get(), releases.keySet())));
    }
    Map<String, Release> pins = store.pins();
    List<String> pinned = new ArrayList<>();
    List<VersionResult> results = new ArrayList<>();
    List<String> live = new ArrayList<>();
    Instant now = store.now();
    Map<String, Optional<Release>> views = new TreeMap<>();
    releases.forEach((view, release) -> views.put(view, Optional.of(release)));
    // A version that waits for its live cells, with nothing released yet.
    only.ifPresent(view -> views.putIfAbsent(view, Optional.empty()));
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
    views.forEach(
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
              boolean isReleased =
                  release.filter(is -> is.version().equals(record.getVersion())).isPresent();
              boolean isPinned =
                  pin.filter(at -> at.version().equals(record.getVersion())).isPresent();
              String releasedAt = isReleased ? release.get().releasedAt().toString() : "-";
              Optional<LiveState> state =
                  record.hasLive()
                      ? Optional.of(LiveState.of(record, store, now))
                      : Optional.empty();
              state.ifPresent(is -> live.add(is.text(record)));
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
                      isReleased ? release : Optional.empty(),
                      isPinned ? pin : Optional.empty(),
                      state));
            }
          }
        });
    if (results.isEmpty()) {
      console.nothing(
          line.isJson() ? Json.of(results) : "Nothing is released yet: ./tarn push view=…");
    } else if (line.isJson()) {
      console.result(Json.of(results));
    } else {
      console.result(table.toString());
      live.forEach(console::result);
      pinned.forEach(console::result);
    }
  }

  private static String state(boolean isReleased) {
    return isReleased ? "released" : "kept";
  }

  private static VersionResult result(
      VersionRecord record,
      Optional<Release> release,
      Optional<Release> pin,
      Optional<LiveState> live) {
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
        pin.map(at -> at.releasedAt().toString()),
        live);
  }

  /**
   * The base of a live view, and how far its live cells are.
   *
   * @param cut the first offset of each partition that is not in the base
   * @param applied the first offset of each partition that may not be in the live cells
   * @param completeThrough empty: nothing has been applied
   */
  private record LiveState(
      String generation,
      Map<Integer, Long> cut,
      Map<Integer, Long> applied,
      Optional<String> completeThrough,
      Optional<Double> lagSeconds) {

    static LiveState of(VersionRecord record, VersionStore store, Instant now) {
      String generation = record.getLive().getGeneration();
      Map<Integer, Progress> progress = store.progress(record.getFeatureView(), generation);
      Map<Integer, Long> applied = new TreeMap<>();
      progress.forEach((partition, at) -> applied.put(partition, at.next()));
      Optional<Instant> through =
          progress.values().stream()
              .map(Progress::through)
              .min(Long::compare)
              .map(micros -> Instant.EPOCH.plus(micros, ChronoUnit.MICROS));
      return new LiveState(
          generation,
          new TreeMap<>(record.getLive().getCutMap()),
          applied,
          through.map(Instant::toString),
          through.map(at -> Duration.between(at, now).toMillis() / 1000.0));
    }

    String text(VersionRecord record) {
      return "%s: the base of %s has the events before %s; live cells (generation %s) %s"
          .formatted(
              record.getFeatureView(),
              record.getVersion(),
              offsets(cut),
              generation,
              completeThrough
                  .map(
                      at ->
                          "those before %s, complete through %s, %.1f s ago"
                              .formatted(offsets(applied), at, lagSeconds.orElseThrow()))
                  .orElse("are not there yet: ./tarn live makes them"));
    }

    private static String offsets(Map<Integer, Long> offsets) {
      return offsets.entrySet().stream()
          .map(entry -> entry.getKey() + ": " + entry.getValue())
          .collect(Collectors.joining(", "));
    }
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
      Optional<String> pinnedAt,
      Optional<LiveState> live) {}
}
