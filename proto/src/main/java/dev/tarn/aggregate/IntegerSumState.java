package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** Sums int, bigint and decimal: sum, avg. */
final class IntegerSumState extends State {

  private long count;
  private IntegerSum sum = new IntegerSum();

  IntegerSumState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    count++;
    if (value instanceof Long integer) {
      sum.add(integer);
      return;
    }
    BigDecimal decimal = (BigDecimal) value;
    if (aggregate.codec().isShort(decimal)) {
      sum.add(aggregate.codec().unscaled(decimal));
    } else {
      sum.add(aggregate.codec().unscaledInteger(decimal));
    }
  }

  @Override
  void mergeSame(State other) {
    IntegerSumState others = (IntegerSumState) other;
    count = Math.addExact(count, others.count);
    sum.add(others.sum);
  }

  @Override
  public State copy() {
    IntegerSumState copy = new IntegerSumState(aggregate);
    copy.count = count;
    copy.sum = sum.copy();
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    if (count == 0) {
      return null;
    }
    boolean decimal = aggregate.valueType().getKind() == Kind.KIND_DECIMAL;
    if (aggregate.kind() == Aggregate.Kind.SUM) {
      return decimal ? decimalSum() : (Object) longSum();
    }
    return decimal ? decimalAverage() : (Object) average();
  }

  private long longSum() {
    if (sum.isSmall()) {
      return sum.small();
    }
    BigInteger total = sum.total();
    if (total.bitLength() >= Long.SIZE) {
      throw new OverflowException("sum", total, aggregate.resultType());
    }
    return total.longValue();
  }

  private BigDecimal decimalSum() {
    return fitting("sum", total());
  }

  private double average() {
    if (sum.isSmall()
        && Math.abs(sum.small()) <= Rounding.MAX_EXACT
        && count <= Rounding.MAX_EXACT
        && sum.small() != Long.MIN_VALUE) {
      return Rounding.ratio((double) sum.small(), (double) count);
    }
    return Rounding.ratio(sum.total(), BigInteger.valueOf(count), 0);
  }

  private BigDecimal decimalAverage() {
    int scale = aggregate.resultType().getScale();
    return fitting(
        "average", total().divide(BigDecimal.valueOf(count), scale, RoundingMode.HALF_UP));
  }

  private BigDecimal total() {
    int scale = aggregate.valueType().getScale();
    return sum.isSmall()
        ? BigDecimal.valueOf(sum.small(), scale)
        : new BigDecimal(sum.total(), scale);
  }

  private BigDecimal fitting(String what, BigDecimal value) {
    if (value.precision() > aggregate.resultType().getPrecision()) {
      throw new OverflowException(what, value, aggregate.resultType());
    }
    return value;
  }

  @Override
  void write(StateWriter out) {
    out.putVarint(count);
    sum.write(out);
  }

  @Override
  void read(StateReader in) {
    count = in.readEvents();
    sum = IntegerSum.read(in);
  }
}
