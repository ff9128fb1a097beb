package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LivePlan;
import dev.tarn.manifest.LiveBase;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Queue;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BoundReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import scala.collection.JavaConverters;

/**
 * Reads the events of entities behind their rows of an earlier base, and gives the new rows: keys,
 * event timestamp, cells.
 */
final class CellScan implements Iterator<InternalRow> {

  /** Events of an entity after which those that are settled become cells, to save memory. */
  private static final int AT_ONCE = 256;

  /** An entity while its rows are read. */
  private final class Cells {
    /** The cells of the earlier base; null: it has none. */
    private byte[] earlier;

    private long earlierAt = Long.MIN_VALUE;

    /** Null until the first event. */
    private EntityCells cells;

    private int unsettled;

    void addEarlier(byte[] bytes, long at) {
      if (at >= earlierAt) {
        earlier = bytes;
        earlierAt = at;
      }
    }

    void add(InternalRow row) {
      Object[] values = new Object[readers.size()];
      for (int i = 0; i < values.length; i++) {
        int ordinal = layout.value(i);
        values[i] = row.isNullAt(ordinal) ? null : readers.get(i).read(row, ordinal);
      }
      now()
          .add(
              row.getInt(layout.partition()),
              row.getLong(layout.offset()),
              row.getLong(layout.micros()),
              values);
      if (++unsettled >= AT_ONCE) {
        cells.settle(bound);
        unsettled = 0;
      }
    }

    private EntityCells now() {
      if (cells == null) {
        cells = earlier == null ? EntityCells.base(plan) : EntityCells.readBase(plan, earlier);
      }
      return cells;
    }

    /** The bytes to write; empty: what is there stays. */
    Optional<byte[]> finish() {
      if (cells == null && !isWhole) {
        return Optional.empty();
      }
      EntityCells all = now();
      all.settle(bound);
      all.trim(bound, Optional.empty());
      if (all.isEmpty() && (isWhole || earlier == null)) {
        return Optional.empty();
      }
      byte[] bytes = all.toBytes();
      return !isWhole && Arrays.equals(bytes, earlier) ? Optional.empty() : Optional.of(bytes);
    }
  }

  private final PlacedRows rows;
  private final LivePlan plan;
  private final Layout layout;
  private final List<EventValue> readers;
  private final UnsafeProjection keyOf;
  private final int cellsAt;
  private final boolean isWhole;
  private final long at;
  private final long bound;
  private final Queue<InternalRow> found = new ArrayDeque<>();
  private final Map<UnsafeRow, Cells> entities = new LinkedHashMap<>();
  private long group;

  /**
   * A scan.
   *
   * @param place index of the place that the rows are sorted by
   * @param cellsAt index of an earlier row's cells; null in an event's row
   * @param isWhole whether to give entities without events, too
   * @param at event timestamp of the rows that it gives
   * @param bound a moment that all questions to come are at or after
   */
  CellScan(
      Iterator<InternalRow> sorted,
      LiveBase definition,
      WindowPlan windows,
      Layout layout,
      int place,
      int cellsAt,
      boolean isWhole,
      long at,
      long bound) {
    rows = new PlacedRows(sorted, layout, place, -1);
    plan = LivePlan.of(definition);
    this.layout = layout;
    this.cellsAt = cellsAt;
    this.isWhole = isWhole;
    this.at = at;
    this.bound = bound;
    readers = windows.valueTypes().stream().map(EventValue::new).toList();
    List<Expression> keys = new ArrayList<>();
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      keys.add(new BoundReference(i, layout.keyTypes().get(i), true));
    }
    keyOf = UnsafeProjection.create(JavaConverters.asScalaBuffer(keys).toSeq());
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
    if (rows.group(row) != group) {
      finishGroup();
      group = rows.group(row);
    }
    UnsafeRow key = keyOf.apply(row);
    Cells cells = entities.get(key);
    if (cells == null) {
      cells = new Cells();
      entities.put(key.copy(), cells);
    }
    if (row.isNullAt(cellsAt)) {
      cells.add(row);
    } else {
      cells.addEarlier(row.getBinary(cellsAt), row.getLong(layout.micros()));
    }
  }

  private void finishGroup() {
    entities.forEach((key, cells) -> cells.finish().ifPresent(bytes -> found.add(row(key, bytes))));
    entities.clear();
  }

  private InternalRow row(UnsafeRow key, byte[] bytes) {
    int keys = layout.keyTypes().size();
    Object[] values = new Object[keys + 2];
    for (int i = 0; i < keys; i++) {
      values[i] = key.get(i, layout.keyTypes().get(i));
    }
    values[keys] = at;
    values[keys + 1] = bytes;
    return new GenericInternalRow(values);
  }
}
