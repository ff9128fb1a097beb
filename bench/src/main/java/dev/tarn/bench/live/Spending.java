package dev.tarn.bench.live;

import dev.tarn.bench.stream.Payment;
import dev.tarn.bench.stream.Payments;
import dev.tarn.bench.stream.Topic;
import java.util.concurrent.atomic.AtomicLongArray;

/** Sends payments of all users in turn, and knows what each user has spent in all. */
final class Spending {

  private final Topic topic;
  private final Payments payments;
  private final AtomicLongArray cents;
  private int last;

  Spending(Topic topic, int users) {
    this.topic = topic;
    this.payments = new Payments(new Payments.Shape(users, 0, 0), 1, 1);
    this.cents = new AtomicLongArray(users + 1);
  }

  /** Sends a payment of the next user, now. */
  synchronized int send() {
    // A step that shares no factor with most numbers of users: neighbours are far apart in time.
    last = (last + 7_919) % (cents.length() - 1);
    send(last + 1);
    return last + 1;
  }

  /** Sends a payment of a user, now. */
  synchronized void send(int user) {
    Payment payment = payments.next(user);
    cents.addAndGet(user, payment.cents());
    topic.sendByUser(payment);
  }

  /** Sends a number of payments of each user. */
  void sendOfAll(int each) {
    for (int i = 0; i < each; i++) {
      for (int user = 1; user < cents.length(); user++) {
        send(user);
      }
    }
    topic.flush();
  }

  /** Sends a number of payments as fast as it goes. */
  void flood(int count) {
    for (int i = 0; i < count; i++) {
      var unused = send();
    }
    topic.flush();
  }

  /** All that a user has spent, in hundredths. */
  long cents(int user) {
    return cents.get(user);
  }
}
