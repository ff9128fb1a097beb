package dev.tarn.serving.live;

import dev.tarn.live.Cut;
import dev.tarn.live.Progress;
import dev.tarn.serving.world.LiveView;
import java.util.Arrays;
import java.util.Map;

/** How far the live job had come with a generation when the server read it. It is immutable. */
final class Applied {

  /** Stands for a generation of which nothing was read yet. */
  static final Applied NOTHING = new Applied(Map.of());

  /** Stands for a partition without progress. */
  private static final long NONE = -1;

  private final Cut next;
  private final long[] from;
  private final long[] through;

  Applied(Map<Integer, Progress> progress) {
    int partitions = progress.keySet().stream().mapToInt(p -> p + 1).max().orElse(0);
    long[] offsets = new long[partitions];
    from = new long[partitions];
    through = new long[partitions];
    Arrays.fill(from, NONE);
    progress.forEach(
        (partition, one) -> {
          offsets[partition] = one.next();
          from[partition] = one.from();
          through[partition] = one.through();
        });
    next = Cut.of(offsets);
  }

  /** Returns what this says about a view whose version has that generation. */
  Completeness of(LiveView view) {
    Cut base = view.cut();
    boolean isWhole = from.length > 0;
    long least = isWhole ? Long.MAX_VALUE : view.baseMicros();
    for (int p = 0; p < Math.max(from.length, base.partitions()); p++) {
      boolean isKnown = p < from.length && from[p] != NONE;
      if (isKnown && from[p] <= base.next(p)) {
        least = Math.min(least, through[p]);
      } else if (isKnown || base.next(p) > 0) {
        // The live job has not begun with the partition, or begins behind the base's cut.
        isWhole = false;
        least = Math.min(least, view.baseMicros());
      }
    }
    return new Completeness(next, least, isWhole);
  }
}
