package dev.tarn.serving.rpc;

import com.typesafe.config.Config;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A size that is set as bytes, e.g. {@code 256M}, or as a share of the heap, e.g. {@code 25%}.
 *
 * @param bytes 0 if it is a share
 * @param share from 0 to 1; 0 if it is bytes
 */
public record HeapShare(long bytes, double share) {

  private static final Pattern PERCENT = Pattern.compile("\\s*(\\d{1,2}(?:\\.\\d+)?)\\s*%\\s*");

  /** The largest share: the server needs heap for more than answers. */
  private static final double MOST = 0.75;

  /**
   * Reads a setting.
   *
   * @throws IllegalArgumentException if it is out of its range, by name
   */
  static HeapShare of(Config serving, String name) {
    String text = serving.getString(name);
    Matcher percent = PERCENT.matcher(text);
    HeapShare read =
        percent.matches()
            ? new HeapShare(0, Double.parseDouble(percent.group(1)) / 100)
            : new HeapShare(text.contains("%") ? 0 : serving.getBytes(name), 0);
    if (read.bytes <= 0 && !(read.share > 0 && read.share <= MOST)) {
      throw new IllegalArgumentException(
          "serving.%s = %s: it is a size such as 256M, or a share of the heap from 1%% to 75%%"
              .formatted(name, text));
    }
    return read;
  }

  /** Returns the bytes, given those that may be shared. */
  public long of(long heap) {
    return bytes > 0 ? bytes : (long) (heap * share);
  }
}
