package dev.tarn.serving.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.aggregate.OverflowException;
import dev.tarn.layer.Layer;
import dev.tarn.live.Cut;
import dev.tarn.live.LiveAnswer;
import dev.tarn.live.LiveRow;
import dev.tarn.live.Token;
import dev.tarn.manifest.FeatureType;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowWriter;
import dev.tarn.serving.world.LiveView;
import dev.tarn.serving.world.ReleasedView;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * Merges the base's cells and the live cells of entities of one view, at one moment. It is not
 * thread-safe.
 */
public final class LiveMerge {

  private final LiveView view;
  private final List<FeatureType> types;
  private final Cut progress;
  private final Cut ofAbsent;
  private final long moment;
  private final RowWriter writer = new RowWriter();

  /**
   * Begins with no entity.
   *
   * @param progress what was known to be applied before the cells were read
   * @param moment of the question, microseconds since 1970 UTC
   */
  public LiveMerge(ReleasedView view, LiveView live, Cut progress, long moment) {
    this.view = live;
    this.types = view.types();
    this.progress = progress;
    this.moment = moment;
    ofAbsent = live.cut().max(progress);
  }

  /**
   * Merges what Redis has of an entity.
   *
   * @param base the row that the version's layers decide on; null for none
   * @param baseLayer the layer that it is from
   * @param live the entry of the live layer; null for none
   */
  public MergedRow of(byte[] base, Layer baseLayer, byte[] live) {
    if (base == null && live == null) {
      return new MergedRow(null, ofAbsent, view.layer(), Optional.empty(), Optional.empty());
    }
    LiveAnswer answer = new LiveAnswer(view.plan(), view.cut(), moment);
    Layer layer = baseLayer;
    try {
      if (base != null) {
        answer.addBase(cells(base, baseLayer));
      }
      layer = view.layer();
      if (live != null) {
        answer.addLive(Token.cells(live));
      }
    } catch (CorruptRowException | CorruptStateException e) {
      return new MergedRow(null, ofAbsent, layer, Optional.empty(), Optional.of(e.getMessage()));
    }
    return answer.isThere()
        ? row(answer)
        : new MergedRow(null, answer.cut(progress), layer, Optional.empty(), Optional.empty());
  }

  private MergedRow row(LiveAnswer answer) {
    BitSet overflows = null;
    writer.start(0, moment);
    int nulls = writer.putNulls(types.size());
    for (int i = 0; i < types.size(); i++) {
      Object value = null;
      try {
        value = answer.value(i);
      } catch (OverflowException e) {
        overflows = overflows == null ? new BitSet() : overflows;
        overflows.set(i);
      }
      if (value == null) {
        writer.setNull(nulls, i);
      } else {
        LiveRow.put(writer, types.get(i), value);
      }
    }
    return new MergedRow(
        writer.toBytes(),
        answer.cut(progress),
        view.layer(),
        Optional.ofNullable(overflows),
        Optional.empty());
  }

  /** Reads the one feature that the rows of a base have. */
  private static byte[] cells(byte[] row, Layer layer) throws CorruptRowException {
    RowReader reader = new RowReader(row);
    var unused = layer.readEventTimestamp(reader);
    int nulls = reader.readNulls(1);
    if (reader.isNull(nulls, 0)) {
      throw new CorruptRowException("a row of a live view without cells");
    }
    byte[] cells = reader.readBytes();
    reader.endValues();
    return cells;
  }
}
