package dev.tarn.serving;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/** A command that {@link RedisWire} writes. It tells its subclass what became of it. */
abstract class WireCommand {

  /** An error that Redis answered. */
  record Refusal(String error) {}

  private final byte[][] words;

  /** A command of these words, the first of them its name. */
  WireCommand(byte[]... words) {
    this.words = words;
  }

  /** A word after the name. */
  final byte[] argument(int index) {
    return words[1 + index];
  }

  /**
   * The answer: null for none, bytes, or a list of those. At most one of this and {@link #failed}
   * takes effect.
   *
   * @throws ClassCastException if it is none that Redis gives to this command
   */
  abstract void answered(Object answer);

  abstract void failed(Throwable failure);

  /** Redis said no. */
  void refused(Refusal refusal) {
    failed(new RedisCommandExecutionException(refusal.error()));
  }

  final void connectionLost() {
    failed(new RedisException("connection lost"));
  }

  final void write(ByteBuf out) {
    out.writeByte('*');
    writeNumber(words.length, out);
    for (byte[] word : words) {
      out.writeByte('$');
      writeNumber(word.length, out);
      out.writeBytes(word);
      out.writeByte('\r').writeByte('\n');
    }
  }

  private static void writeNumber(int number, ByteBuf out) {
    if (number < 10) {
      out.writeByte('0' + number);
    } else {
      out.writeCharSequence(Integer.toString(number), StandardCharsets.US_ASCII);
    }
    out.writeByte('\r').writeByte('\n');
  }
}
