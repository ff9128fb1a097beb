package dev.tarn.serving.redis;

import dev.tarn.row.WireBuffer;
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

  /** Bytes of an HGET of a row. */
  private static final int EXPECTED_BYTES = 96;

  private final List<? extends WireCommand> commands;
  private final byte[] bytes;

  /** Encodes them, so that the one thread that writes need not. */
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
