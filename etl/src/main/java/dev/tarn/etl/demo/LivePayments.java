package dev.tarn.etl.demo;

import dev.tarn.cli.TarnException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Made-up payments that flow to a topic: of many users, a few of whom pay far more often, so that
 * their counts can be watched. One in twenty is some seconds late.
 */
public final class LivePayments implements AutoCloseable {

  public static final String TOPIC = "payments";
  private static final int PARTITIONS = 2;
  private static final int USERS = 1_000;

  /** Share of the payments that are those of the watched users. */
  private static final double WATCHED = 0.05;

  private static final double LATE = 0.05;

  private final KafkaProducer<byte[], byte[]> producer;
  private final int watched;
  private final Random random = new Random(1);
  private final AtomicLong count = new AtomicLong();
  private boolean isResting;
  private volatile boolean isOver;
  private Thread thread;

  private LivePayments(KafkaProducer<byte[], byte[]> producer, int watched) {
    this.producer = producer;
    this.watched = watched;
    this.thread = new Thread(() -> {}, "payments");
  }

  /**
   * Makes the topic.
   *
   * @param watched the number of users that are watched: those with the ids from 1 on
   */
  public static LivePayments create(String broker, int watched) {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
      Future<?> made = admin.createTopics(Set.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all();
      var unused = made.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    } catch (ExecutionException e) {
      throw new TarnException("Kafka made no topic: " + e.getCause().getMessage(), e);
    }
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", broker);
    settings.put("linger.ms", 1);
    return new LivePayments(
        new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()),
        watched);
  }

  /** Sends the payments of the past: spread over a time that ends now. */
  public void sendPast(int payments, Duration time) {
    Instant now = Instant.now();
    for (int i = 0; i < payments; i++) {
      send(now.minusNanos((long) (random.nextDouble() * time.toNanos())));
    }
    producer.flush();
  }

  /** Begins to send payments at a rate. */
  public void flow(double perSecond) {
    thread = new Thread(() -> run(perSecond), "payments");
    thread.setDaemon(true);
    thread.start();
  }

  private void run(double perSecond) {
    long start = System.nanoTime();
    long sent = 0;
    while (!isOver) {
      long due = (long) ((System.nanoTime() - start) / 1e9 * perSecond);
      for (; sent < due && !isOver; sent++) {
        long late = random.nextDouble() < LATE ? random.nextInt(10_000) : 0;
        send(Instant.now().minusMillis(late));
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
    }
    producer.flush();
  }

  private synchronized void send(Instant at) {
    int user = 1 + random.nextInt(USERS);
    if (random.nextDouble() < WATCHED) {
      user = 1 + random.nextInt(watched);
    }
    if (isResting && user <= watched) {
      return;
    }
    String payment =
        String.format(
            Locale.ROOT,
            "{\"payment_id\":\"p%d\",\"user_id\":%d,\"amount\":%.2f,\"merchant\":\"m%d\",\"event_time\":\"%s\"}",
            count.incrementAndGet(),
            user,
            Math.exp(3.2 + 0.9 * random.nextGaussian()),
            random.nextInt(200),
            at.truncatedTo(ChronoUnit.MICROS));
    Future<?> unused =
        producer.send(
            new ProducerRecord<>(
                TOPIC,
                Integer.toString(user).getBytes(StandardCharsets.UTF_8),
                payment.getBytes(StandardCharsets.UTF_8)));
  }

  /** Lets the watched users pay nothing, or go on; what they have paid is with the broker then. */
  public void rest(boolean isToRest) {
    synchronized (this) {
      isResting = isToRest;
    }
    producer.flush();
  }

  /** Number of payments so far. */
  public long count() {
    return count.get();
  }

  /** The ids of the watched users. */
  public List<String> ids() {
    return IntStream.rangeClosed(1, watched).mapToObj(Integer::toString).toList();
  }

  /** Ends the flow; what was sent is with the broker then. */
  public void stop() {
    isOver = true;
    try {
      thread.join(10_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    stop();
    producer.close(Duration.ofSeconds(2));
  }
}
