package dev.tarn.transform;

/** Transforms that can't be applied as they are written. */
public final class TransformException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final int step;

  TransformException(int step, String message) {
    super(message);
    this.step = step;
  }

  /** Which step is wrong, from 0; −1 if it is all of them together. */
  public int step() {
    return step;
  }
}
