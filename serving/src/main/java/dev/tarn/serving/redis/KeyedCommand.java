package dev.tarn.serving.redis;

/**
 * A command about one key. A cluster may answer that the key is on another node. The command is
 * then sent there, and completes with the answer of that node.
 */
abstract class KeyedCommand extends WireCommand {

  /** Sends redirected commands again. */
  interface Redirects {

    /** Sends the command again if the error is a redirect; returns whether it is one. */
    boolean follow(KeyedCommand command, String error);
  }

  /** The redirects that a command follows; with more, nodes send it in circles. */
  private static final int MAX_REDIRECTS = 5;

  private Redirects redirects = (command, error) -> false;
  private int redirected;

  /** Creates a command of these words: its name, its key, then the others. */
  KeyedCommand(byte[]... words) {
    super(words);
  }

  final byte[] key() {
    return argument(0);
  }

  /** Sets what follows redirects; call it before the command is sent. */
  final void onRedirect(Redirects redirects) {
    this.redirects = redirects;
  }

  @Override
  final void refused(Refusal refusal) {
    // Counts first: once the command is sent again, another thread may get the answer.
    if (redirected++ == MAX_REDIRECTS || !redirects.follow(this, refusal.error())) {
      super.refused(refusal);
    }
  }
}
