package dev.tarn.aggregate;

/** A failure to read the bytes of a state. */
public final class CorruptStateException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public CorruptStateException(String message) {
    super(message);
  }
}
