package dev.tarn.serving.lookup;

/** The usual size of one of many alike things, a little more rather than less, as it is learned. */
final class UsualBytes {

  private final int least;
  private volatile int bytes;

  /** Begins with a guess, below which it never goes. */
  UsualBytes(int guess) {
    least = guess;
    bytes = guess;
  }

  /** Returns the usual bytes of this many. */
  long of(int count) {
    return (long) count * bytes;
  }

  /** Notes the bytes of some. */
  void learn(int count, long all) {
    int mean = (int) Math.min(all / count, Integer.MAX_VALUE);
    int known = bytes;
    // One thread may undo what another has learned; the next lookup learns it again.
    if (mean > known) {
      bytes = mean;
    } else if (known - mean > known / 8) {
      bytes = Math.max(least, known - (known - mean) / 8);
    }
  }
}
