package dev.tarn.bench.stream;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** Makes payments up. Not thread-safe. */
public final class Payments {

  /** Times at which an event may be late: some of a second's window, some of a month's. */
  private static final long[] LATE = {
    TimeUnit.SECONDS.toMicros(15), TimeUnit.MINUTES.toMicros(90), TimeUnit.DAYS.toMicros(3)
  };

  private static final long AHEAD = TimeUnit.SECONDS.toMicros(4);

  /**
   * What payments are like.
   *
   * @param users that have them, with ids from 1
   * @param late share of those that come later than they happened
   * @param ahead share of those that come before they happen, by a clock that is wrong
   */
  public record Shape(int users, double late, double ahead) {}

  private final Shape shape;
  private final Random random;
  private long next;

  /** Makes payments whose ids begin at {@code first}. */
  public Payments(Shape shape, long seed, long first) {
    this.shape = shape;
    this.random = new Random(seed);
    this.next = first;
  }

  /** The present, in microseconds since 1970 UTC. */
  public static long now() {
    return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
  }

  /** A payment of any user, now. */
  public Payment next() {
    return next(1 + random.nextInt(shape.users()));
  }

  /** A payment of a user, now. */
  public Payment next(int user) {
    return next(user, now());
  }

  /** A payment of a user that is to be on time at a moment. */
  public Payment next(int user, long micros) {
    double kind = random.nextDouble();
    long at = micros;
    if (kind < shape.late()) {
      at -= (long) (LATE[random.nextInt(LATE.length)] * random.nextDouble());
    } else if (kind < shape.late() + shape.ahead()) {
      at += (long) (AHEAD * random.nextDouble());
    }
    // Below 1.00 it is one that `where` leaves out.
    long cents = 50L + random.nextInt(20_000);
    // Of very different sizes, so that the order of a naive sum would show.
    double score = random.nextDouble() * Math.pow(10, random.nextInt(9) - 4);
    return new Payment(next++, user, cents, score, random.nextInt(40), at);
  }
}
