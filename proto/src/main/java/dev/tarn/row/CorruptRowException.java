package dev.tarn.row;

/** A stored row does not decode under its version's manifest. */
public final class CorruptRowException extends Exception {
  private static final long serialVersionUID = 1L;

  CorruptRowException(String message) {
    super(message);
  }
}
