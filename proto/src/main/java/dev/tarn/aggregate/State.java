package dev.tarn.aggregate;

/**
 * The state of one aggregate over a set of events. Adding and merging may come in any order and any
 * grouping: the bytes and the result depend on nothing but the events.
 *
 * <p>Values are given as Java objects by their type: {@code Boolean} for boolean; {@code Long} for
 * int, bigint, date (days), timestamp and timestamp_ntz (microseconds); {@code Double} for float
 * and double; {@code BigDecimal} with the type's scale for decimal; {@code byte[]} for string
 * (UTF-8), binary, and array and struct (in the row encoding). A state keeps the objects that it is
 * given and gives them back: nobody may change their bytes.
 *
 * <p>A state is not thread-safe.
 */
public abstract class State {

  /** What the state is of. */
  final Aggregate aggregate;

  State(Aggregate aggregate) {
    this.aggregate = aggregate;
  }

  /**
   * Adds one event.
   *
   * @param value its value, never null; ignored by count and seconds since last
   * @param micros its time, microseconds since 1970 UTC
   * @param partition where it stands, with its offset: events of one time are ordered by that
   */
  public abstract void add(Object value, long micros, int partition, long offset);

  /**
   * Adds all events of another state of the same aggregate, which stays as it is.
   *
   * @throws IllegalArgumentException if it is of another aggregate
   */
  public final void merge(State other) {
    if (!other.aggregate.equals(aggregate)) {
      throw new IllegalArgumentException(
          "a state of %s can't be merged into one of %s".formatted(other.aggregate, aggregate));
    }
    mergeSame(other == this ? copy() : other);
  }

  /** A state of its own that has the same events. */
  public abstract State copy();

  /**
   * The aggregate's value.
   *
   * @param nowMicros the moment of the question, which only seconds since last looks at
   * @return null if there is nothing to tell: no event, or fewer than two for variance and stddev.
   *     Counts of nothing are 0
   * @throws OverflowException if the value does not fit into the result's type
   */
  public abstract Object result(long nowMicros);

  /**
   * The state as bytes, of which the first says the format and the aggregate. Equal events have
   * equal bytes.
   */
  public final byte[] toBytes() {
    StateWriter out = new StateWriter();
    out.putByte(aggregate.header());
    write(out);
    return out.toBytes();
  }

  abstract void mergeSame(State other);

  abstract void write(StateWriter out);

  /** Reads into an empty state what {@link #write} wrote. */
  abstract void read(StateReader in);
}
