package dev.tarn.etl.input;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;

/**
 * A part of a CSV file, cut anywhere, and where its first record begins. That depends on whether
 * the part begins in quotes, which only the parts before it tell, so there are two answers.
 *
 * @param quotes number of quotes in the part
 * @param lines number of line breaks that begin in the part
 * @param outside where the first record begins if the part begins outside of quotes; -1: none does
 * @param outsideLines number of line breaks before that
 * @param inside where the first record begins if the part begins in quotes; -1: none does
 * @param insideLines number of line breaks before that
 */
record CsvChunk(
    long quotes, long lines, long outside, long outsideLines, long inside, long insideLines)
    implements Serializable {

  /**
   * Looks through a part.
   *
   * @param in stands at {@code from}
   */
  static CsvChunk of(InputStream in, long from, long to, int quote) throws IOException {
    byte[] buffer = new byte[1 << 16];
    long quotes = 0;
    long lines = 0;
    long outside = -1;
    long outsideLines = 0;
    long inside = -1;
    long insideLines = 0;
    boolean isAfterReturn = false;
    long offset = from;
    // One byte more tells whether a CR at the end is half of a CR LF.
    while (offset < to + 1) {
      int got = in.read(buffer, 0, (int) Math.min(buffer.length, to + 1 - offset));
      if (got < 0) {
        break;
      }
      for (int i = 0; i < got; i++, offset++) {
        byte b = buffer[i];
        // A break ends with an LF, or with a CR before anything else.
        long end = -1;
        if (b == '\n') {
          end = offset < to ? offset + 1 : -1;
        } else if (isAfterReturn) {
          end = offset;
        }
        if (end >= 0) {
          lines++;
          if (quotes % 2 == 0 && outside < 0) {
            outside = end;
            outsideLines = lines;
          } else if (quotes % 2 == 1 && inside < 0) {
            inside = end;
            insideLines = lines;
          }
        }
        isAfterReturn = b == '\r' && offset < to;
        if (b == quote && offset < to) {
          quotes++;
        }
      }
    }
    return new CsvChunk(quotes, lines, outside, outsideLines, inside, insideLines);
  }
}
