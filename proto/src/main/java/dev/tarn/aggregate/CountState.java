package dev.tarn.aggregate;

/** Counts events. */
final class CountState extends State {

  private long count;

  CountState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    count++;
  }

  @Override
  void mergeSame(State other) {
    count = Math.addExact(count, ((CountState) other).count);
  }

  @Override
  public State copy() {
    CountState copy = new CountState(aggregate);
    copy.count = count;
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    return count;
  }

  @Override
  void write(StateWriter out) {
    out.putVarint(count);
  }

  @Override
  void read(StateReader in) {
    count = in.readEvents();
  }
}
