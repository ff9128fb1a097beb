package dev.tarn.live;

import com.google.protobuf.util.Durations;
import dev.tarn.aggregate.Aggregate;
import dev.tarn.aggregate.ValueCodec;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What the cells of a live view hold: the values that are read of an event, and the windows that
 * are made of them, one for each feature. Immutable.
 */
public final class LivePlan {

  /** The {@code row_format} of versions whose entries are cells. */
  public static final int FORMAT = 2;

  private final ValueCodec[] values;
  private final Aggregate[] aggregates;
  private final int[] valueOf;
  private final long[] resolutions;
  private final long[] lengths;
  private final long segment;
  private final boolean isEndless;

  private LivePlan(LiveBase base) {
    List<FeatureType> types = base.getValueTypesList();
    values = types.stream().map(ValueCodec::of).toArray(ValueCodec[]::new);
    int features = base.getWindowsCount();
    aggregates = new Aggregate[features];
    valueOf = new int[features];
    resolutions = new long[features];
    lengths = new long[features];
    boolean endless = false;
    for (int i = 0; i < features; i++) {
      LiveWindow window = base.getWindows(i);
      valueOf[i] = window.getValue();
      aggregates[i] = aggregate(window, types);
      lengths[i] = window.getCells();
      resolutions[i] = Durations.toMicros(window.getResolution());
      endless |= lengths[i] == 0;
      if (lengths[i] < 0 || (lengths[i] > 0 && resolutions[i] <= 0)) {
        throw new IllegalArgumentException("a window of the base has no cells");
      }
    }
    isEndless = endless;
    segment = base.getSegment();
    if (segment < 1) {
      throw new IllegalArgumentException("the base lacks the length of its segments");
    }
  }

  private static Aggregate aggregate(LiveWindow window, List<FeatureType> types) {
    if (window.getValue() >= types.size()) {
      throw new IllegalArgumentException("a window of the base is over a value that it lacks");
    }
    Optional<FeatureType> type =
        window.getValue() < 0 ? Optional.empty() : Optional.of(types.get(window.getValue()));
    return Stream.of(Aggregate.Kind.values())
        .filter(kind -> kind.name().equals(window.getAggregate()))
        .findAny()
        .map(kind -> Aggregate.of(kind, type, window.getCount()))
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "a window of the base has the unknown aggregate '%s'"
                        .formatted(window.getAggregate())));
  }

  /**
   * The plan of a base.
   *
   * @throws IllegalArgumentException if this Tarn can't read such cells; the message says why
   */
  public static LivePlan of(LiveBase base) {
    return new LivePlan(base);
  }

  /** Number of features. */
  public int features() {
    return aggregates.length;
  }

  /** Number of values that are read of an event. */
  public int values() {
    return values.length;
  }

  /** The aggregate of a feature. */
  public Aggregate aggregate(int feature) {
    return aggregates[feature];
  }

  ValueCodec codec(int value) {
    return values[value];
  }

  /** Index of a feature's values; -1: it counts events. */
  public int valueOf(int feature) {
    return valueOf[feature];
  }

  /** The cell of a feature that a moment is in. */
  long cell(int feature, long micros) {
    return lengths[feature] == 0 ? 0 : Math.floorDiv(micros, resolutions[feature]);
  }

  /** The oldest cell that a feature's window has at a moment. */
  long oldestCell(int feature, long micros) {
    return lengths[feature] == 0 ? 0 : cell(feature, micros) - lengths[feature] + 1;
  }

  /** The segment that an offset is in. */
  long segmentOf(long offset) {
    return offset / segment;
  }

  /** Whether a number is that of a segment: all its offsets are longs. */
  boolean isSegment(long number) {
    return number <= Long.MAX_VALUE / segment - 1;
  }

  /** Offsets of a segment. */
  public long segment() {
    return segment;
  }

  /** Whether any window has, at a moment, an event of {@code micros}, which is not later. */
  boolean reaches(long micros, long moment) {
    if (isEndless) {
      return true;
    }
    for (int i = 0; i < lengths.length; i++) {
      if (cell(i, micros) >= oldestCell(i, moment)) {
        return true;
      }
    }
    return false;
  }
}
