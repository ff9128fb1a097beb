package dev.tarn.bench.stream;

import dev.tarn.cli.TarnException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The topic of the payments, as one who sends to it and one who reads all of it. */
public final class Topic implements AutoCloseable {

  private final String address;
  private final int partitions;
  private final KafkaProducer<byte[], byte[]> producer;

  private Topic(String address, int partitions) {
    this.address = address;
    this.partitions = partitions;
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", address);
    settings.put("acks", "all");
    settings.put("enable.idempotence", true);
    // A broker that is away for a while loses nothing.
    settings.put("delivery.timeout.ms", 600_000);
    settings.put("request.timeout.ms", 5_000);
    settings.put("reconnect.backoff.max.ms", 200);
    settings.put("linger.ms", 1);
    settings.put("batch.size", 65_536);
    producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** Makes the topic; the time of its messages is that at which the broker takes them. */
  public static Topic create(String address, int partitions) {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      NewTopic topic =
          new NewTopic(LiveViews.SOURCE, partitions, (short) 1)
              .configs(Map.of("message.timestamp.type", "LogAppendTime"));
      done(admin.createTopics(List.of(topic)).all());
    }
    return new Topic(address, partitions);
  }

  public int partitions() {
    return partitions;
  }

  /** Sends a payment to the partition of its user. */
  public void sendByUser(Payment payment) {
    send(payment.user() % partitions, payment, (metadata, e) -> {});
  }

  /** Sends a payment to a partition; {@code whenDone} is told how it went. */
  public void send(int partition, Payment payment, Callback whenDone) {
    Future<?> unused =
        producer.send(
            new ProducerRecord<>(LiveViews.SOURCE, partition, null, payment.toBytes()), whenDone);
  }

  /** Waits until the broker has all that was sent. */
  public void flush() {
    producer.flush();
  }

  /** By partition, the offset that the next message will have. */
  public long[] ends() {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      Map<TopicPartition, Long> ends = consumer.endOffsets(all());
      return all().stream().mapToLong(ends::get).toArray();
    }
  }

  /** A consumer without a group, which reads all partitions from the beginning. */
  KafkaConsumer<byte[], byte[]> consumer() {
    Map<String, Object> settings =
        Map.of("bootstrap.servers", address, "isolation.level", "read_committed");
    KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    consumer.assign(all());
    consumer.seekToBeginning(all());
    return consumer;
  }

  /** Tells the oracle what a consumer gets next. */
  static void read(KafkaConsumer<byte[], byte[]> consumer, Oracle oracle) {
    ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(50));
    records.forEach(
        record -> oracle.add(record.partition(), record.offset(), Payment.parse(record.value())));
  }

  private List<TopicPartition> all() {
    return new ArrayList<>(
        IntStream.range(0, partitions)
            .mapToObj(partition -> new TopicPartition(LiveViews.SOURCE, partition))
            .toList());
  }

  private static void done(Future<?> future) {
    try {
      var unused = future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    } catch (ExecutionException e) {
      throw new TarnException("Kafka refuses: " + e.getCause().getMessage(), e);
    }
  }

  @Override
  public void close() {
    producer.close(Duration.ofSeconds(5));
  }
}
