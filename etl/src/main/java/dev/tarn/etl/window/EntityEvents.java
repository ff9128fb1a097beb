package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BoundReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import scala.collection.JavaConverters;

/** Reads rows in order of entity and time: knows whose they are, and adds events to its windows. */
final class EntityEvents {

  private final WindowPlan plan;
  private final Layout layout;
  private final UnsafeProjection keyOf;
  private final List<EventValue> readers;
  private final Object[] values;

  /** Whether a value itself is needed, and not only that there is one. */
  private final boolean[] isUsed;

  private final EntityWindows first;
  private UnsafeRow key;
  private EntityWindows windows;

  EntityEvents(WindowPlan plan, Layout layout) {
    this.plan = plan;
    this.layout = layout;
    List<Expression> keys = new ArrayList<>();
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      keys.add(new BoundReference(i, layout.keyTypes().get(i), true));
    }
    keyOf = UnsafeProjection.create(JavaConverters.asScalaBuffer(keys).toSeq());
    readers = plan.valueTypes().stream().map(EventValue::new).toList();
    values = new Object[readers.size()];
    isUsed = new boolean[values.length];
    for (WindowPlan.Slot slot : plan.slots()) {
      if (slot.value() >= 0) {
        isUsed[slot.value()] |= slot.isValueUsed();
      }
    }
    first = EntityWindows.of(plan);
  }

  /** Whether a row is of another entity than the last one that {@link #enter} was told of. */
  boolean isOfAnother(InternalRow row) {
    return key == null || !keyOf.apply(row).equals(key);
  }

  /** Begins with a row's entity: it has no events yet. */
  void enter(InternalRow row) {
    key = keyOf.apply(row).copy();
    windows = first.next();
  }

  /** The keys of the entity. */
  UnsafeRow key() {
    return key;
  }

  EntityWindows windows() {
    return windows;
  }

  /**
   * Adds a row's event.
   *
   * @param moment no question comes before it
   */
  void add(InternalRow row, long moment) {
    for (int i = 0; i < values.length; i++) {
      int ordinal = layout.value(i);
      if (row.isNullAt(ordinal)) {
        values[i] = null;
      } else {
        values[i] = isUsed[i] ? readers.get(i).read(row, ordinal) : (Object) true;
      }
    }
    windows.add(
        values,
        row.getLong(layout.micros()),
        row.getInt(layout.partition()),
        row.getLong(layout.offset()),
        moment);
  }

  /** The features at a moment, in the order of the plan, as Spark has them. */
  Object[] features(long moment, List<EventValue> writers, int from) {
    Object[] features = new Object[from + writers.size()];
    for (int i = 0; i < writers.size(); i++) {
      features[from + i] = writers.get(i).spark(windows.value(i, moment));
    }
    return features;
  }

  List<EventValue> writers() {
    return plan.slots().stream().map(slot -> new EventValue(slot.type())).toList();
  }
}
