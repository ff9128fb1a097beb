package dev.tarn.etl.push;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.Plural;
import dev.tarn.etl.console.Json;
import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.util.List;

/** Describes what a push did: a line for people, JSON for Airflow. */
public final class PushReport {

  private PushReport() {}

  static String text(Push.Outcome outcome) {
    VersionRecord record = outcome.record();
    if (outcome.mode().equals("kept")) {
      return "%s: snapshot %d is still kept as %s, which is released again; nothing was written"
          .formatted(record.getFeatureView(), record.getSnapshotId(), record.getVersion());
    }
    double seconds = seconds(outcome.writing());
    return "%s: snapshot %d is released as %s (%s): %s in %.1f s (%,.0f rows/s, %.0f bytes a row), read back in %.1f s, released in %.0f ms, %.1f s in all"
        .formatted(
            record.getFeatureView(),
            record.getSnapshotId(),
            record.getVersion(),
            (record.hasBase() ? "delta over " + record.getBase().getVersion() : "full")
                + (outcome.reason().isEmpty() ? "" : ", as " + outcome.reason()),
            Plural.of(record.getOwnRows(), "row"),
            seconds,
            record.getOwnRows() / Math.max(0.001, seconds),
            (double) outcome.bytes() / Math.max(1, record.getOwnRows()),
            seconds(outcome.readingBack()),
            1000 * seconds(outcome.releasing()),
            seconds(outcome.took()));
  }

  /**
   * The outcomes as JSON.
   *
   * @param isList whether to give a list although there is one only
   */
  public static String json(List<Push.Outcome> outcomes, boolean isList) {
    List<ViewResult> views = outcomes.stream().map(PushReport::result).toList();
    return Json.of(isList ? new PushResult(views) : views.get(0));
  }

  private static ViewResult result(Push.Outcome outcome) {
    VersionRecord record = outcome.record();
    return new ViewResult(
        record.getFeatureView(),
        outcome.state().word(),
        record.getVersion(),
        Long.toString(record.getSnapshotId()),
        Timestamps.toString(record.getAsOf()),
        outcome.pushed(),
        outcome.mode(),
        outcome.reason(),
        record.getRows(),
        outcome.rowsWritten(),
        outcome.bytes(),
        seconds(outcome.writing()),
        seconds(outcome.readingBack()),
        seconds(outcome.releasing()),
        seconds(outcome.took()));
  }

  private record PushResult(List<ViewResult> featureViews) {}

  private record ViewResult(
      String featureView,
      String state,
      String version,
      String snapshotId,
      String asOf,
      boolean pushed,
      String mode,
      String reason,
      long rows,
      long rowsWritten,
      long bytes,
      double writeSeconds,
      double readBackSeconds,
      double releaseSeconds,
      double seconds) {}

  static double seconds(Duration duration) {
    return duration.toMillis() / 1000.0;
  }
}
