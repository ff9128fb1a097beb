package dev.tarn.bench.stream;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * Clients that ask for random users again and again. Each compares what it gets with what it got
 * before: a number of all events never goes down.
 */
public final class Askers implements AutoCloseable {

  private final StampedClient client;
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicLong answers = new AtomicLong();
  private final AtomicLong back = new AtomicLong();
  private volatile boolean isOver;

  private Askers(StampedClient client) {
    this.client = client;
  }

  /**
   * Starts them.
   *
   * @param shape how many clients, and of how many users each asks at once
   * @param onAnswer takes each answer
   * @param onError takes the status of each call that fails
   */
  public static Askers start(
      StampedClient client,
      int users,
      Shape shape,
      Consumer<StampedAnswer> onAnswer,
      Consumer<Status> onError) {
    Askers askers = new Askers(client);
    for (int i = 0; i < shape.clients(); i++) {
      Random random = new Random(i);
      Thread thread =
          new Thread(() -> askers.run(users, shape, random, onAnswer, onError), "asker");
      thread.setDaemon(true);
      thread.start();
      askers.threads.add(thread);
    }
    return askers;
  }

  /**
   * How they ask.
   *
   * @param users of one request, at most
   * @param pauseMillis between an answer and the next request
   */
  public record Shape(int clients, int users, int pauseMillis) {}

  private void run(
      int users,
      Shape shape,
      Random random,
      Consumer<StampedAnswer> onAnswer,
      Consumer<Status> onError) {
    Map<Integer, Long> counts = new HashMap<>();
    while (!isOver) {
      List<Integer> ids = random.ints(shape.users(), 1, users + 1).distinct().boxed().toList();
      try {
        for (StampedAnswer answer : client.ask(ids)) {
          answers.incrementAndGet();
          compare(counts, answer);
          onAnswer.accept(answer);
        }
      } catch (StatusRuntimeException e) {
        if (!isOver) {
          onError.accept(e.getStatus());
          client.reconnect();
          pause(50);
        }
      }
      pause(shape.pauseMillis());
    }
  }

  private void compare(Map<Integer, Long> counts, StampedAnswer answer) {
    if (answer.lags()) {
      return;
    }
    long count =
        answer.values().isEmpty()
            ? 0
            : Long.parseLong(answer.values().get(Oracle.FEATURES.indexOf("n")));
    Long before = counts.put(answer.user(), count);
    if (before != null && before > count) {
      back.incrementAndGet();
    }
  }

  /** Number of answers about a user so far. */
  public long answers() {
    return answers.get();
  }

  /** How often a number of all events went down. */
  public long back() {
    return back.get();
  }

  private static void pause(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    isOver = true;
    for (Thread thread : threads) {
      try {
        thread.join(10_000);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
