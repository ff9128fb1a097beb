package dev.tarn.etl.input;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;

/**
 * The form of CSV: that of RFC 4180, unless options say otherwise. Characters that there are none
 * of are -1.
 */
record CsvDialect(
    int separator,
    int quote,
    int escape,
    int comment,
    boolean hasHeader,
    String nullText,
    boolean trimsLeft,
    boolean trimsRight,
    String encoding)
    implements Serializable {

  /** The options that CSV has. */
  static final List<String> OPTIONS =
      List.of(
          "sep",
          "delimiter",
          "quote",
          "escape",
          "comment",
          "header",
          "nullValue",
          "ignoreLeadingWhiteSpace",
          "ignoreTrailingWhiteSpace",
          "encoding",
          "charset",
          TextFormats.TIMESTAMP,
          TextFormats.TIMESTAMP_NTZ,
          TextFormats.DATE,
          TextFormats.LOCALE,
          // What is so in any case.
          "mode",
          "multiLine",
          "enforceSchema",
          InputFiles.GLOB_FILTER,
          InputFiles.RECURSIVE,
          InputFiles.BASE_PATH,
          InputFiles.MODIFIED_BEFORE,
          InputFiles.MODIFIED_AFTER);

  static CsvDialect of(Options options) {
    Optional<Character> quote = options.character("quote", Optional.of('"'));
    int separator =
        code(
            options.text("sep").isPresent()
                ? options.character("sep", Optional.empty())
                : options.character("delimiter", Optional.of(',')));
    CsvDialect dialect =
        new CsvDialect(
            separator,
            code(quote),
            code(options.character("escape", quote)),
            code(options.character("comment", Optional.empty())),
            options.flag("header", true),
            options.text("nullValue").orElse(""),
            options.flag("ignoreLeadingWhiteSpace", false),
            options.flag("ignoreTrailingWhiteSpace", false),
            options.encoding().name());
    if (separator < 0 || separator == dialect.quote) {
      throw new InputException("option sep must be one character, and another one than quote");
    }
    return dialect;
  }

  /** Whether the quotes before a byte tell whether it stands in quotes. */
  boolean isDivisible() {
    return encoding.equals("UTF-8") && (quote < 0 || escape == quote) && comment < 0;
  }

  private static int code(Optional<Character> character) {
    return character.map(c -> (int) c).orElse(-1);
  }
}
