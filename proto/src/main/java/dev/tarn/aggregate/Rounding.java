package dev.tarn.aggregate;

import java.math.BigInteger;

/** Rounds exact numbers to the nearest double, and to the even one of two. */
final class Rounding {

  /** More bits than a double has, so that what is below them decides ties only. */
  private static final int BITS = 66;

  /** All longs up to this one are doubles. */
  static final long MAX_EXACT = 1L << 53;

  private Rounding() {}

  /**
   * The double nearest to a positive number.
   *
   * @param high the number's highest 64 bits, of which the first is set
   * @param exponent the power of two of the first bit
   * @param more whether any bit below those is set
   */
  static double toDouble(long high, int exponent, boolean more) {
    if (exponent > Double.MAX_EXPONENT) {
      return Double.POSITIVE_INFINITY;
    }
    // Of the 64 bits a normal double keeps 53, and a subnormal one fewer.
    int dropped = 11 + Math.max(0, Double.MIN_EXPONENT - exponent);
    if (dropped > 64) {
      return 0.0; // Less than half of the least double.
    }
    long kept = dropped == 64 ? 0 : high >>> dropped;
    boolean half = ((high >>> (dropped - 1)) & 1) != 0;
    boolean beyondHalf = more || (high & ((1L << (dropped - 1)) - 1)) != 0;
    if (half && (beyondHalf || (kept & 1) != 0)) {
      kept++;
    }
    // The first kept bit is the one that a double leaves out: it, and one that came by rounding up,
    // count one more in the exponent.
    long biased = Math.max(0, exponent - Double.MIN_EXPONENT);
    return Double.longBitsToDouble((biased << 52) + kept);
  }

  /** The double nearest to a quotient of doubles, as the processor gives it, but never -0.0. */
  static double ratio(double numerator, double denominator) {
    return numerator / denominator + 0.0;
  }

  /**
   * The double nearest to numerator ÷ denominator · 2ᵉ, never -0.0. The denominator is positive.
   */
  static double ratio(BigInteger numerator, BigInteger denominator, int exponent) {
    if (numerator.signum() == 0) {
      return 0.0;
    }
    BigInteger magnitude = numerator.abs();
    int shift = BITS - (magnitude.bitLength() - denominator.bitLength());
    BigInteger[] quotient = divide(magnitude, denominator, shift);
    double result = toDouble(quotient[0], exponent - shift, quotient[1].signum() != 0);
    return numerator.signum() < 0 ? 0.0 - result : result;
  }

  /** The double nearest to √(numerator ÷ denominator · 2ᵉ). Both are positive. */
  static double rootOfRatio(BigInteger numerator, BigInteger denominator, int exponent) {
    if (numerator.signum() == 0) {
      return 0.0;
    }
    int shift = 2 * BITS - (numerator.bitLength() - denominator.bitLength());
    if (((exponent - shift) & 1) != 0) {
      shift++;
    }
    BigInteger[] quotient = divide(numerator, denominator, shift);
    BigInteger[] root = quotient[0].sqrtAndRemainder();
    return toDouble(
        root[0], (exponent - shift) / 2, quotient[1].signum() != 0 || root[1].signum() != 0);
  }

  /** Quotient and remainder of numerator · 2ˢ ÷ denominator. */
  private static BigInteger[] divide(BigInteger numerator, BigInteger denominator, int shift) {
    return shift >= 0
        ? numerator.shiftLeft(shift).divideAndRemainder(denominator)
        : numerator.divideAndRemainder(denominator.shiftLeft(-shift));
  }

  /** The double nearest to an integer of 64 bits or more, times 2ᵉ. */
  private static double toDouble(BigInteger integer, int exponent, boolean more) {
    int low = integer.bitLength() - 64;
    return toDouble(
        integer.shiftRight(low).longValue(),
        exponent + integer.bitLength() - 1,
        more || integer.getLowestSetBit() < low);
  }
}
