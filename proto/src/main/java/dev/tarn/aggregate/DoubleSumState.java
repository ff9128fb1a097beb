package dev.tarn.aggregate;

/** Sums float and double: sum, avg. */
final class DoubleSumState extends State {

  private long count;
  private DoubleSum sum = new DoubleSum();

  DoubleSumState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    count++;
    sum.add((Double) value);
  }

  @Override
  void mergeSame(State other) {
    DoubleSumState others = (DoubleSumState) other;
    count = Math.addExact(count, others.count);
    sum.add(others.sum);
  }

  @Override
  public State copy() {
    DoubleSumState copy = new DoubleSumState(aggregate);
    copy.count = count;
    copy.sum = sum.copy();
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    if (count == 0) {
      return null;
    }
    return aggregate.kind() == Aggregate.Kind.SUM ? sum.toDouble() : sum.dividedBy(count);
  }

  @Override
  void write(StateWriter out) {
    out.putVarint(count);
    sum.write(out);
  }

  @Override
  void read(StateReader in) {
    count = in.readEvents();
    sum = DoubleSum.read(in);
  }
}
