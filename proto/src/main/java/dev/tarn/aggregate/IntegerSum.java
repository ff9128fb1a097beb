package dev.tarn.aggregate;

import java.math.BigInteger;

/** An exact sum of integers of any size: a long, and what went beyond it. */
final class IntegerSum {

  /** Bytes of the sum of 2⁶³ squares of 38 digits. */
  private static final int MAX_BYTES = 40;

  private long small;

  /** Null until needed. */
  private BinarySum large;

  void add(long integer) {
    long sum = small + integer;
    if (((small ^ sum) & (integer ^ sum)) < 0) {
      large().addAt(0, small, small >> 63);
      small = integer;
    } else {
      small = sum;
    }
  }

  void add(BigInteger integer) {
    if (integer.bitLength() < Long.SIZE) {
      add(integer.longValue());
    } else {
      large().add(integer);
    }
  }

  void addSquare(long integer) {
    long lower = integer * integer;
    long upper = Math.multiplyHigh(integer, integer);
    if (upper == lower >> 63) {
      add(lower);
    } else {
      large().addAt(0, lower, upper);
    }
  }

  void add(IntegerSum other) {
    add(other.small);
    if (other.large != null) {
      large().add(other.large);
    }
  }

  IntegerSum copy() {
    IntegerSum copy = new IntegerSum();
    copy.small = small;
    copy.large = large == null ? null : large.copy();
    return copy;
  }

  /** Whether {@link #small} is the sum: it may be so even if this is false. */
  boolean isSmall() {
    return large == null;
  }

  long small() {
    return small;
  }

  BigInteger total() {
    BigInteger total = BigInteger.valueOf(small);
    return large == null ? total : total.add(large.integer());
  }

  /** Writes the sum's bytes in two's complement, as few as can be, after their length. */
  void write(StateWriter out) {
    if (large != null) {
      out.putBytes(total().toByteArray());
      return;
    }
    int bytes = 8 - (Long.numberOfLeadingZeros(small ^ (small >> 63)) - 1) / 8;
    out.putVarint(bytes);
    out.putHighBytes(small, bytes);
  }

  static IntegerSum read(StateReader in) {
    IntegerSum sum = new IntegerSum();
    sum.add(new BigInteger(in.readInteger(MAX_BYTES)));
    return sum;
  }

  private BinarySum large() {
    if (large == null) {
      large = new BinarySum();
    }
    return large;
  }
}
