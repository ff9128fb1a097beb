package dev.tarn.bench.stream;

import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Payments of made-up users, some of which the producer sends twice. A user's payments go to any
 * partition; a repetition goes to that of the first. Not thread-safe.
 */
public final class PaymentStream {

  private static final int REMEMBERED = 256;

  private final Topic topic;
  private final Payments payments;
  private final double repeated;
  private final Random random;
  private final Payment[] last = new Payment[REMEMBERED];
  private final AtomicLong distinct = new AtomicLong();
  private final AtomicLong failed = new AtomicLong();

  /**
   * Makes a stream.
   *
   * @param repeated share of those that are sent once more later
   */
  public PaymentStream(Topic topic, Payments.Shape shape, double repeated, long seed) {
    this.topic = topic;
    this.payments = new Payments(shape, seed, 1);
    this.repeated = repeated;
    this.random = new Random(seed + 1);
  }

  /** Sends one. */
  public void send() {
    Payment old = last[random.nextInt(REMEMBERED)];
    if (old != null && random.nextDouble() < repeated) {
      send(old);
    } else {
      Payment payment = payments.next();
      last[(int) (payment.id() % REMEMBERED)] = payment;
      distinct.incrementAndGet();
      send(payment);
    }
  }

  /** Number of payments that were sent, repetitions aside. */
  public long distinct() {
    return distinct.get();
  }

  /** Number of messages that the broker has not taken. */
  public long failed() {
    return failed.get();
  }

  private void send(Payment payment) {
    topic.send(
        (int) (payment.id() % topic.partitions()),
        payment,
        (metadata, e) -> {
          if (e != null) {
            failed.incrementAndGet();
          }
        });
  }
}
