package dev.tarn.aggregate;

import java.math.BigInteger;

/**
 * An exact sum of doubles: one double as long as it is exact, then all the words it needs. NaN and
 * infinities are noted beside it.
 */
final class DoubleSum {

  private static final int NAN = 1;
  private static final int POSITIVE_INFINITY = 2;
  private static final int NEGATIVE_INFINITY = 4;
  private static final int ALL = NAN | POSITIVE_INFINITY | NEGATIVE_INFINITY;

  /** The sum; 0.0 where there are {@link #words}. Never -0.0. */
  private double small;

  /** Null until needed. */
  private BinarySum words;

  private byte specials;

  void add(double number) {
    if (Double.isFinite(number)) {
      addFinite(number);
    } else {
      specials |=
          (byte) (Double.isNaN(number) ? NAN : number > 0 ? POSITIVE_INFINITY : NEGATIVE_INFINITY);
    }
  }

  private void addFinite(double number) {
    if (words == null) {
      double sum = small + number;
      // What the sum lacks is a double, which these steps compute without any error (Knuth).
      double part = sum - small;
      double lost = (small - (sum - part)) + (number - part);
      if (lost == 0 && Double.isFinite(sum)) {
        small = sum;
        return;
      }
      toWords();
    }
    words.add(number);
  }

  void add(DoubleSum other) {
    specials |= other.specials;
    if (other.words == null) {
      addFinite(other.small);
    } else {
      toWords();
      words.add(other.words);
    }
  }

  DoubleSum copy() {
    DoubleSum copy = new DoubleSum();
    copy.small = small;
    copy.words = words == null ? null : words.copy();
    copy.specials = specials;
    return copy;
  }

  boolean isFinite() {
    return specials == 0;
  }

  /** The sum of all, rounded once. */
  double toDouble() {
    return switch (specials) {
      case 0 -> words == null ? small : words.toDouble();
      case POSITIVE_INFINITY -> Double.POSITIVE_INFINITY;
      case NEGATIVE_INFINITY -> Double.NEGATIVE_INFINITY;
      default -> Double.NaN;
    };
  }

  /** The sum divided by a count, rounded once. */
  double dividedBy(long count) {
    if (specials != 0) {
      return toDouble();
    }
    if (words == null && count <= Rounding.MAX_EXACT) {
      return Rounding.ratio(small, (double) count);
    }
    return Rounding.ratio(integer(), BigInteger.valueOf(count), exponent());
  }

  /** The sum of the finite numbers divided by 2 to the power of {@link #exponent}. */
  BigInteger integer() {
    return inWords().integer();
  }

  int exponent() {
    return inWords().exponent();
  }

  void write(StateWriter out) {
    out.putByte(specials);
    inWords().write(out);
  }

  static DoubleSum read(StateReader in) {
    DoubleSum sum = new DoubleSum();
    int specials = in.readByte();
    if (specials > ALL) {
      throw new CorruptStateException("the state has %d where 0 to 7 must be".formatted(specials));
    }
    sum.specials = (byte) specials;
    sum.words = BinarySum.read(in);
    return sum;
  }

  private BinarySum inWords() {
    if (words != null) {
      return words;
    }
    BinarySum result = new BinarySum();
    result.add(small);
    return result;
  }

  private void toWords() {
    if (words == null) {
      words = inWords();
      small = 0.0;
    }
  }
}
