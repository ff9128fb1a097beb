package dev.tarn.aggregate;

import java.math.BigInteger;

/** Sums float and double, and their squares: variance, stddev. */
final class DoubleMomentsState extends State {

  private long count;
  private DoubleSum sum = new DoubleSum();

  /** Of the finite values. */
  private BinarySum squares = new BinarySum();

  DoubleMomentsState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    double number = (Double) value;
    count++;
    sum.add(number);
    if (Double.isFinite(number)) {
      squares.addSquare(number);
    }
  }

  @Override
  void mergeSame(State other) {
    DoubleMomentsState others = (DoubleMomentsState) other;
    count = Math.addExact(count, others.count);
    sum.add(others.sum);
    squares.add(others.squares);
  }

  @Override
  public State copy() {
    DoubleMomentsState copy = new DoubleMomentsState(aggregate);
    copy.count = count;
    copy.sum = sum.copy();
    copy.squares = squares.copy();
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    if (count < 2) {
      return null;
    }
    if (!sum.isFinite()) {
      return Double.NaN;
    }
    BigInteger total = sum.integer();
    BigInteger n = BigInteger.valueOf(count);
    int exponent = Math.min(2 * sum.exponent(), squares.exponent());
    BigInteger numerator =
        n.multiply(squares.integer())
            .shiftLeft(squares.exponent() - exponent)
            .subtract(total.multiply(total).shiftLeft(2 * sum.exponent() - exponent));
    BigInteger denominator = n.multiply(BigInteger.valueOf(count - 1));
    return aggregate.kind() == Aggregate.Kind.VARIANCE
        ? Rounding.ratio(numerator, denominator, exponent)
        : Rounding.rootOfRatio(numerator, denominator, exponent);
  }

  @Override
  void write(StateWriter out) {
    out.putVarint(count);
    sum.write(out);
    squares.write(out);
  }

  @Override
  void read(StateReader in) {
    count = in.readEvents();
    sum = DoubleSum.read(in);
    squares = BinarySum.read(in);
  }
}
