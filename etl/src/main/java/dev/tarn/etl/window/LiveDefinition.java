package dev.tarn.etl.window;

import com.google.common.hash.Hashing;
import com.google.protobuf.util.Durations;
import dev.tarn.etl.definition.EventExpression;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Live;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.definition.Windows;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import dev.tarn.manifest.TrainingEvents;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.types.StructType;

/** What the definition of a live view says about its cells. No session is needed. */
public final class LiveDefinition {

  private static final long MICROS = 1_000_000L;

  private LiveDefinition() {}

  /**
   * The part of a version record that the definition gives: all but snapshot, cut, number of
   * buckets, topic id and the features that are answered.
   */
  public static LiveBase of(FeatureView view) {
    Windows windows = view.windows().orElseThrow();
    Live live = view.live().orElseThrow();
    StreamSource stream = windows.source().stream().orElseThrow();
    WindowPlan plan = plan(windows);
    LiveBase.Builder base =
        LiveBase.newBuilder()
            .setGeneration(generation(view))
            .setSource(windows.source().name())
            .setTopic(stream.topic())
            .setSegment(live.segment())
            .setMaxLag(Durations.fromMillis(live.maxLag().toMillis()));
    plan.valueTypes().forEach(type -> base.addValueTypes(SparkTypes.stored(type).orElseThrow()));
    for (WindowPlan.Slot slot : plan.slots()) {
      LiveWindow.Builder window =
          LiveWindow.newBuilder()
              .setAggregate(slot.kind().name())
              .setCount(slot.count())
              .setValue(slot.value())
              .setCells(slot.length());
      if (slot.length() > 0) {
        window.setResolution(Durations.fromSeconds(slot.resolution() / MICROS));
      }
      base.addWindows(window);
    }
    return base.build();
  }

  /** What old answers need to be asked again, whatever the definition says by then. */
  public static TrainingEvents stored(FeatureView view) {
    Windows windows = view.windows().orElseThrow();
    TrainingEvents.Builder events =
        TrainingEvents.newBuilder()
            .setSource(windows.source().stored())
            .putAllKeys(windows.keys())
            .setWhere(windows.where().orElse(""));
    windows.features().forEach(feature -> events.addWindows(feature.stored()));
    view.entity().keys().forEach(key -> events.addEntityKeyTypes(key.type().sql()));
    return events.build();
  }

  /** Fingerprint of all that decides the cells: 12 hexadecimal digits. */
  public static String generation(FeatureView view) {
    return Hashing.sha256()
        .hashString(
            view.definitionHash() + " segment " + view.live().orElseThrow().segment(),
            StandardCharsets.UTF_8)
        .toString()
        .substring(0, 12);
  }

  static WindowPlan plan(Windows windows) {
    StructType columns = windows.source().columns().orElseThrow();
    return WindowPlan.of(
        windows.features(),
        windows.features(),
        sql -> EventExpression.resolve(sql, columns).type().orElseThrow());
  }
}
