package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;

/**
 * Reads events and asking rows together, in order of entity and time, and gives each asking row
 * with the features at its moment as a struct, null where the entity has no row.
 */
final class MomentScan implements Iterator<InternalRow> {

  private final Iterator<InternalRow> rows;
  private final Layout layout;
  private final EntityEvents entity;
  private final List<EventValue> writers;
  private final int asking;
  private final int askingFields;
  private InternalRow found;

  /**
   * A scan.
   *
   * @param asking index of the struct that holds an asking row; null in an event's row
   * @param askingFields number of its fields
   */
  MomentScan(
      Iterator<InternalRow> rows, WindowPlan plan, Layout layout, int asking, int askingFields) {
    this.rows = rows;
    this.layout = layout;
    this.asking = asking;
    this.askingFields = askingFields;
    entity = new EntityEvents(plan, layout);
    writers = entity.writers();
  }

  // A row is read only when it is asked for: Spark gives all rows in the same place.
  @Override
  public boolean hasNext() {
    while (found == null && rows.hasNext()) {
      InternalRow row = rows.next();
      if (entity.isOfAnother(row)) {
        entity.enter(row);
      }
      long micros = row.getLong(layout.visible());
      if (row.isNullAt(asking)) {
        entity.add(row, micros);
      } else {
        found = new JoinedRow(row.getStruct(asking, askingFields), struct(micros));
      }
    }
    return found != null;
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

  private InternalRow struct(long micros) {
    Object[] struct = {null};
    if (entity.windows().isThere(micros)) {
      Object[] features = entity.features(micros, writers, 1);
      features[0] = micros;
      struct[0] = new GenericInternalRow(features);
    }
    return new GenericInternalRow(struct);
  }
}
