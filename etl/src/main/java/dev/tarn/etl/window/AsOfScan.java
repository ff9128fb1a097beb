package dev.tarn.etl.window;

import dev.tarn.etl.window.EntityEvents.Entity;
import dev.tarn.etl.window.EventColumns.Layout;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.util.LongAccumulator;

/**
 * Reads the events of entities and gives the row of each entity at each as-of at which it has one:
 * keys, as-of, features.
 */
final class AsOfScan implements Iterator<InternalRow> {

  private final PlacedRows rows;
  private final Layout layout;
  private final EntityEvents events;
  private final long[] asOfs;
  private final LongAccumulator withoutKey;
  private final Queue<InternalRow> found = new ArrayDeque<>();
  private long group;

  /**
   * A scan.
   *
   * @param place index of the place that the rows are sorted by
   * @param asOfs in order of time
   * @param withoutKey counts the events that belong to no entity
   */
  AsOfScan(
      Iterator<InternalRow> sorted,
      WindowPlan plan,
      Layout layout,
      int place,
      long[] asOfs,
      LongAccumulator withoutKey) {
    rows = new PlacedRows(sorted, layout, place, -1);
    this.layout = layout;
    this.asOfs = asOfs;
    this.withoutKey = withoutKey;
    events = new EntityEvents(plan, layout);
  }

  @Override
  public boolean hasNext() {
    while (found.isEmpty() && rows.hasNext()) {
      read(rows.next());
    }
    if (found.isEmpty()) {
      finishGroup();
    }
    return !found.isEmpty();
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return found.remove();
  }

  private void read(InternalRow row) {
    if (hasNoKey(row)) {
      withoutKey.add(1);
      return;
    }
    if (rows.group(row) != group) {
      finishGroup();
      group = rows.group(row);
    }
    Entity entity = events.of(row);
    long micros = row.getLong(layout.visible());
    // An as-of has the events up to itself.
    ask(entity, micros);
    if (entity.asked() < asOfs.length) {
      events.add(entity, row, asOfs[entity.asked()]);
    }
  }

  private void finishGroup() {
    events.entities().forEach(entity -> ask(entity, Long.MAX_VALUE));
    events.nextGroup();
  }

  /** Gives an entity's rows at the as-ofs before a moment. */
  private void ask(Entity entity, long before) {
    while (entity.asked() < asOfs.length && asOfs[entity.asked()] < before) {
      long asOf = asOfs[entity.asked()];
      entity.askedOnce();
      if (entity.windows().isThere(asOf)) {
        found.add(row(entity, asOf));
      }
    }
  }

  private boolean hasNoKey(InternalRow row) {
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      if (row.isNullAt(i)) {
        return true;
      }
    }
    return false;
  }

  private InternalRow row(Entity entity, long asOf) {
    int keys = layout.keyTypes().size();
    Object[] values = events.features(entity, asOf, keys + 1);
    for (int i = 0; i < keys; i++) {
      values[i] = entity.key().get(i, layout.keyTypes().get(i));
    }
    values[keys] = asOf;
    return new GenericInternalRow(values);
  }
}
