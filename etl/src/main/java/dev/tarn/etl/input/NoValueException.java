package dev.tarn.etl.input;

/**
 * A text that is no value of its type. The message continues "has the text '…', which". It has no
 * stack trace, as the place that matters is one in a file.
 */
final class NoValueException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  NoValueException(String message) {
    super(message, null, false, false);
  }
}
