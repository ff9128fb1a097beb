package dev.tarn.aggregate;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * An exact sum of numbers m·2ᵉ: a number in two's complement that has only the words it spans. The
 * sum of all doubles of a stream takes at most 34 of them, that of a few amounts of money two.
 */
final class BinarySum {

  private static final long[] NONE = {};

  /** Bounds of the bytes of sums of squares of doubles, by their distance from the point. */
  private static final int MAX_BYTE = 300;

  /** The lowest word first; the highest has the sign. */
  private long[] words = NONE;

  /** Index of the first word; word 0 is the lowest that has no fraction. */
  private int low;

  /** Adds m·2ᵉ. */
  void add(long mantissa, int exponent) {
    if (mantissa == 0) {
      return;
    }
    // Without its zeros a whole number needs no word behind the point.
    int zeros = Long.numberOfTrailingZeros(mantissa);
    long odd = mantissa >> zeros;
    int bit = exponent + zeros;
    int shift = bit & 63;
    addAt(bit >> 6, odd << shift, (odd >> 1) >> (63 - shift));
  }

  void add(double finite) {
    add(mantissa(finite), exponent(finite));
  }

  void addSquare(double finite) {
    long mantissa = mantissa(finite);
    int exponent = 2 * exponent(finite);
    if (mantissa == 0) {
      return;
    }
    long low = mantissa * mantissa;
    long high = Math.multiplyHigh(mantissa, mantissa);
    add(low & ((1L << 53) - 1), exponent);
    add((high << 11) | (low >>> 53), exponent + 53);
  }

  /** Adds a number of 128 bits that stands at a word. */
  void addAt(int at, long lower, long upper) {
    span(at, at + (upper == lower >> 63 ? 1 : 2));
    int i = at - low;
    long old = words[i];
    long addend = lower;
    long sum = old + addend;
    words[i++] = sum;
    long carry = ((old & addend) | ((old | addend) & ~sum)) >>> 63;
    long next = upper;
    // What is left to add is zero when a carry meets a sign.
    while (i < words.length && next + carry != 0) {
      old = words[i];
      addend = next;
      sum = old + addend + carry;
      words[i++] = sum;
      carry = ((old & addend) | ((old | addend) & ~sum)) >>> 63;
      next = upper >> 63;
    }
    if (i == words.length && ((old ^ sum) & (addend ^ sum)) < 0) {
      appendSign(old);
    }
  }

  void add(BigInteger integer) {
    long[] addend = new long[integer.bitLength() / 64 + 1];
    BigInteger rest = integer;
    for (int i = 0; i < addend.length; i++) {
      addend[i] = rest.longValue();
      rest = rest.shiftRight(64);
    }
    addWords(0, addend);
  }

  void add(BinarySum other) {
    addWords(other.low, other.words);
  }

  private void addWords(int at, long[] addends) {
    if (addends.length == 0) {
      return;
    }
    span(at, at + addends.length);
    long sign = addends[addends.length - 1] >> 63;
    long old = 0;
    long addend = 0;
    long sum = 0;
    long carry = 0;
    int i = at - low;
    for (int k = 0; i < words.length; k++, i++) {
      if (k >= addends.length && sign + carry == 0) {
        return;
      }
      old = words[i];
      addend = k < addends.length ? addends[k] : sign;
      sum = old + addend + carry;
      words[i] = sum;
      carry = ((old & addend) | ((old | addend) & ~sum)) >>> 63;
    }
    if (((old ^ sum) & (addend ^ sum)) < 0) {
      appendSign(old);
    }
  }

  /** Adds a word of a sign: the highest has lost it. */
  private void appendSign(long signed) {
    words = Arrays.copyOf(words, words.length + 1);
    words[words.length - 1] = signed >> 63;
  }

  /** Makes sure that there are words from an index to another. */
  private void span(int from, int to) {
    if (from >= low && to <= low + words.length) {
      return;
    }
    if (words.length == 0) {
      low = from;
      words = new long[to - from];
      return;
    }
    int newLow = Math.min(low, from);
    int end = low + words.length;
    long[] wider = new long[Math.max(end, to) - newLow];
    System.arraycopy(words, 0, wider, low - newLow, words.length);
    Arrays.fill(wider, end - newLow, wider.length, words[words.length - 1] >> 63);
    words = wider;
    low = newLow;
  }

  BinarySum copy() {
    BinarySum copy = new BinarySum();
    copy.words = words.length == 0 ? NONE : words.clone();
    copy.low = low;
    return copy;
  }

