package dev.tarn.bench.stream;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestOracle {

  private static final long SECOND = 1_000_000L;
  private static final long T = 1_800_000_000L * SECOND;

  private final Oracle oracle = new Oracle(2);

  @Test
  void answersHaveTheEventsBeforeTheCutAndNoneOfLater() {
    oracle.add(0, 0, payment(1, 500, T - 5 * SECOND));
    oracle.add(1, 0, payment(2, 700, T - 90 * SECOND));
    oracle.add(0, 1, payment(3, 900, T + SECOND));
    oracle.add(0, 2, payment(4, 1_100, T));

    assertThat(answer(T, 3, 1)).startsWith("2", "16.00").endsWith("23.00", "3");
    assertThat(answer(T, 2, 1)).startsWith("1", "5.00").endsWith("12.00", "2");
    assertThat(answer(T, 2)).endsWith("5.00", "1");
    assertThat(answer(T + SECOND, 3, 1)).startsWith("3", "25.00").endsWith("32.00", "4");
    assertThat(answer(T, 0, 0)).isEqualTo(Oracle.NOTHING);
  }

  @Test
  void windowsSlideByCells() {
    oracle.add(0, 0, payment(1, 500, T));

    assertThat(answer(T + 10 * SECOND - 1, 1)).startsWith("1");
    assertThat(answer(T + 10 * SECOND, 1)).startsWith("0", "5.00");
    assertThat(answer(T + 60 * SECOND, 1)).startsWith("0", "null").endsWith("5.00", "1");
  }

  @Test
  void thoseWithoutEffectDoNotCount() {
    oracle.add(0, 0, payment(1, 500, T));
    oracle.add(0, 1, payment(1, 500, T));
    oracle.add(1, 0, payment(1, 500, T));
    oracle.add(0, 2, payment(2, 99, T));

    assertThat(answer(T, 3, 1)).endsWith("10.00", "2");
    assertThat(oracle.repeated()).isEqualTo(1);
    assertThat(oracle.distinct()).isEqualTo(3);
    assertThat(oracle.knows(new long[] {3, 1})).isTrue();
    assertThat(oracle.knows(new long[] {3, 2})).isFalse();
  }

  @Test
  void theNewestMerchantsComeFirstAndSumsAreRoundedOnce() {
    oracle.add(0, 0, new Payment(1, 1, 100, 1e16, 1, T - 3));
    oracle.add(0, 1, new Payment(2, 1, 200, 1, 2, T - 1));
    oracle.add(1, 0, new Payment(3, 1, 300, -1e16, 3, T - 2));
    oracle.add(1, 1, new Payment(4, 1, 400, 0.5, 4, T - 3));

    List<String> answer = answer(T, 2, 2);

    assertThat(answer.get(Oracle.FEATURES.indexOf("last_3"))).isEqualTo("[m2, m3, m4]");
    assertThat(answer.get(Oracle.FEATURES.indexOf("score_1h"))).startsWith("1.5 ");
    assertThat(answer.get(Oracle.FEATURES.indexOf("most_1h"))).startsWith("1.0E16 ");
    assertThat(answer.get(Oracle.FEATURES.indexOf("least_1d"))).isEqualTo("1.00");
    assertThat(answer.get(Oracle.FEATURES.indexOf("merchants_1d"))).isEqualTo("4");
  }

  @Test
  void aDifferenceNamesTheFeature() {
    oracle.add(0, 0, payment(1, 500, T));
    List<String> other = new java.util.ArrayList<>(answer(T, 1));
    other.set(9, "2");

    assertThat(Oracle.difference(answer(T, 1), other)).isEqualTo("n: expected 1, not 2");
  }

  @Test
  void aPaymentIsReadAsItWasWritten() {
    Payment payment = new Payment(7, 12, 105, 1.25E-9, 3, T);
    assertThat(new String(payment.toBytes(), StandardCharsets.UTF_8))
        .isEqualTo(
            "{\"payment_id\":\"p7\",\"user_id\":12,\"amount\":1.05,\"score\":1.25E-9,\"merchant\":\"m3\",\"event_time\":1800000000000000}");
    assertThat(Payment.parse(payment.toBytes())).isEqualTo(payment);
  }

  private List<String> answer(long moment, long... cut) {
    return oracle.answer(1, cut, moment);
  }

  private static Payment payment(long id, long cents, long micros) {
    return new Payment(id, 1, cents, 0.25, (int) id, micros);
  }
}
