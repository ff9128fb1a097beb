package dev.tarn.etl.window;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.aggregate.State;
import java.util.Arrays;

/**
 * The aggregate of one window of one entity, while the moment of the question moves on.
 *
 * <p>The window is cut into cells. Those before the newest one that were there when the window was
 * last arranged have, beside their own states, the merge of each with all after it up to the newest
 * then; what came since is merged as it comes. So moving on and asking merge two states, however
 * many cells there are; arranging anew costs a merge for each cell, which happens at most once for
 * each cell that is added.
 */
final class SlidingWindow {

  private final Aggregate aggregate;
  private final long resolution;
  private final long length;

  /** Cells from {@code head} to {@code tail}, the oldest first; those with events alone. */
  private long[] numbers = new long[2];

  private State[] cells = new State[2];

  /** The merge of each cell with those after it, before {@code arranged}. */
  private State[] suffixes = new State[2];

  private int head;
  private int tail;
  private int arranged;

  /** The merge of the cells from {@code arranged} on; null: there are none. */
  private State since;

  private boolean isStale;

  /**
   * An empty window.
   *
   * @param resolution microseconds of a cell
   * @param length number of cells
   */
  SlidingWindow(Aggregate aggregate, long resolution, long length) {
    this.aggregate = aggregate;
    this.resolution = resolution;
    this.length = length;
  }

  /** Forgets the cells that no question at this moment or later has. */
  void moveTo(long micros) {
    long oldest = oldest(micros);
    if (head == tail || numbers[head] >= oldest) {
      return;
    }
    while (head < tail && numbers[head] < oldest) {
      cells[head] = null;
      suffixes[head] = null;
      // A cell that goes out of the merge of the newer ones can't be taken from it.
      isStale |= head >= arranged;
      head++;
    }
    if (head == tail) {
      head = 0;
      tail = 0;
      arranged = 0;
      since = null;
      isStale = false;
    }
  }

  /** Adds a value of an event. Older ones than the oldest cell of the moment are of no use. */
  void add(Object value, long micros, int partition, long offset, long moment) {
    long number = Math.floorDiv(micros, resolution);
    if (number < oldest(moment)) {
      return;
    }
    int at;
    if (head == tail || number > numbers[tail - 1]) {
      at = insert(tail, number);
    } else if (number == numbers[tail - 1]) {
      at = tail - 1;
    } else {
      // An event that became known late.
      int found = Arrays.binarySearch(numbers, head, tail, number);
      at = found >= 0 ? found : insert(-found - 1, number);
      isStale = true;
    }
    cells[at].add(value, micros, partition, offset);
    if (!isStale) {
      if (since == null) {
        since = aggregate.newState();
      }
      since.add(value, micros, partition, offset);
    }
  }

  /** The result at a moment: that of the last {@link #moveTo} or a later one. */
  Object result(long micros) {
    moveTo(micros);
    if (isStale) {
      arrange();
    }
    State state = since;
    if (head < arranged) {
      state = suffixes[head];
      if (since != null) {
        state = state.copy();
        state.merge(since);
      }
    }
    return (state == null ? aggregate.newState() : state).result(micros);
  }

  private long oldest(long micros) {
    return Math.floorDiv(micros, resolution) - length + 1;
  }

  /** Computes the merges anew. The newest cell may still grow, so it is not among them. */
  private void arrange() {
    arranged = tail - 1;
    State merged = null;
    for (int i = arranged - 1; i >= head; i--) {
      State suffix = cells[i].copy();
      if (merged != null) {
        suffix.merge(merged);
      }
      suffixes[i] = suffix;
      merged = suffix;
    }
    since = cells[tail - 1].copy();
    isStale = false;
  }

  private int insert(int at, long number) {
    if (tail == numbers.length) {
      int cellsNow = tail - head;
      int room = Math.max(2, cellsNow > numbers.length / 2 ? numbers.length * 2 : numbers.length);
      numbers = Arrays.copyOf(Arrays.copyOfRange(numbers, head, tail), room);
      cells = Arrays.copyOf(Arrays.copyOfRange(cells, head, tail), room);
      suffixes = Arrays.copyOf(Arrays.copyOfRange(suffixes, head, tail), room);
      arranged = Math.max(0, arranged - head);
      at -= head;
      head = 0;
      tail = cellsNow;
    }
    System.arraycopy(numbers, at, numbers, at + 1, tail - at);
    System.arraycopy(cells, at, cells, at + 1, tail - at);
    numbers[at] = number;
    cells[at] = aggregate.newState();
    tail++;
    return at;
  }
}
