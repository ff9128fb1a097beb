package dev.tarn.serving.live;

import dev.tarn.layer.Layer;
import dev.tarn.live.Cut;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import java.util.BitSet;
import java.util.Optional;

/**
 * The row of an entity of a live view at the moment of a question, in the encoding of all rows.
 *
 * @param row null if the entity has none
 * @param cut the events that are in it
 * @param layer the layer whose rows are encoded so, or the one that is corrupt
 * @param overflows the features that are null because their value does not fit into their type
 * @param problem why the cells can't be read
 */
@SuppressWarnings("ArrayRecordComponent") // Nobody compares rows, and lookups take them as bytes.
public record MergedRow(
    byte[] row, Cut cut, Layer layer, Optional<BitSet> overflows, Optional<String> problem) {

  /**
   * Begins to read the row.
   *
   * @throws CorruptRowException if there are cells that can't be read
   */
  public RowReader reader() throws CorruptRowException {
    if (problem.isPresent()) {
      throw new CorruptRowException(problem.get());
    }
    return new RowReader(row);
  }

  /** Returns whether Redis has anything of the entity that makes a row, sound or not. */
  public boolean isThere() {
    return row != null || problem.isPresent();
  }
}
