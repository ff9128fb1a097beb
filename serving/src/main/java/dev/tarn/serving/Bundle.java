package dev.tarn.serving;

import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.ProtocolKeyword;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Commands that go to one node in one write. Lettuce queues it as one command of its own, in whose
 * place {@link RedisWire} writes those that it is made of.
 */
final class Bundle extends Command<byte[], byte[], Void> {

  private static final ProtocolKeyword NAME =
      new ProtocolKeyword() {
        @Override
        public byte[] getBytes() {
          return toString().getBytes(StandardCharsets.US_ASCII);
        }

        @Override
        public String toString() {
          return "BUNDLE";
        }
      };

  private final List<? extends WireCommand> commands;

  Bundle(List<? extends WireCommand> commands) {
    super(NAME, null);
    this.commands = commands;
  }

  List<? extends WireCommand> commands() {
    return commands;
  }

  /** The write has failed. */
  @Override
  public boolean completeExceptionally(Throwable failure) {
    commands.forEach(command -> command.failed(failure));
    return super.completeExceptionally(failure);
  }

  @Override
  public void cancel() {
    commands.forEach(WireCommand::connectionLost);
    super.cancel();
  }
}
