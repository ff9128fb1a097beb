package dev.tarn.serving;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.CommandOutput;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;

/**
 * A command about one key. It tells its subclass what became of it, where Lettuce's own
 * AsyncCommand would be one more future for each row of a lookup.
 *
 * <p>A cluster may answer that the key is elsewhere; then the command is sent again, and is not
 * complete before that is answered.
 */
abstract class KeyedCommand<T> extends Command<byte[], byte[], T> {

  /** What sends a command again. */
  interface Redirects {

    /** Whether the error is a redirect, and the command is on its way to where that points. */
    boolean follow(KeyedCommand<?> command, String error);
  }

  /** Beyond that, nodes send it in circles. */
  private static final int MAX_REDIRECTS = 5;

  private final byte[] key;
  private Redirects redirects = (command, error) -> false;
  private int redirected;

  KeyedCommand(
      CommandType type, CommandOutput<byte[], byte[], T> output, byte[] key, byte[]... more) {
    super(type, output, args(key, more));
    this.key = key;
  }

  final byte[] key() {
    return key;
  }

  /** Before it is sent. */
  final void onRedirect(Redirects redirects) {
    this.redirects = redirects;
  }

  /** The answer, null for none. At most one of this and {@link #failed} takes effect. */
  abstract void answered(T answer);

  abstract void failed(Throwable failure);

  @Override
  public final void complete() {
    String error = getOutput().getError();
    if (error == null) {
      super.complete();
      answered(getOutput().get());
    } else if (redirected == MAX_REDIRECTS || !redirects.follow(this, error)) {
      super.complete();
      failed(new RedisCommandExecutionException(error));
    }
  }

  @Override
  public final boolean completeExceptionally(Throwable failure) {
    boolean isNew = super.completeExceptionally(failure);
    failed(failure);
    return isNew;
  }

  @Override
  public final void cancel() {
    super.cancel();
    failed(new RedisException("connection lost"));
  }

  /** Makes it ready to be sent once more. */
  final void again() {
    redirected++;
    getOutput().setError((String) null);
  }

  private static CommandArgs<byte[], byte[]> args(byte[] key, byte[]... more) {
    CommandArgs<byte[], byte[]> args = new CommandArgs<>(ByteArrayCodec.INSTANCE).add(key);
    for (byte[] arg : more) {
      args.add(arg);
    }
    return args;
  }
}
