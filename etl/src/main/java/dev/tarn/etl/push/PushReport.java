package dev.tarn.etl.push;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.Manifest;
import java.time.Duration;
import java.util.List;

/** What a push says when it is done: a line for people, JSON for Airflow. */
public final class PushReport {

  private PushReport() {}

  static String text(Push.Outcome outcome) {
    Manifest manifest = outcome.manifest();
    double seconds = seconds(outcome.writing());
    return "%s: snapshot %d is released as %s (%s): %,d rows in %.1f s (%,.0f rows/s, %.0f bytes a row), read back in %.1f s, released in %.0f ms, %.1f s in all"
        .formatted(
            manifest.getFeatureView(),
            manifest.getSnapshotId(),
            manifest.getVersion(),
            manifest.hasBase() ? "delta over " + manifest.getBase().getVersion() : "full",
            manifest.getOwnRows(),
            seconds,
            manifest.getOwnRows() / Math.max(0.001, seconds),
            (double) outcome.bytes() / Math.max(1, manifest.getOwnRows()),
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
    List<JsonObject> objects = outcomes.stream().map(PushReport::json).toList();
    if (!isList) {
      return objects.get(0).toString();
    }
    JsonArray views = new JsonArray();
    objects.forEach(views::add);
    JsonObject whole = new JsonObject();
    whole.add("feature_views", views);
    return whole.toString();
  }

  private static JsonObject json(Push.Outcome outcome) {
    Manifest manifest = outcome.manifest();
    JsonObject object = new JsonObject();
    object.addProperty("feature_view", manifest.getFeatureView());
    object.addProperty("state", outcome.state().word());
    object.addProperty("version", manifest.getVersion());
    object.addProperty("snapshot_id", Long.toString(manifest.getSnapshotId()));
    object.addProperty("as_of", Timestamps.toString(manifest.getAsOf()));
    object.addProperty("pushed", outcome.pushed());
    object.addProperty("mode", outcome.mode());
    object.addProperty("rows", manifest.getRows());
    object.addProperty("rows_written", outcome.pushed() ? manifest.getOwnRows() : 0);
    object.addProperty("bytes", outcome.bytes());
    object.addProperty("write_seconds", seconds(outcome.writing()));
    object.addProperty("read_back_seconds", seconds(outcome.readingBack()));
    object.addProperty("release_seconds", seconds(outcome.releasing()));
    object.addProperty("seconds", seconds(outcome.took()));
    return object;
  }

  static double seconds(Duration duration) {
    return duration.toMillis() / 1000.0;
  }
}
