package dev.tarn.transform;

/** A failure of transforms that can't be applied as they are written. */
public final class TransformException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final int step;

  TransformException(int step, String message) {
    super(message);
    this.step = step;
  }

  /** Index of the wrong step, from 0; −1 if all of them together are wrong. */
  public int step() {
    return step;
  }
}
