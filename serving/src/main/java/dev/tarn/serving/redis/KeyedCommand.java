package dev.tarn.serving.redis;

/**
 * A command about one key. A cluster may answer that the key is elsewhere; then the command is sent
 * again, and is not answered before that is.
 */
abstract class KeyedCommand extends WireCommand {

  /** What sends a command again. */
  interface Redirects {

    /** Whether the error is a redirect, and the command is on its way to where that points. */
    boolean follow(KeyedCommand command, String error);
  }

  /** Beyond that, nodes send it in circles. */
  private static final int MAX_REDIRECTS = 5;

  private Redirects redirects = (command, error) -> false;
  private int redirected;

  /** A command of these words: its name, its key, what else there is. */
  KeyedCommand(byte[]... words) {
    super(words);
  }

  final byte[] key() {
    return argument(0);
  }

  /** Before it is sent. */
  final void onRedirect(Redirects redirects) {
    this.redirects = redirects;
  }

  @Override
  final void refused(Refusal refusal) {
    // Counted first: once it is sent again, another thread may have its answer.
    if (redirected++ == MAX_REDIRECTS || !redirects.follow(this, refusal.error())) {
      super.refused(refusal);
    }
  }
}
