package dev.tarn.cli;

/** A failure of what was typed, set or defined: it can't be used, and nothing has been done yet. */
public final class UsageException extends TarnException {
  private static final long serialVersionUID = 1L;

  public UsageException(String message) {
    super(message);
  }

  public UsageException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The process's exit status: 2, bad use. */
  @Override
  public int exitStatus() {
    return 2;
  }
}
