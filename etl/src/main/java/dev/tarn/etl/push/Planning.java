package dev.tarn.etl.push;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.push.Push.Mode;
import dev.tarn.etl.push.Push.Request;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.VersionRecords;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;

/** Decides what a push writes for a view: nothing, a delta or every row of a snapshot. */
final class Planning {

  private final Lake lake;
  private final VersionStore versions;
  private final StoredRows stored;
  private final PushSettings settings;
  private final Console console;

  Planning(
      Lake lake, VersionStore versions, StoredRows stored, PushSettings settings, Console console) {
    this.lake = lake;
    this.versions = versions;
    this.stored = stored;
    this.settings = settings;
    this.console = console;
  }

  /**
   * Pins a snapshot of a view and plans a version of it.
   *
   * @param services definitions to store if the snapshot is released already
   * @return empty if there is nothing to write; then the outcome is noted
   * @throws TarnException if the snapshot is older than the released one or has no rows, or if a
   *     delta is demanded and not possible
   */
  Optional<PlannedVersion> plan(
      FeatureView view,
      FeatureTable table,
      List<StoredService> services,
      Request request,
      Outcomes outcomes) {
    Optional<Release> pin = Optional.ofNullable(versions.pins().get(view.name()));
    Optional<Release> seen = versions.released(view.name());
    Optional<VersionRecord> released = versions.releasedRecord(view.name());
    boolean isWhole = isWhole(view.name(), seen, released);
    if (pin.isPresent() && released.isPresent() && !request.isRollback()) {
      outcomes.pinned(released.get(), pin.get());
      return Optional.empty();
    }
    Snapshot snapshot =
        request.snapshotOrTag().map(table::published).orElseGet(() -> table.main().orElseThrow());
    VersionRecord wanted = VersionRecords.of(view, table, snapshot);
    if (isWhole && released.isPresent() && VersionRecords.sameAnswers(released.get(), wanted)) {
      outcomes.releasedAlready(released.get());
      for (String service : versions.storeServices(view.name(), services)) {
        console.say("feature service %s is stored anew", service);
      }
      return Optional.empty();
    }
    if (released.isPresent() && isOlder(wanted, released.get()) && !request.isRollback()) {
      throw new TarnException(
          "%s: snapshot %d is older than the released one, %d (version %s); not pushed. To go back to it: ./tarn rollback view=%s snapshot=%d"
              .formatted(
                  view.name(),
                  wanted.getSnapshotId(),
                  released.get().getSnapshotId(),
                  released.get().getVersion(),
                  view.name(),
                  wanted.getSnapshotId()));
    }
    Extent extent =
        Extent.of(table, snapshot, view, SnapshotRows.of(lake, view.name(), snapshot.snapshotId()));
    if (extent.entities() == 0) {
      throw withoutRows(view.name(), snapshot);
    }
    Optional<VersionRecord> below = isWhole ? released : Optional.empty();
    Optional<Delta> delta = delta(view, table, snapshot, wanted, below, request.mode());
    return Optional.of(new PlannedVersion(view, table, snapshot, extent, wanted, delta, seen));
  }

  /** Tells whether Redis still has what is released, and says what it lacks. */
  private boolean isWhole(
      String view, Optional<Release> release, Optional<VersionRecord> released) {
    Optional<String> loss =
        release.isPresent() && released.isEmpty()
            ? Optional.of("its record is gone")
            : released.flatMap(stored::loss);
    loss.ifPresent(
        lacking ->
            console.say(
                "%s: the released version %s is no longer whole: %s",
                view, release.orElseThrow().version(), lacking));
    return loss.isEmpty();
  }

  /** Whether one version was made of an older snapshot than the other. */
  static boolean isOlder(VersionRecord one, VersionRecord other) {
    return one.getSequenceNumber() < other.getSequenceNumber();
  }

  /** The failure of a push whose snapshot has no rows. */
  static TarnException withoutRows(String view, Snapshot snapshot) {
    return new TarnException(
        "%s: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
            .formatted(view, snapshot.snapshotId()));
  }

  private Optional<Delta> delta(
      FeatureView view,
      FeatureTable table,
      Snapshot snapshot,
      VersionRecord wanted,
      Optional<VersionRecord> released,
      Mode mode) {
    if (mode == Mode.FULL) {
      return Optional.empty();
    }
    Optional<VersionRecord> base = released.flatMap(this::baseOf);
    if (base.isEmpty()) {
      if (mode == Mode.DELTA) {
        throw new TarnException(
            "%s: nothing is released that a delta could be laid over; push it with mode=full first"
                .formatted(view.name()));
      }
      return Optional.empty();
    }
    Delta.Choice choice = Delta.of(lake, view, table, base.get(), snapshot, wanted);
    if (choice.delta().isEmpty()) {
      if (mode == Mode.DELTA) {
        throw new TarnException(
            "%s: a delta from version %s is not possible: %s; push it with mode=full"
                .formatted(view.name(), base.get().getVersion(), choice.refusal()));
      }
      return Optional.empty();
    }
    boolean isSmall =
        choice.delta().get().records() <= settings.maxOverlay() * base.get().getRows();
    return mode == Mode.DELTA || isSmall ? choice.delta() : Optional.empty();
  }

  /** The version with all rows: the released one, or the one below its overlay. */
  private Optional<VersionRecord> baseOf(VersionRecord released) {
    return released.hasBase()
        ? versions.record(released.getFeatureView(), released.getBase().getVersion())
        : Optional.of(released);
  }
}