  /** The sum divided by 2 to the power of {@link #exponent}. */
  BigInteger integer() {
    byte[] bytes = new byte[8 * words.length + 1];
    for (int i = 0; i < bytes.length - 1; i++) {
      bytes[bytes.length - 1 - i] = (byte) byteAt(i);
    }
    bytes[0] = (byte) sign();
    return new BigInteger(bytes);
  }

  int exponent() {
    return 64 * low;
  }

  /** The sum, rounded to the nearest double, and to the even one of two. */
  double toDouble() {
    boolean negative = sign() < 0;
    int first = 0;
    while (first < words.length && words[first] == 0) {
      first++;
    }
    if (first == words.length) {
      return 0.0;
    }
    int top = words.length - 1;
    long high = magnitude(top, first, negative);
    while (high == 0) {
      high = magnitude(--top, first, negative);
    }
    int zeros = Long.numberOfLeadingZeros(high);
    boolean more = first < top - 1;
    if (top > first) {
      long next = magnitude(top - 1, first, negative);
      // Java shifts by 64 as by 0.
      high = zeros == 0 ? high : (high << zeros) | (next >>> (64 - zeros));
      more |= next << zeros != 0;
    } else {
      high <<= zeros;
    }
    double magnitude = Rounding.toDouble(high, 64 * (low + top) + 63 - zeros, more);
    return negative ? -magnitude : magnitude;
  }

  /** A word of the number without its sign; {@code first} is the lowest that is not zero. */
  private long magnitude(int word, int first, boolean negative) {
    if (!negative) {
      return words[word];
    }
    return word > first ? ~words[word] : -words[word];
  }

  private int sign() {
    return words.length == 0 || words[words.length - 1] >= 0 ? 0 : -1;
  }

  /** A byte by its distance from the first word's lowest. */
  private int byteAt(int index) {
    return (int) (words[index >> 3] >>> (8 * (index & 7))) & 0xFF;
  }

  /**
   * Writes the sum as an integer and a power of 256: the integer's bytes in two's complement, as
   * few as can be, of which the last is not zero. Zero has no bytes, and no power.
   */
  void write(StateWriter out) {
    int sign = sign() & 0xFF;
    int to = 8 * words.length - 1;
    while (to > 0 && byteAt(to) == sign && (byteAt(to - 1) ^ sign) < 0x80) {
      to--;
    }
    int from = 0;
    while (from <= to && byteAt(from) == 0) {
      from++;
    }
    if (from > to) {
      out.putVarint(0);
      return;
    }
    out.putVarint(to - from + 1);
    out.putZigzag(8 * low + from);
    for (int i = to; i >= from; i--) {
      out.putByte(byteAt(i));
    }
  }

  static BinarySum read(StateReader in) {
    BinarySum sum = new BinarySum();
    int length = in.readCount(2 * MAX_BYTE);
    if (length == 0) {
      return sum;
    }
    long from = in.readZigzag();
    byte[] bytes = in.readIntegerOf(length);
    if (bytes[length - 1] == 0 || from < -MAX_BYTE || from > MAX_BYTE - length) {
      throw new CorruptStateException("the state has a sum that no events have");
    }
    sum.low = Math.floorDiv((int) from, 8);
    int shift = Math.floorMod((int) from, 8);
    sum.words = new long[(shift + length + 7) / 8];
    Arrays.fill(sum.words, bytes[0] < 0 ? -1 : 0);
    for (int i = 0; i < 8 * sum.words.length; i++) {
      int at = length - 1 - (i - shift);
      if (at >= 0) {
        int value = at < length ? bytes[at] & 0xFF : 0;
        int bits = 8 * (i & 7);
        sum.words[i >> 3] = (sum.words[i >> 3] & ~(0xFFL << bits)) | ((long) value << bits);
      }
    }
    return sum;
  }

  /** The mantissa of a finite double, with its sign. */
  private static long mantissa(double finite) {
    long bits = Double.doubleToRawLongBits(finite);
    long fraction = bits & ((1L << 52) - 1);
    long mantissa = (bits & (0x7FFL << 52)) == 0 ? fraction : fraction | (1L << 52);
    return bits < 0 ? -mantissa : mantissa;
  }

  /** The power of two that a double's mantissa is multiplied with. */
  private static int exponent(double finite) {
    int biased = (int) (Double.doubleToRawLongBits(finite) >>> 52) & 0x7FF;
    return Math.max(biased, 1) - 1075;
  }
}
