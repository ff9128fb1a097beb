package dev.tarn.serving.redis;

import dev.tarn.row.WireBuffer;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.ProtocolKeyword;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Several commands that go to one node in one write. Lettuce queues the bundle as one command, and
 * {@link RedisWire} writes the commands in it instead.
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

  /** The bytes of an HGET of a row, about. */
  private static final int EXPECTED_BYTES = 96;

  private final List<? extends WireCommand> commands;
  private final byte[] bytes;

  /** Encodes the commands at once, to spare the thread that writes. */
  Bundle(List<? extends WireCommand> commands) {
    super(NAME, null);
    this.commands = commands;
    WireBuffer out = new WireBuffer(commands.size() * EXPECTED_BYTES);
    commands.forEach(command -> command.writeTo(out));
    bytes = out.toBytes();
  }

  byte[] bytes() {
    return bytes;
  }

  List<? extends WireCommand> commands() {
    return commands;
  }

  /** Fails all commands, because the write has failed. */
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
