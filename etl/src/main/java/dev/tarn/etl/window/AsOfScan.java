package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.util.LongAccumulator;

/**
 * Reads events in order of entity and time and gives the row of each entity at each as-of at which
 * it has one: keys, as-of, features.
 */
final class AsOfScan implements Iterator<InternalRow> {

  private final Iterator<InternalRow> rows;
  private final Layout layout;
  private final EntityEvents entity;
  private final List<EventValue> writers;
  private final long[] asOfs;
  private final LongAccumulator withoutKey;

  /** A row that has been read and not been added yet. */
  private InternalRow held;

  /** The next as-of to give, and the one to stop before. */
  private int next;

  private int end;
  private InternalRow found;

  /**
   * A scan.
   *
   * @param asOfs in order of time
   * @param withoutKey counts the events that belong to no entity
   */
  AsOfScan(
      Iterator<InternalRow> rows,
      WindowPlan plan,
      Layout layout,
      long[] asOfs,
      LongAccumulator withoutKey) {
    this.rows = rows;
    this.layout = layout;
    this.asOfs = asOfs;
    this.withoutKey = withoutKey;
    entity = new EntityEvents(plan, layout);
    writers = entity.writers();
  }

  @Override
  public boolean hasNext() {
    while (found == null) {
      if (next < end) {
        long asOf = asOfs[next++];
        if (entity.windows().isThere(asOf)) {
          found = row(asOf);
        }
      } else if (!advance()) {
        return false;
      }
    }
    return true;
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    InternalRow row = found;
    found = null;
    return row;
  }

  /** Goes on by a row, or to the last as-of of an entity; false at the end of all. */
  private boolean advance() {
    if (held == null) {
      if (!rows.hasNext()) {
        boolean isLast = entity.key() != null && end < asOfs.length;
        end = asOfs.length;
        return isLast;
      }
      held = rows.next();
      if (hasNoKey(held)) {
        withoutKey.add(1);
        held = null;
        return true;
      }
    }
    if (entity.isOfAnother(held)) {
      if (entity.key() != null && end < asOfs.length) {
        end = asOfs.length;
        return true;
      }
      entity.enter(held);
      next = 0;
      end = 0;
    }
    long micros = held.getLong(layout.visible());
    if (end < asOfs.length && asOfs[end] < micros) {
      // An as-of sees the events up to itself.
      end++;
      return true;
    }
    if (end < asOfs.length) {
      entity.add(held, asOfs[end]);
    }
    held = null;
    return true;
  }

  private boolean hasNoKey(InternalRow row) {
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      if (row.isNullAt(i)) {
        return true;
      }
    }
    return false;
  }

  private InternalRow row(long asOf) {
    int keys = layout.keyTypes().size();
    Object[] values = entity.features(asOf, writers, keys + 1);
    for (int i = 0; i < keys; i++) {
      values[i] = entity.key().get(i, layout.keyTypes().get(i));
    }
    values[keys] = asOf;
    return new GenericInternalRow(values);
  }
}
