package dev.tarn.row;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;

/** Writes the texts of {@link Values} digit by digit into a buffer. */
final class Texts {

  private static final long MICROS_A_DAY = 86_400_000_000L;

  private static final int MAX_DIGITS = 19;

  private Texts() {}

  /** Puts a date as {@link Values#ofDate} does. */
  static void putDate(int daysSince1970, WireBuffer out) {
    LocalDate date = LocalDate.ofEpochDay(daysSince1970);
    if (date.getYear() < 0 || date.getYear() > 9999) {
      putAscii(date.toString(), out);
    } else {
      putDate(date, out);
    }
  }

  /** Puts a timestamp as {@link Values#ofTimestampNtz} does. */
  static void putTimestamp(long micros, WireBuffer out) {
    LocalDate date = LocalDate.ofEpochDay(Math.floorDiv(micros, MICROS_A_DAY));
    if (date.getYear() < 0 || date.getYear() > 9999) {
      putAscii(Values.ofTimestampNtz(micros).getStringValue(), out);
      return;
    }
    putDate(date, out);
    long microOfDay = Math.floorMod(micros, MICROS_A_DAY);
    int second = (int) (microOfDay / 1_000_000);
    int fraction = (int) (microOfDay % 1_000_000);
    out.putByte('T');
    putDigits(second / 3_600, 2, out);
    out.putByte(':');
    putDigits(second / 60 % 60, 2, out);
    out.putByte(':');
    putDigits(second % 60, 2, out);
    if (fraction != 0) {
      out.putByte('.');
      if (fraction % 1_000 == 0) {
        putDigits(fraction / 1_000, 3, out);
      } else {
        putDigits(fraction, 6, out);
      }
    }
  }

  /**
   * Puts a decimal as {@link Values#ofDecimal} does.
   *
   * @param unscaled not the smallest long, which has no positive counterpart
   * @param scale 0 to 18
   */
  static void putDecimal(long unscaled, int scale, WireBuffer out) {
    long rest = Math.abs(unscaled);
    int digits = 1;
    for (long power = 10; digits < MAX_DIGITS && power <= rest; power *= 10) {
      digits++;
    }
    // At least one digit stands before the point.
    int shown = Math.max(digits, scale + 1);
    int length = shown + (scale > 0 ? 1 : 0) + (unscaled < 0 ? 1 : 0);
    byte[] bytes = out.room(length);
    int at = out.size() + length;
    for (int i = 0; i < shown; i++) {
      if (i == scale && i > 0) {
        bytes[--at] = '.';
      }
      bytes[--at] = (byte) ('0' + rest % 10);
      rest /= 10;
    }
    if (unscaled < 0) {
      bytes[--at] = '-';
    }
    out.added(length);
  }

  private static void putDate(LocalDate date, WireBuffer out) {
    putDigits(date.getYear(), 4, out);
    out.putByte('-');
    putDigits(date.getMonthValue(), 2, out);
    out.putByte('-');
    putDigits(date.getDayOfMonth(), 2, out);
  }

  private static void putDigits(int value, int count, WireBuffer out) {
    byte[] bytes = out.room(count);
    int at = out.size() + count;
    int rest = value;
    for (int i = 0; i < count; i++) {
      bytes[--at] = (byte) ('0' + rest % 10);
      rest /= 10;
    }
    out.added(count);
  }

  private static void putAscii(String text, WireBuffer out) {
    out.putBytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }
}
