package dev.tarn.etl.push;

import dev.tarn.cli.Plural;
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
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.iceberg.Snapshot;

/** Decides what a push writes for a view: nothing, a delta or every row of a snapshot. */
final class Planning {

  /**
   * A view's part of a push. Both empty: there is nothing to release, and the outcome is noted.
   *
   * @param toWrite a version to write
   * @param kept a version of the same snapshot and the same answers, to be released again
   */
  record Plan(Optional<PlannedVersion> toWrite, Optional<ReadBackVersion> kept) {

    private static final Plan NOTHING = new Plan(Optional.empty(), Optional.empty());
  }

  /** A delta, or why every row is to be written; both empty where there is nothing to say. */
  private record Choice(Optional<Delta> delta, Optional<String> whyFull) {

    static final Choice FIRST = new Choice(Optional.empty(), Optional.empty());

    static Choice full(String reason, Object... values) {
      return new Choice(Optional.empty(), Optional.of(String.format(Locale.ROOT, reason, values)));
    }
  }

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
   * @throws TarnException if the snapshot is older than the released one or has no rows, or if a
   *     delta is demanded and not possible
   */
  Plan plan(
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
      return Plan.NOTHING;
    }
    Snapshot snapshot =
        request.snapshotOrTag().map(table::published).orElseGet(() -> table.main().orElseThrow());
    VersionRecord wanted = VersionRecords.of(view, table, snapshot);
    if (isWhole && released.isPresent() && VersionRecords.sameAnswers(released.get(), wanted)) {
      outcomes.releasedAlready(released.get());
      for (String service : versions.storeServices(view.name(), services)) {
        console.say("feature service %s is stored anew", service);
      }
      return Plan.NOTHING;
    }
    if (wanted.hasLive()) {
      LiveRules.requireGeneration(view, wanted);
      LiveRules.requireReach(wanted, versions);
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
    List<VersionRecord> sameSnapshot =
        versions.records(view.name()).stream()
            .filter(record -> record.getSnapshotId() == wanted.getSnapshotId())
            .toList();
    Optional<VersionRecord> kept =
        sameSnapshot.stream()
            .filter(record -> VersionRecords.sameAnswers(record, wanted))
            .filter(record -> request.mode() != Mode.FULL || !record.hasBase())
            .filter(record -> !released.equals(Optional.of(record)))
            .filter(record -> stored.loss(record).isEmpty())
            .findFirst();
    if (kept.isPresent()) {
      return new Plan(Optional.empty(), Optional.of(ReadBackVersion.kept(table, kept.get(), seen)));
    }
    Extent extent =
        Extent.of(table, snapshot, view, SnapshotRows.of(lake, table, snapshot.snapshotId()));
    if (extent.entities() == 0 && !wanted.hasLive()) {
      throw withoutRows(view.name(), snapshot);
    }
    Choice choice =
        isWhole
            ? choose(view, table, snapshot, wanted, released, request)
            : chooseAnew(view.name(), request.mode());
    String reason =
        Stream.of(
                sameSnapshot.stream().findFirst().flatMap(record -> rewriting(record, wanted)),
                choice.whyFull())
            .flatMap(Optional::stream)
            .collect(Collectors.joining("; "));
    PlannedVersion plan =
        new PlannedVersion(view, table, snapshot, extent, wanted, choice.delta(), reason, seen);
    return new Plan(Optional.of(plan), Optional.empty());
  }

  /** Says why a snapshot that a version has is written again. */
  private static Optional<String> rewriting(VersionRecord kept, VersionRecord wanted) {
    List<String> changed = VersionRecords.changes(kept, wanted);
    return changed.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "%s has the snapshot, but since then %s changed"
                .formatted(kept.getVersion(), String.join(", ", changed)));
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
    // Those of a view that has become live, or is so no longer, are of different tables.
    return one.getTable().equals(other.getTable())
        && one.getSequenceNumber() < other.getSequenceNumber();
  }

  /** The failure of a push whose snapshot has no rows. */
  static TarnException withoutRows(String view, Snapshot snapshot) {
    return new TarnException(
        "%s: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
            .formatted(view, snapshot.snapshotId()));
  }

  /** Every row is written where the released version is no longer whole. */
  private static Choice chooseAnew(String view, Mode mode) {
    if (mode == Mode.DELTA) {
      throw withoutBase(view);
    }
    return Choice.full("what is released is no longer whole");
  }

  private static TarnException withoutBase(String view) {
    return new TarnException(
        "%s: nothing is released that a delta could be laid over; push it with mode=full first"
            .formatted(view));
  }

  private Choice choose(
      FeatureView view,
      FeatureTable table,
      Snapshot snapshot,
      VersionRecord wanted,
      Optional<VersionRecord> released,
      Request request) {
    if (request.mode() == Mode.FULL) {
      return request.isRollback() ? Choice.FIRST : Choice.full("mode=full says so");
    }
    boolean mustBeDelta = request.mode() == Mode.DELTA;
    Optional<VersionRecord> base = released.flatMap(this::baseOf);
    if (base.isEmpty()) {
      if (mustBeDelta) {
        throw withoutBase(view.name());
      }
      return released.isEmpty()
          ? Choice.FIRST
          : Choice.full("Redis has no record of the base of %s", released.get().getVersion());
    }
    Delta.Choice delta = Delta.of(lake, view, table, base.get(), snapshot, wanted);
    if (delta.delta().isEmpty()) {
      if (mustBeDelta) {
        throw new TarnException(
            "%s: a delta from version %s is not possible: %s; push it with mode=full"
                .formatted(view.name(), base.get().getVersion(), delta.refusal()));
      }
      return Choice.full(
          "no delta from %s is possible: %s", base.get().getVersion(), delta.refusal());
    }
    long records = delta.delta().get().records();
    if (!mustBeDelta && records > settings.maxOverlay() * base.get().getRows()) {
      return Choice.full(
          "%s %s written or removed since %s, over push.max-overlay = %s of its %,d",
          Plural.of(records, "row"),
          Plural.choose(records, "was", "were"),
          base.get().getVersion(),
          settings.maxOverlay(),
          base.get().getRows());
    }
    return new Choice(delta.delta(), Optional.empty());
  }

  /** The version with all rows: the released one, or the one below its overlay. */
  private Optional<VersionRecord> baseOf(VersionRecord released) {
    return released.hasBase()
        ? versions.record(released.getFeatureView(), released.getBase().getVersion())
        : Optional.of(released);
  }
}
