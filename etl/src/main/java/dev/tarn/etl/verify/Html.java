package dev.tarn.etl.verify;

import com.google.common.html.HtmlEscapers;

/** Makes text part of HTML that is well-formed XML, too. */
final class Html {

  private Html() {}

  /** Escapes markup and replaces what no page may have; ids and values can be anything. */
  static String escape(String text) {
    StringBuilder allowed = new StringBuilder(text.length());
    text.codePoints().forEach(c -> allowed.appendCodePoint(isAllowed(c) ? c : 0xFFFD));
    return HtmlEscapers.htmlEscaper().escape(allowed.toString());
  }

  private static boolean isAllowed(int c) {
    return c == '\t'
        || c == '\n'
        || (c >= 0x20 && c < 0x7F)
        || (c >= 0xA0 && c < 0xD800)
        || (c >= 0xE000 && c < 0xFFFE)
        || (c > 0xFFFF && (c & 0xFFFE) != 0xFFFE);
  }
}
