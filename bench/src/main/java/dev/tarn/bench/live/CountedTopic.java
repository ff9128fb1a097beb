package dev.tarn.bench.live;

import dev.tarn.bench.stream.LiveViews;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A consumer that counts the messages of the topic and does nothing else. It begins at the ends,
 * says that it is ready, and prints how many a second there were after the seconds that it is
 * given.
 */
public final class CountedTopic {

  /** The line that says that it counts from now on. */
  static final String READY = "counting";

  private CountedTopic() {}

  /** Takes the address of the broker and the seconds. */
  public static void main(String[] args) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", args[0]);
    settings.put("isolation.level", "read_committed");
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(LiveViews.SOURCE).stream()
              .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToEnd(partitions);
      partitions.forEach(consumer::position);
      System.out.println(READY);
      long count = 0;
      long first = 0;
      long last = 0;
      while (first == 0 || last - first < Long.parseLong(args[1]) * 1_000_000_000L) {
        int records = consumer.poll(Duration.ofMillis(100)).count();
        last = System.nanoTime();
        if (first == 0 && records > 0) {
          first = last;
        } else if (first > 0) {
          count += records;
        }
      }
      System.out.printf(Locale.ROOT, "%.0f%n", count * 1e9 / (last - first));
    }
  }
}
