package dev.tarn.etl.release;

import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Takes a feature view out of Redis: its release, its pin and all its versions. The feature table
 * and the release history stay. What it will do is known before it does it.
 */
public final class Withdrawal {

  private final VersionStore versions;
  private final IcebergCatalog catalog;
  private final String view;
  private final Map<String, Release> releases;
  private final List<VersionRecord> records;

  private Withdrawal(VersionStore versions, IcebergCatalog catalog, String view) {
    this.versions = versions;
    this.catalog = catalog;
    this.view = view;
    this.releases = versions.releases();
    this.records = versions.records(view);
  }

  /**
   * Looks at what is there of a view, and changes nothing.
   *
   * @throws UsageException if nothing of the view is released
   * @throws TarnException if a training set that is kept was made from a snapshot of its versions
   */
  public static Withdrawal of(VersionStore versions, IcebergCatalog catalog, String view) {
    Withdrawal withdrawal = new Withdrawal(versions, catalog, view);
    if (!withdrawal.releases.containsKey(view) && withdrawal.records.isEmpty()) {
      throw new UsageException(
          "nothing is released of a feature view '%s'%s"
              .formatted(view, Suggestion.forName(view, withdrawal.releases.keySet())));
    }
    withdrawal.refuseWhatSetsNeed();
    return withdrawal;
  }

  private void refuseWhatSetsNeed() {
    Set<Long> snapshots = new HashSet<>();
    records.forEach(record -> snapshots.add(record.getSnapshotId()));
    List<String> sets = new TrainingSets(catalog).madeFrom(view, snapshots::contains);
    if (!sets.isEmpty()) {
      throw new TarnException(
          "%s is not withdrawn: %s made from snapshots of its versions and can be made again; first ./tarn retire manifest=… what need not be"
              .formatted(view, TrainingSets.names(sets)));
    }
  }

  /** The versions that will go, the released one first, then the newest first. */
  public List<VersionRecord> versions() {
    List<VersionRecord> all = new ArrayList<>();
    released().ifPresent(all::add);
    records.stream().filter(record -> !all.contains(record)).forEach(all::add);
    return all;
  }

  private Optional<VersionRecord> released() {
    return Optional.ofNullable(releases.get(view))
        .flatMap(
            release ->
                records.stream()
                    .filter(record -> record.getVersion().equals(release.version()))
                    .findFirst());
  }

  /** Says in sentences what will be otherwise afterwards, and what will stay. */
  public List<String> consequences() {
    List<String> said = new ArrayList<>();
    for (VersionRecord record : versions()) {
      boolean isReleased = released().equals(Optional.of(record));
      said.add(
          "version %s of snapshot %d goes; it is %s"
              .formatted(
                  record.getVersion(), record.getSnapshotId(), isReleased ? "released" : "kept"));
    }
    if (versions.pins().containsKey(view)) {
      said.add("its pin goes");
    }
    if (records.stream().anyMatch(VersionRecord::hasLive)
        || !versions.liveGenerations(view).isEmpty()) {
      said.add("its live cells and their progress go; stop ./tarn live of it first");
    }
    said.add("lookups of its features will be refused");
    List<String> services =
        versions.services().stream().filter(this::isOf).map(StoredService::getName).toList();
    if (!services.isEmpty()) {
      said.add(
          "feature services that have features of it will be refused: "
              + String.join(", ", services));
    }
    Optional<String> entity = versions.entityOfNoOther(view, releases);
    if (entity.isPresent() && versions.firstEntity().equals(entity)) {
      versions
          .firstEntityWithout(entity.get())
          .ifPresent(
              next ->
                  said.add(
                      "it is the last view of entity '%s': requests that name no entity will be answered from '%s', unless serving.default-entity says otherwise"
                          .formatted(entity.get(), next)));
    }
    said.add("the release history keeps its releases; the last one ends now");
    said.add(
        "its feature table stays as it is, but ./tarn expire may take the snapshots of these versions");
    return said;
  }

  private boolean isOf(StoredService service) {
    return service.getFeatureNamesList().stream().anyMatch(name -> name.startsWith(view + "."));
  }

  /**
   * Withdraws the view.
   *
   * @param grace the time for which lookups that are under way may still read its rows
   * @throws TarnException if a push of it is under way
   */
  public void run(Duration grace) {
    Retention retention = new Retention(versions);
    Optional<FeatureTable> table =
        records.stream().anyMatch(VersionRecord::hasLive)
            ? BaseTable.find(catalog, view)
            : FeatureTable.find(catalog, view);
    retention.removeAbandoned(view, table, grace);
    if (!versions.withdraw(view, this::event)) {
      throw new TarnException(
          "%s is not withdrawn: a push of it is under way; try again when it has ended"
              .formatted(view));
    }
    retention.removeAbandoned(view, table, grace);
    new LiveRetention(versions).removeAll(view, grace);
    ReleaseHistory.open(catalog).take(versions);
  }

  private Optional<ReleaseEvent> event() {
    Instant now = versions.now();
    return released()
        .map(
            record -> {
              Instant since = releases.get(view).releasedAt();
              return ReleaseHistory.withdrawal(
                  record, now.isAfter(since) ? now : since.plusMillis(1));
            });
  }
}
