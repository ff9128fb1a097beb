package dev.tarn.row;

/** A failure to decode a stored row by its version record. */
public final class CorruptRowException extends Exception {
  private static final long serialVersionUID = 1L;

  public CorruptRowException(String message) {
    super(message);
  }
}
