package dev.tarn.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.aggregate.OverflowException;
import dev.tarn.aggregate.State;
import dev.tarn.aggregate.StateReader;
import java.util.HashMap;
import java.util.Map;

/**
 * The features of one entity at a moment: the merge of the base's cells and the live cells. It
 * serves one question and is not thread-safe.
 */
public final class LiveAnswer {

  private final LivePlan plan;
  private final Cut baseCut;
  private final long moment;
  private final long[] oldest;

  /** By feature; null: no event yet. */
  private final State[] states;

  private long newest = Long.MIN_VALUE;
  private final Map<Integer, Long> applied = new HashMap<>();

  /**
   * An answer without events.
   *
   * @param baseCut of the base; live cells count from there on
   * @param moment of the question, microseconds since 1970 UTC
   */
  public LiveAnswer(LivePlan plan, Cut baseCut, long moment) {
    this.plan = plan;
    this.baseCut = baseCut;
    this.moment = moment;
    states = new State[plan.features()];
    oldest = new long[plan.features()];
    for (int i = 0; i < oldest.length; i++) {
      oldest[i] = plan.oldestCell(i, moment);
    }
  }

  /**
   * Adds the entity's cells of the base.
   *
   * @throws CorruptStateException if the bytes are no cells
   */
  public void addBase(byte[] cells) {
    CellsReader.read(plan, true, new StateReader(cells), new Merge(false));
  }

  /** Adds the entity's live cells; see {@link #addBase}. */
  public void addLive(byte[] cells) {
    CellsReader.read(plan, false, new StateReader(cells), new Merge(true));
  }

  /** Whether the entity has a row: an event in any of the view's windows. */
  public boolean isThere() {
    return newest != Long.MIN_VALUE && plan.reaches(newest, moment);
  }

  /**
   * The value of a feature, as {@link State#result} gives it.
   *
   * @throws OverflowException if the value does not fit into the feature's type
   */
  public Object value(int feature) {
    State state = states[feature];
    return (state == null ? plan.aggregate(feature).newState() : state).result(moment);
  }

  /** The first offset of a partition that was not applied to this entity; 0: it knows none. */
  public long applied(int partition) {
    return applied.getOrDefault(partition, 0L);
  }

  /**
   * The cut up to which all events of this entity are in the answer, and behind which none is.
   *
   * @param progress a cut that was applied to all entities before the live cells were read
   */
  public Cut cut(Cut progress) {
    Cut known = baseCut.max(progress);
    return applied.isEmpty() ? known : known.max(Cut.of(applied));
  }

  private State state(int feature) {
    State state = states[feature];
    if (state == null) {
      state = plan.aggregate(feature).newState();
      states[feature] = state;
    }
    return state;
  }

  private final class Merge implements CellsReader.Visitor {

    private final boolean isLive;

    Merge(boolean isLive) {
      this.isLive = isLive;
    }

    @Override
    public void applied(int partition, long next) {
      applied.merge(partition, next, Math::max);
    }

    @Override
    public void event(int partition, long offset, long micros, Object[] values) {
      if (micros > moment || (isLive && offset < baseCut.next(partition))) {
        return;
      }
      newest = Math.max(newest, micros);
      for (int i = 0; i < oldest.length; i++) {
        int index = plan.valueOf(i);
        Object value = index < 0 ? (Object) true : values[index];
        if (value != null && plan.cell(i, micros) >= oldest[i]) {
          state(i).add(value, micros, partition, offset);
        }
      }
    }

    @Override
    public boolean segment(int partition, long number, long newestOfSegment) {
      if (isLive && number * plan.segment() < baseCut.next(partition)) {
        return false;
      }
      newest = Math.max(newest, newestOfSegment);
      return true;
    }

    @Override
    public boolean wants(int feature, long cell) {
      return cell >= oldest[feature];
    }

    @Override
    public void cell(int feature, long cell, State state) {
      if (states[feature] == null) {
        states[feature] = state;
      } else {
        states[feature].merge(state);
      }
    }
  }
}
