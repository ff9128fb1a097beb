package dev.tarn.etl.archive;

import dev.tarn.kafka.KafkaBroker;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.awaitility.Awaitility;

/** Makes, fills and changes topics. */
public final class Topics implements AutoCloseable {

  /** The time that messages are sent with, unless they have another. */
  public static final long SENT = 1_767_225_600_000L; // 2026-01-01

  private final Admin admin;
  private final KafkaProducer<byte[], byte[]> producer;
  private final List<Future<?>> posted = new ArrayList<>();

  public Topics(KafkaBroker broker) {
    admin = Admin.create(Map.of("bootstrap.servers", broker.address()));
    producer = producer(broker, Map.of());
  }

  /** A producer with settings of its own. */
  static KafkaProducer<byte[], byte[]> producer(KafkaBroker broker, Map<String, Object> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("bootstrap.servers", broker.address());
    all.put("max.request.size", 15_000_000);
    all.put("linger.ms", 5);
    // Of two batches on their way, a broker may refuse the first and take the second. Then it
    // refuses
    // the first for good, as out of its order.
    all.put("max.in.flight.requests.per.connection", 1);
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }

  public void create(String topic, int partitions) {
    create(topic, partitions, Map.of());
  }

  public void create(String topic, int partitions, Map<String, String> settings) {
    NewTopic made = new NewTopic(topic, partitions, (short) 1).configs(settings);
    done(admin.createTopics(List.of(made)).all());
    awaitLeaders(topic, partitions);
  }

  /** Waits until the broker takes messages of each partition: it leads them some time later. */
  private void awaitLeaders(String topic, int partitions) {
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (int i = 0; i < partitions; i++) {
      ends.put(new TopicPartition(topic, i), OffsetSpec.latest());
    }
    done(admin.listOffsets(ends).all());
  }

  public void send(String topic, int partition, String... values) {
    for (String value : values) {
      post(topic, partition, value);
    }
    flush();
  }

  public void send(String topic, int partition, byte[] key, byte[] value, long time) {
    done(producer.send(new ProducerRecord<>(topic, partition, time, key, value)));
  }

  /** By another producer, to partition 0. */
  static void send(KafkaProducer<byte[], byte[]> producer, String topic, String value) {
    done(producer.send(new ProducerRecord<>(topic, 0, null, bytes(value))));
  }

  /** As fast as it goes; {@link #flush} waits until all are there. */
  public void post(String topic, int partition, String value) {
    posted.add(producer.send(new ProducerRecord<>(topic, partition, SENT, null, bytes(value))));
  }

  /** Waits until all messages are there; fails if one is not. */
  public void flush() {
    producer.flush();
    posted.forEach(Topics::done);
    posted.clear();
  }

  /** Deletes all messages before an offset, as retention does. */
  public void deleteBefore(String topic, int partition, long offset) {
    done(
        admin
            .deleteRecords(
                Map.of(new TopicPartition(topic, partition), RecordsToDelete.beforeOffset(offset)))
            .all());
  }

  public void grow(String topic, int partitions) {
    done(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(partitions))).all());
    awaitLeaders(topic, partitions);
  }

  public void delete(String topic) {
    done(admin.deleteTopics(Set.of(topic)).all());
    Awaitility.await().until(() -> !done(admin.listTopics().names()).contains(topic));
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static <T> T done(Future<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  @Override
  public void close() {
    producer.close();
    admin.close();
  }
}
