package dev.tarn.etl.window;

import dev.tarn.aggregate.OverflowException;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.window.EventColumns.Layout;
import dev.tarn.row.Values;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BoundReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ToPrettyString;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.collection.JavaConverters;

/** Reads entities and events from rows, and writes features. */
final class EntityEvents {

  /** An entity while its rows are read. */
  static final class Entity {
    private final UnsafeRow key;
    private final EntityWindows windows;

    /** Number of as-ofs at which it has been asked. */
    private int asked;

    private Entity(UnsafeRow key, EntityWindows windows) {
      this.key = key;
      this.windows = windows;
    }

    UnsafeRow key() {
      return key;
    }

    EntityWindows windows() {
      return windows;
    }

    int asked() {
      return asked;
    }

    void askedOnce() {
      asked++;
    }
  }

  private final Layout layout;
  private final UnsafeProjection keyOf;
  private final List<EventValue> readers;
  private final List<EventValue> writers;
  private final List<String> names;
  private final Object[] values;

  /** Whether a value itself is needed, and not only that there is one. */
  private final boolean[] isUsed;

  private final EntityWindows empty;

  /** The entities of the group that is read, mostly one. */
  private final List<Entity> entities = new ArrayList<>();

  private Entity last;

  EntityEvents(WindowPlan plan, Layout layout) {
    this.layout = layout;
    List<Expression> keys = new ArrayList<>();
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      keys.add(new BoundReference(i, layout.keyTypes().get(i), true));
    }
    keyOf = UnsafeProjection.create(JavaConverters.asScalaBuffer(keys).toSeq());
    readers = plan.valueTypes().stream().map(EventValue::new).toList();
    writers = plan.slots().stream().map(slot -> new EventValue(slot.type())).toList();
    names = plan.slots().stream().map(WindowPlan.Slot::name).toList();
    values = new Object[readers.size()];
    isUsed = new boolean[values.length];
    for (WindowPlan.Slot slot : plan.slots()) {
      if (slot.value() >= 0) {
        isUsed[slot.value()] |= slot.isValueUsed();
      }
    }
    empty = EntityWindows.of(plan);
  }

  /** The entities of the group, in the order in which they came. */
  List<Entity> entities() {
    return entities;
  }

  /** Begins with another group: all entities before are forgotten. */
  void nextGroup() {
    entities.clear();
    last = null;
  }

  /** The entity of a row. */
  Entity of(InternalRow row) {
    UnsafeRow key = keyOf.apply(row);
    if (last != null && last.key.equals(key)) {
      return last;
    }
    for (Entity entity : entities) {
      if (entity.key.equals(key)) {
        last = entity;
        return entity;
      }
    }
    last = new Entity(key.copy(), empty.next());
    entities.add(last);
    return last;
  }

  /**
   * Adds a row's event.
   *
   * @param moment no question comes before it
   */
  void add(Entity entity, InternalRow row, long moment) {
    for (int i = 0; i < values.length; i++) {
      int ordinal = layout.value(i);
      if (row.isNullAt(ordinal)) {
        values[i] = null;
      } else {
        values[i] = isUsed[i] ? readers.get(i).read(row, ordinal) : (Object) true;
      }
    }
    entity.windows.add(
        values,
        row.getLong(layout.micros()),
        row.getInt(layout.partition()),
        row.getLong(layout.offset()),
        moment);
  }

  /**
   * The features at a moment as Spark has them, behind room for other values. Those that do not fit
   * into their type are null, and a last value names them, separated by commas; null: all fit.
   */
  Object[] thatFit(Entity entity, long moment, int room) {
    Object[] features = new Object[room + writers.size() + 1];
    List<String> others = new ArrayList<>();
    for (int i = 0; i < writers.size(); i++) {
      try {
        features[room + i] = writers.get(i).spark(entity.windows.value(i, moment));
      } catch (OverflowException e) {
        others.add(names.get(i));
      }
    }
    if (!others.isEmpty()) {
      features[room + writers.size()] = UTF8String.fromString(String.join(",", others));
    }
    return features;
  }

  /**
   * The features at a moment as Spark has them, behind room for other values.
   *
   * @throws TarnException if the exact result of one does not fit into its type
   */
  Object[] features(Entity entity, long moment, int room) {
    Object[] features = new Object[room + writers.size()];
    for (int i = 0; i < writers.size(); i++) {
      try {
        features[room + i] = writers.get(i).spark(entity.windows.value(i, moment));
      } catch (OverflowException e) {
        throw new TarnException(
            "feature '%s' of %s at %s: %s"
                .formatted(names.get(i), text(entity.key), Values.instant(moment), e.getMessage()),
            e);
      }
    }
    return features;
  }

  /** A key with the names of its columns. */
  private String text(UnsafeRow key) {
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < layout.keyNames().size(); i++) {
      Expression value = new BoundReference(i, layout.keyTypes().get(i), true);
      parts.add(
          layout.keyNames().get(i)
              + "="
              + new ToPrettyString(value, Option.apply("UTC")).eval(key));
    }
    return String.join(" ", parts);
  }
}
