package dev.tarn.etl.push;

import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.push.Push.Outcome;
import dev.tarn.etl.push.Push.State;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects what became of each view of one push, and tells it. */
final class Outcomes {

  private final Console console;
  private final Instant start = Instant.now();
  private final List<Outcome> outcomes = new ArrayList<>();

  Outcomes(Console console) {
    this.console = console;
  }

  /** Notes that a version was released. */
  void released(ReadBackVersion version, Duration releasing) {
    Outcome outcome =
        new Outcome(
            version.record(),
            State.RELEASED,
            version.mode(),
            version.reason(),
            version.rowsWritten(),
            version.bytesWritten(),
            version.writing(),
            version.readingBack(),
            releasing,
            Duration.between(start, Instant.now()));
    outcomes.add(outcome);
    console.say("%s", PushReport.text(outcome));
  }

  /** Notes that a rollback pinned a view, so nothing is released. */
  void pinned(VersionRecord released, Release pin) {
    String view = released.getFeatureView();
    console.say(
        "%s: pinned to %s by a rollback at %s, so nothing was pushed; ./tarn unpin view=%s lets pushes release again",
        view, pin.version(), pin.releasedAt(), view);
    nothingReleased(released, State.PINNED);
  }

  /** Notes that the wanted snapshot was released before this push. */
  void releasedAlready(VersionRecord released) {
    console.say(
        "%s: snapshot %d is released already, as %s",
        released.getFeatureView(), released.getSnapshotId(), released.getVersion());
    nothingReleased(released, State.RELEASED_ALREADY);
  }

  /** Notes that another push made this one needless. */
  void superseded(VersionRecord released, VersionRecord superseded) {
    console.say(
        "%s: another push has released snapshot %d as %s in the meantime, so this one of snapshot %d is not needed",
        released.getFeatureView(),
        released.getSnapshotId(),
        released.getVersion(),
        superseded.getSnapshotId());
    nothingReleased(released, State.SUPERSEDED);
  }

  /** The outcomes in the order in which the views were given. */
  List<Outcome> inOrderOf(List<FeatureView> views) {
    List<String> order = views.stream().map(FeatureView::name).toList();
    return outcomes.stream()
        .sorted(
            Comparator.comparingInt(outcome -> order.indexOf(outcome.record().getFeatureView())))
        .toList();
  }

  private void nothingReleased(VersionRecord released, State state) {
    outcomes.add(
        new Outcome(
            released,
            state,
            "",
            "",
            0,
            0,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO,
            Duration.between(start, Instant.now())));
  }
}
