package dev.tarn.aggregate;

/** Keeps the least or the greatest value: min, max. */
final class ExtremeState extends State {

  /** Null before the first. */
  private Object extreme;

  ExtremeState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    Object kept = aggregate.codec().kept(value);
    if (extreme == null) {
      extreme = kept;
      return;
    }
    int order = aggregate.codec().compare(kept, extreme);
    if (aggregate.kind() == Aggregate.Kind.MIN ? order < 0 : order > 0) {
      extreme = kept;
    }
  }

  @Override
  void mergeSame(State other) {
    Object others = ((ExtremeState) other).extreme;
    if (others != null) {
      add(others, 0, 0, 0);
    }
  }

  @Override
  public State copy() {
    ExtremeState copy = new ExtremeState(aggregate);
    copy.extreme = extreme;
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    return extreme;
  }

  @Override
  void write(StateWriter out) {
    if (extreme == null) {
      out.putByte(0);
    } else {
      out.putByte(1);
      aggregate.codec().write(extreme, out);
    }
  }

  @Override
  void read(StateReader in) {
    if (in.readFlag()) {
      extreme = aggregate.codec().read(in);
    }
  }
}
