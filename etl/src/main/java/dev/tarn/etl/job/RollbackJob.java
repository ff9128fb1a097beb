package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.LiveRules;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.StoredRows;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.Rights;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Runs the command {@code rollback}: releases an older version again, at once if Redis still has
 * it, and pins the view to it, so that the next scheduled push does not bring back what was just
 * rejected. Spark starts only if the version has to be pushed again.
 */
public final class RollbackJob {

  private RollbackJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    String view = line.text("view");
    if (line.has("version") && line.has("snapshot")) {
      throw new UsageException("rollback takes version= or snapshot=, not both");
    }
    RedisServers redis = RedisServers.connect(settings);
    VersionStore versions = new VersionStore(redis);
    Release released =
        versions
            .released(view)
            .orElseThrow(
                () ->
                    new UsageException(
                        "nothing is released of a feature view '%s'%s"
                            .formatted(
                                view, Suggestion.forName(view, versions.releases().keySet()))));
    List<VersionRecord> kept = versions.records(view);
    Optional<VersionRecord> wanted =
        line.has("snapshot")
            ? keptOf(kept, line.text("snapshot"))
            : Optional.of(kept(kept, line, view, released));
    new Rights(redis).check(Rights.Job.ROLLBACK, List.of(view));
    Optional<String> loss = wanted.flatMap(new StoredRows(redis, versions)::loss);
    if (loss.isPresent()) {
      console.say(
          "%s: version %s is no longer whole (%s)", view, wanted.get().getVersion(), loss.get());
      pushAgain(view, Long.toString(wanted.get().getSnapshotId()), redis, settings, console);
    } else if (wanted.isPresent()) {
      requireReleasable(versions, wanted.get(), released);
      release(versions, wanted.get(), released, console);
      takeHistory(settings, versions, console);
    } else {
      pushAgain(view, line.text("snapshot"), redis, settings, console);
    }
  }

  /** Finds the version asked for; by default the newest one from before the released one. */
  private static VersionRecord kept(
      List<VersionRecord> kept, CommandLine line, String view, Release released) {
    List<String> names = kept.stream().map(VersionRecord::getVersion).toList();
    if (line.has("version")) {
      String version = line.text("version");
      return kept.stream()
          .filter(record -> record.getVersion().equals(version))
          .findFirst()
          .orElseThrow(
              () ->
                  new UsageException(
                      "version=%s: %s has %s in Redis; with snapshot= any snapshot of its table can be released again"
                          .formatted(version, view, String.join(", ", names))));
    }
    int now = names.indexOf(released.version());
    if (now < 0 || now + 1 == kept.size()) {
      throw new TarnException(
          "%s: Redis has no version from before %s; with snapshot= any snapshot of its table can be released again"
              .formatted(view, released.version()));
    }
    return kept.get(now + 1);
  }

  private static Optional<VersionRecord> keptOf(List<VersionRecord> kept, String snapshot) {
    return kept.stream()
        .filter(
            record ->
                Long.toString(record.getSnapshotId()).equals(snapshot)
                    || Retention.versionOf(snapshot).equals(Optional.of(record.getVersion())))
        .findFirst();
  }

  /** Refuses a version of a live view that can't be merged with the live cells there are. */
  private static void requireReleasable(
      VersionStore versions, VersionRecord wanted, Release released) {
    if (!wanted.hasLive()) {
      return;
    }
    String view = wanted.getFeatureView();
    boolean isOfReleased =
        versions
            .record(view, released.version())
            .map(now -> now.getLive().getGeneration())
            .equals(Optional.of(wanted.getLive().getGeneration()));
    if (!isOfReleased) {
      throw new TarnException(
          "%s: version %s is of another definition than the released one; ./tarn push view=%s releases it when its live cells have caught up"
              .formatted(view, wanted.getVersion(), view));
    }
    LiveRules.requireReach(wanted, versions);
  }

  private static void release(
      VersionStore versions, VersionRecord record, Release released, Console console) {
    Instant now = versions.now();
    Instant at = now.isAfter(released.releasedAt()) ? now : released.releasedAt().plusMillis(1);
    VersionStore.Candidate candidate =
        new VersionStore.Candidate(
            record,
            Optional.of(released),
            ReleaseHistory.event(record, at, "rollback").setMode("kept").build());
    Optional<VersionStore.ReleaseRefusal> refusal =
        versions.release(List.of(candidate), at, true, List.of());
    if (refusal.isPresent()) {
      throw new TarnException(
          refusal.get() == VersionStore.ReleaseRefusal.GONE
              ? "%s: version %s has been pruned in this moment; go back with snapshot=%d"
                  .formatted(record.getFeatureView(), record.getVersion(), record.getSnapshotId())
              : "%s: something else was released in this moment; look at ./tarn versions and try again"
                  .formatted(record.getFeatureView()));
    }
    console.say(
        "%s: back to %s, snapshot %d; it was %s. Pushes leave it alone until ./tarn unpin view=%s",
        record.getFeatureView(),
        record.getVersion(),
        record.getSnapshotId(),
        released.version(),
        record.getFeatureView());
  }

  /** Takes the release into the history. The rollback stands, also where Iceberg is away. */
  private static void takeHistory(Settings settings, VersionStore versions, Console console) {
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      ReleaseHistory.open(catalog).take(versions);
    } catch (RuntimeException e) {
      console.say(
          "the release history can't be written now (%s); the next push will", Causes.reason(e));
    }
  }

  /**
   * Looks for the snapshot before Spark starts and anything is said of it.
   *
   * @throws UsageException if the view's table has no such published snapshot
   */
  private static void requirePublished(FeatureView view, String snapshot, Settings settings) {
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      (view.live().isPresent()
              ? BaseTable.find(catalog, view.name())
              : FeatureTable.find(catalog, view.name()))
          .orElseThrow(
              () -> new UsageException("nothing has been built of '%s'".formatted(view.name())))
          .published(snapshot);
    }
  }

  private static void pushAgain(
      String name, String snapshot, RedisServers redis, Settings settings, Console console) {
    Definitions definitions = Definitions.load(settings);
    FeatureView view = definitions.view(name);
    requirePublished(view, snapshot, settings);
    console.say("%s: snapshot %s is no longer in Redis and is pushed again", name, snapshot);
    try (Lake lake = Lake.open(settings)) {
      new Push(lake, redis, settings, console)
          .push(
              List.of(view),
              List.of(),
              new Push.Request(Optional.of(snapshot), Push.Mode.FULL, true));
    }
    console.say("%s: pushes leave it alone until ./tarn unpin view=%s", name, name);
  }
}
