package dev.tarn.serving.lookup;

import dev.tarn.cli.Plural;
import dev.tarn.row.WireBuffer;
import java.util.function.IntBinaryOperator;
import java.util.function.LongConsumer;

/** Lets one answer grow, up to {@code serving.max-answer-bytes} and while there is memory. */
final class AnswerGrowth implements IntBinaryOperator {

  /** The bytes that a buffer asks for beyond those that it then has. */
  private static final int SLACK = 64;

  private final int ids;
  private final int most;
  private final LongConsumer memory;
  private long granted;

  /**
   * Begins with some memory.
   *
   * @param ids the number of ids that were asked for
   * @param most {@code serving.max-answer-bytes}
   * @param granted the bytes for which memory is taken already
   * @param memory takes memory for more, or throws
   */
  AnswerGrowth(int ids, int most, long granted, LongConsumer memory) {
    this.ids = ids;
    this.most = most;
    this.granted = granted;
    this.memory = memory;
  }

  /**
   * Returns the bytes to grow to.
   *
   * @throws LookupRefusedException INVALID if the answer is too large
   */
  @Override
  public int applyAsInt(int has, int needs) {
    if (needs > most + SLACK) {
      throw tooLarge();
    }
    int next = Math.toIntExact(Math.min(Math.max(has * 2L, needs), most + SLACK));
    if (next > granted) {
      memory.accept(next - granted);
      granted = next;
    }
    return next;
  }

  /**
   * Returns an answer that is whole.
   *
   * @throws LookupRefusedException INVALID if it is too large
   */
  WireBuffer checked(WireBuffer answer) {
    if (answer.size() > most) {
      throw tooLarge();
    }
    return answer;
  }

  private LookupRefusedException tooLarge() {
    return LookupRefusedException.invalid(
        "entity_ids",
        "has %s, whose answer is more than %s, and the server answers no more at once (serving.max-answer-bytes): ask for fewer ids or features"
            .formatted(Plural.of(ids, "id"), Plural.of(most, "byte")));
  }
}
