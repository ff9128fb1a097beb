package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;

/** Sums int, bigint and decimal, and their squares: variance, stddev. */
final class IntegerMomentsState extends State {

  private long count;
  private IntegerSum sum = new IntegerSum();
  private IntegerSum squares = new IntegerSum();

  IntegerMomentsState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    count++;
    if (value instanceof Long integer) {
      add(integer);
      return;
    }
    BigDecimal decimal = (BigDecimal) value;
    if (aggregate.codec().isShort(decimal)) {
      add(aggregate.codec().unscaled(decimal));
    } else {
      BigInteger integer = aggregate.codec().unscaledInteger(decimal);
      sum.add(integer);
      squares.add(integer.multiply(integer));
    }
  }

  private void add(long integer) {
    sum.add(integer);
    squares.addSquare(integer);
  }

  @Override
  void mergeSame(State other) {
    IntegerMomentsState others = (IntegerMomentsState) other;
    count = Math.addExact(count, others.count);
    sum.add(others.sum);
    squares.add(others.squares);
  }

  @Override
  public State copy() {
    IntegerMomentsState copy = new IntegerMomentsState(aggregate);
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
    BigInteger total = sum.total();
    BigInteger n = BigInteger.valueOf(count);
    BigInteger numerator = n.multiply(squares.total()).subtract(total.multiply(total));
    BigInteger denominator = n.multiply(BigInteger.valueOf(count - 1));
    if (aggregate.valueType().getKind() == Kind.KIND_DECIMAL) {
      denominator = denominator.multiply(BigInteger.TEN.pow(2 * aggregate.valueType().getScale()));
    }
    return aggregate.kind() == Aggregate.Kind.VARIANCE
        ? Rounding.ratio(numerator, denominator, 0)
        : Rounding.rootOfRatio(numerator, denominator, 0);
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
    sum = IntegerSum.read(in);
    squares = IntegerSum.read(in);
  }
}
