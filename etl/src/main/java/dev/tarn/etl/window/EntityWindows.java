package dev.tarn.etl.window;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.aggregate.OverflowException;
import dev.tarn.aggregate.State;
import dev.tarn.etl.definition.SparkTypes;
import java.util.List;
import java.util.Optional;

/** The windows of one entity while its events and questions come in order of time. */
final class EntityWindows {

  private final WindowPlan plan;
  private final List<Aggregate> aggregates;
  private final SlidingWindow[] windows;

  /** The states of the features that count all events. */
  private final State[] totals;

  private long newest = Long.MIN_VALUE;

  private EntityWindows(WindowPlan plan, List<Aggregate> aggregates) {
    this.plan = plan;
    this.aggregates = aggregates;
    windows = new SlidingWindow[aggregates.size()];
    totals = new State[aggregates.size()];
    for (int i = 0; i < totals.length; i++) {
      WindowPlan.Slot slot = plan.slots().get(i);
      if (slot.length() == 0) {
        totals[i] = aggregates.get(i).newState();
      } else {
        windows[i] = new SlidingWindow(aggregates.get(i), slot.resolution(), slot.length());
      }
    }
  }

  /** The windows of an entity before its first event. */
  static EntityWindows of(WindowPlan plan) {
    List<Aggregate> aggregates =
        plan.slots().stream()
            .map(
                slot ->
                    Aggregate.of(
                        slot.kind(),
                        slot.value() < 0
                            ? Optional.empty()
                            : SparkTypes.stored(plan.valueTypes().get(slot.value())),
                        slot.count()))
            .toList();
    return new EntityWindows(plan, aggregates);
  }

  /** The windows of another entity. */
  EntityWindows next() {
    return new EntityWindows(plan, aggregates);
  }

  /**
   * Adds an event.
   *
   * @param values of the event, null where it has none; a feature that only counts them may get any
   *     other object
   * @param moment no question comes before it
   */
  void add(Object[] values, long micros, int partition, long offset, long moment) {
    newest = Math.max(newest, micros);
    for (int i = 0; i < windows.length; i++) {
      int index = plan.slots().get(i).value();
      Object value = index < 0 ? (Object) true : values[index];
      if (value == null) {
        continue;
      }
      if (windows[i] == null) {
        totals[i].add(value, micros, partition, offset);
      } else {
        windows[i].moveTo(moment);
        windows[i].add(value, micros, partition, offset, moment);
      }
    }
  }

  /** Whether the entity has a row at a moment: an event in any of the view's windows. */
  boolean isThere(long moment) {
    return newest != Long.MIN_VALUE && plan.reaches(newest, moment);
  }

  /**
   * The value of a feature at a moment, which must not be before that of an earlier question.
   *
   * @throws OverflowException if the exact result does not fit into the feature's type
   */
  Object value(int feature, long moment) {
    return windows[feature] == null
        ? totals[feature].result(moment)
        : windows[feature].result(moment);
  }
}
