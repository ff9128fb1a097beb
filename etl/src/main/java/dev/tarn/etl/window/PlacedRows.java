package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;

/**
 * Rows of entities, each entity's in order of time, and at one moment events before the rows that
 * ask.
 *
 * <p>They come sorted by their place: some bits of a hash of the keys, then of the moment. Spark
 * sorts one number several times as fast as keys and times. The rows of one place, which mostly is
 * one row, are sorted here. Entities of one hash form a group and come mixed.
 */
final class PlacedRows implements Iterator<InternalRow> {

  /** The lower bits of a place, which tell the moment. */
  static final int TIME_BITS = 40;

  /** A place tells moments apart that are 33 ms from each other. */
  static final int TIME_SHIFT = 15;

  private final Iterator<InternalRow> sorted;
  private final int place;
  private final Comparator<InternalRow> byMoment;

  /** The rows of one place, in order. */
  private final List<InternalRow> alike = new ArrayList<>();

  private int next;

  /** The first row of the place after that; null if none has been read. */
  private InternalRow ahead;

  /**
   * The rows of a partition.
   *
   * @param place index of the place
   * @param asking index of the column that is null in an event's row; -1: all rows are events
   */
  PlacedRows(Iterator<InternalRow> sorted, Layout layout, int place, int asking) {
    this.sorted = sorted;
    this.place = place;
    byMoment =
        Comparator.<InternalRow>comparingLong(row -> row.getLong(layout.visible()))
            .thenComparing(row -> asking >= 0 && !row.isNullAt(asking));
  }

  /** Identifies the group of a row's entity. */
  long group(InternalRow row) {
    return row.getLong(place) >> TIME_BITS;
  }

  @Override
  public boolean hasNext() {
    return next < alike.size() || ahead != null || sorted.hasNext();
  }

  @Override
  public InternalRow next() {
    if (next == alike.size()) {
      read();
    }
    return alike.get(next++);
  }

  private void read() {
    alike.clear();
    next = 0;
    if (ahead == null) {
      if (!sorted.hasNext()) {
        throw new NoSuchElementException();
      }
      ahead = sorted.next().copy();
    }
    alike.add(ahead);
    long here = ahead.getLong(place);
    ahead = null;
    while (sorted.hasNext()) {
      // Spark gives all rows in the same memory.
      InternalRow row = sorted.next().copy();
      if (row.getLong(place) != here) {
        ahead = row;
        break;
      }
      alike.add(row);
    }
    if (alike.size() > 1) {
      alike.sort(byMoment);
    }
  }
}
