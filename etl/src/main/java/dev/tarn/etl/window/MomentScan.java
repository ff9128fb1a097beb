package dev.tarn.etl.window;

import dev.tarn.etl.window.EntityEvents.Entity;
import dev.tarn.etl.window.EventColumns.Layout;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;

/**
 * Reads the events of entities together with rows that ask, and gives each asking row with the
 * features at its moment as a struct, null where the entity has no row.
 */
final class MomentScan implements Iterator<InternalRow> {

  private final PlacedRows rows;
  private final Layout layout;
  private final EntityEvents events;
  private final int asking;
  private final int askingFields;
  private final boolean tellsOverflow;
  private long group;
  private InternalRow found;

  /**
   * A scan.
   *
   * @param place index of the place that the rows are sorted by
   * @param asking index of the struct that holds an asking row; null in an event's row
   * @param askingFields number of its fields
   * @param tellsOverflow whether a feature that does not fit into its type is null and named in the
   *     struct's last field; else it is an error
   */
  MomentScan(
      Iterator<InternalRow> sorted,
      WindowPlan plan,
      Layout layout,
      int place,
      int asking,
      int askingFields,
      boolean tellsOverflow) {
    rows = new PlacedRows(sorted, layout, place, asking);
    this.layout = layout;
    this.asking = asking;
    this.askingFields = askingFields;
    this.tellsOverflow = tellsOverflow;
    events = new EntityEvents(plan, layout);
  }

  @Override
  public boolean hasNext() {
    while (found == null && rows.hasNext()) {
      InternalRow row = rows.next();
      if (rows.group(row) != group) {
        events.nextGroup();
        group = rows.group(row);
      }
      Entity entity = events.of(row);
      long micros = row.getLong(layout.visible());
      if (row.isNullAt(asking)) {
        events.add(entity, row, micros);
      } else {
        found = new JoinedRow(row.getStruct(asking, askingFields), struct(entity, micros));
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

  private InternalRow struct(Entity entity, long micros) {
    Object[] struct = {null};
    if (entity.windows().isThere(micros)) {
      Object[] features =
          tellsOverflow ? events.thatFit(entity, micros, 1) : events.features(entity, micros, 1);
      features[0] = micros;
      struct[0] = new GenericInternalRow(features);
    }
    return new GenericInternalRow(struct);
  }
}
