package dev.tarn.serving.live;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.live.Cut;
import dev.tarn.serving.world.LiveView;
import dev.tarn.serving.world.ReleasedView;

/**
 * How far a live view is known to be complete.
 *
 * @param progress the cut that was applied to all entities
 * @param throughMicros the time up to which the stream is known to be applied
 * @param isWhole false if there are events that neither the base nor the live cells may have: then
 *     the view is not answered, however short its lag is
 */
public record Completeness(Cut progress, long throughMicros, boolean isWhole) {

  /** Returns whether the view is not to be answered at a moment. */
  public boolean isLagging(LiveView view, long moment) {
    return !isWhole || throughMicros < moment - view.maxLagMicros();
  }

  /** Returns a view's version as it is named in answers. */
  public ViewVersion in(ReleasedView view) {
    return view.viewVersion().toBuilder().setCompleteThrough(through()).build();
  }

  private Timestamp through() {
    long micros =
        Math.max(
            Timestamps.toMicros(Timestamps.MIN_VALUE),
            Math.min(throughMicros, Timestamps.toMicros(Timestamps.MAX_VALUE)));
    return Timestamps.fromMicros(micros);
  }
}
