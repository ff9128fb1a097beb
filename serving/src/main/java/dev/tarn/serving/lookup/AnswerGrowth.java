package dev.tarn.serving.lookup;

import dev.tarn.cli.Plural;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.ops.InFlightBytes.RefusedException;
import java.util.function.IntBinaryOperator;
import java.util.function.LongBinaryOperator;

/** Lets one answer grow, up to {@code serving.max-answer-bytes} and while there is memory. */
final class AnswerGrowth implements IntBinaryOperator {

  /** The bytes that a buffer asks for beyond those that it then has. */
  private static final int SLACK = 64;

  /** The most bytes with which a buffer begins. */
  private static final int MOST_AT_FIRST = 1 << 24;

  private final int ids;
  private final int most;
  private final long expected;
  private final LongBinaryOperator memory;
  private long granted;

  /** The bytes that the answer needed when it was last to grow. */
  private long needed;

  /**
   * Prepares an answer, which begins with {@link #begin}.
   *
   * @param ids the number of ids that were asked for
   * @param most {@code serving.max-answer-bytes}
   * @param expected the bytes that such an answer usually has
   * @param memory takes memory for more bytes, at least the first argument and rather the second,
   *     and returns how many; or throws
   */
  AnswerGrowth(int ids, int most, long expected, LongBinaryOperator memory) {
    this.ids = ids;
    this.most = most;
    this.expected = Math.min(expected, most);
    this.memory = memory;
  }

  /** Returns the bytes that the answer is going to need, as far as it is known from others. */
  long expected() {
    return expected;
  }

  /** Sets the bytes for which memory is taken already. */
  void begin(long taken) {
    granted = taken;
  }

  /** Returns the bytes with which the answer's buffer begins. */
  int first() {
    return Math.toIntExact(Math.min(granted, MOST_AT_FIRST));
  }

  /**
   * Returns the bytes to grow to.
   *
   * @throws LookupRefusedException INVALID if the answer is too large
   */
  @Override
  public int applyAsInt(int has, int needs) {
    if (needs > most + SLACK) {
      throw tooLarge("more than " + Plural.of(most, "byte"), "more");
    }
    needed = needs;
    long next = Math.min(Math.max(has * 2L, needs), most + SLACK);
    if (next > granted) {
      granted += memory.applyAsLong(Math.max(0, needs - granted), next - granted);
    }
    return Math.toIntExact(Math.min(next, granted));
  }

  /**
   * Returns an answer that is whole.
   *
   * @throws LookupRefusedException INVALID if it is too large
   */
  WireBuffer checked(WireBuffer answer) {
    if (answer.size() > most) {
      throw tooLarge("more than " + Plural.of(most, "byte"), "more");
    }
    return answer;
  }

  /**
   * Returns what to say of a lookup that found no memory, now that its answer is known to have
   * about these bytes.
   */
  RuntimeException refusal(RefusedException refused, long bytes) {
    if (bytes > most) {
      return tooLarge("about %,d bytes".formatted(bytes), "more than " + Plural.of(most, "byte"));
    }
    return refused.needing(refused.needed() + Math.max(0, bytes - Math.max(needed, granted)));
  }

  private LookupRefusedException tooLarge(String has, String limit) {
    return LookupRefusedException.invalid(
        "entity_ids",
        "has %s, whose answer is %s, and the server answers no %s at once (serving.max-answer-bytes): ask for fewer ids or features"
            .formatted(Plural.of(ids, "id"), has, limit));
  }
}
