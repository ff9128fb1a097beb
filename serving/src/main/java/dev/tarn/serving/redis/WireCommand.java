package dev.tarn.serving.redis;

import dev.tarn.row.WireBuffer;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import java.nio.charset.StandardCharsets;
import java.util.stream.IntStream;

/** A command that {@link RedisWire} writes. A subclass gets the answer or the failure. */
abstract class WireCommand {

  /** An error that Redis answered. */
  record Refusal(String error) {}

  private static final byte[] END_OF_LINE = {'\r', '\n'};

  /** The numbers that lookups usually need, each with the end of its line. */
  private static final byte[][] SMALL_NUMBERS =
      IntStream.range(0, 256).mapToObj(WireCommand::line).toArray(byte[][]::new);

  private final byte[][] words;

  /** Creates a command of these words; the first is its name. */
  WireCommand(byte[]... words) {
    this.words = words;
  }

  /** Returns a word after the name. */
  final byte[] argument(int index) {
    return words[1 + index];
  }

  /**
   * Takes the answer: null for none, bytes, or a list of those. At most one of this and {@link
   * #failed} takes effect.
   *
   * @throws ClassCastException if Redis never gives such an answer to this command
   */
  abstract void answered(Object answer);

  abstract void failed(Throwable failure);

  /** Takes an error that Redis answered. */
  void refused(Refusal refusal) {
    failed(new RedisCommandExecutionException(refusal.error()));
  }

  final void connectionLost() {
    failed(new RedisException("connection lost"));
  }

  /** Appends the command in the form that Redis reads. */
  final void writeTo(WireBuffer out) {
    out.putByte('*');
    putNumber(words.length, out);
    for (byte[] word : words) {
      out.putByte('$');
      putNumber(word.length, out);
      out.putBytes(word);
      out.putBytes(END_OF_LINE);
    }
  }

  private static void putNumber(int number, WireBuffer out) {
    out.putBytes(number < SMALL_NUMBERS.length ? SMALL_NUMBERS[number] : line(number));
  }

  private static byte[] line(int number) {
    return (number + "\r\n").getBytes(StandardCharsets.US_ASCII);
  }
}
