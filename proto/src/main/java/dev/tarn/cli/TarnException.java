package dev.tarn.cli;

/**
 * A failure that the user can understand and act on. The message says what is wrong, where, and
 * what to do; it is printed as it is, without a stack trace.
 */
public class TarnException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TarnException(String message) {
    super(message);
  }

  public TarnException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The process's exit status: 1, the work failed. */
  public int exitStatus() {
    return 1;
  }
}
