package dev.tarn.etl.input;

import dev.tarn.cli.TarnException;

/**
 * A file, a folder or a record that can't be read as it is. The message names it and the remedy.
 */
public final class InputException extends TarnException {
  private static final long serialVersionUID = 1L;

  public InputException(String message) {
    super(message);
  }

  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
