package dev.tarn.bench.stream;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;

/**
 * Reads the topic beside Tarn and compares each answer with what the oracle says of its stamp, as
 * soon as the oracle knows all before the stamp's cut.
 */
public final class Checker implements AutoCloseable {

  /** Few, so that clients ask no faster than their answers are checked. */
  private static final int MOST_WAITING = 2_000;

  private final Topic topic;
  private final Oracle oracle;
  private final Consumer<String> onWrong;
  private final BlockingQueue<StampedAnswer> waiting = new LinkedBlockingQueue<>(MOST_WAITING);
  private final AtomicLong checked = new AtomicLong();
  private final AtomicLong lagging = new AtomicLong();
  private final AtomicLong wrong = new AtomicLong();
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean isOver;

  private Checker(Topic topic, Consumer<String> onWrong) {
    this.topic = topic;
    this.oracle = new Oracle(topic.partitions());
    this.onWrong = onWrong;
  }

  /**
   * Starts to read.
   *
   * @param onWrong takes a message about each answer that is wrong
   */
  public static Checker start(Topic topic, Consumer<String> onWrong) {
    Checker checker = new Checker(topic, onWrong);
    for (Runnable work : List.<Runnable>of(checker::read, checker::check)) {
      Thread thread = new Thread(work, "checker");
      thread.setDaemon(true);
      thread.start();
      checker.threads.add(thread);
    }
    return checker;
  }

  public Oracle oracle() {
    return oracle;
  }

  /** Takes an answer; waits while too many wait to be checked. */
  public void take(StampedAnswer answer) {
    try {
      waiting.put(answer);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Number of answers that were compared. */
  public long checked() {
    return checked.get();
  }

  /** Number of answers that had no values, because live lagged. */
  public long lagging() {
    return lagging.get();
  }

  public long wrong() {
    return wrong.get();
  }

  /** Compares an answer at once, which the oracle must know all of. */
  public void check(StampedAnswer answer) {
    if (answer.lags()) {
      lagging.incrementAndGet();
      return;
    }
    List<String> expected = oracle.answer(answer.user(), answer.cut(), answer.moment());
    if (!expected.equals(answer.values())) {
      wrong.incrementAndGet();
      onWrong.accept(
          "user %d at %d, cut %s: %s"
              .formatted(
                  answer.user(),
                  answer.moment(),
                  java.util.Arrays.toString(answer.cut()),
                  Oracle.difference(expected, answer.values())));
    }
    checked.incrementAndGet();
  }

  /** Waits until all answers are checked. */
  public void settle() {
    while (!waiting.isEmpty()) {
      pause();
    }
  }

  private void read() {
    while (!isOver) {
      // A broker that is killed ends no reading: its consumer finds it again.
      try (KafkaConsumer<byte[], byte[]> consumer = topic.consumer()) {
        long[] next = oracle.next();
        consumer
            .assignment()
            .forEach(partition -> consumer.seek(partition, next[partition.partition()]));
        while (!isOver) {
          Topic.read(consumer, oracle);
        }
      } catch (KafkaException e) {
        pause();
      }
    }
  }

  private void check() {
    try {
      while (!isOver || !waiting.isEmpty()) {
        StampedAnswer answer = waiting.peek();
        if (answer == null || !oracle.knows(answer.cut())) {
          pause();
          continue;
        }
        check(answer);
        var unused = waiting.poll();
      }
    } catch (RuntimeException e) {
      onWrong.accept("answers can't be checked: " + e);
      wrong.incrementAndGet();
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(5);
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
