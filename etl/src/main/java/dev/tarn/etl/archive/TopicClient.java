package dev.tarn.etl.archive;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.TopicState.Extent;
import dev.tarn.etl.console.Causes;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.record.TimestampType;

/** Asks the brokers about one topic. */
public final class TopicClient implements AutoCloseable {

  private final KafkaSettings kafka;
  private final String topic;
  private final Admin admin;

  /**
   * A client. It has not spoken to a broker yet.
   *
   * @throws TarnException if the settings are no settings of a client
   */
  public TopicClient(KafkaSettings kafka, String topic) {
    this.kafka = kafka;
    this.topic = topic;
    try {
      admin = Admin.create(new HashMap<>(kafka.properties()));
    } catch (KafkaException e) {
      throw new TarnException(
          "can't use Kafka at '%s' (settings below 'kafka'): %s"
              .formatted(kafka.servers(), Causes.innermost(e)),
          e);
    }
  }

  /**
   * The topic as it is now. With transactions its end is where the first open one begins.
   *
   * @throws TarnException if no broker answers, there is no such topic, or it may not be read
   */
  public TopicState state() {
    TopicDescription found =
        answer(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    Map<TopicPartition, OffsetSpec> first = new HashMap<>();
    Map<TopicPartition, OffsetSpec> last = new HashMap<>();
    found
        .partitions()
        .forEach(
            partition -> {
              TopicPartition named = new TopicPartition(topic, partition.partition());
              first.put(named, OffsetSpec.earliest());
              last.put(named, OffsetSpec.latest());
            });
    Map<TopicPartition, ListOffsetsResultInfo> begins =
        answer(admin.listOffsets(first, isolation()).all());
    Map<TopicPartition, ListOffsetsResultInfo> ends =
        answer(admin.listOffsets(last, isolation()).all());
    SortedMap<Integer, Extent> extents = new TreeMap<>();
    ends.forEach(
        (partition, end) ->
            extents.put(
                partition.partition(), new Extent(begins.get(partition).offset(), end.offset())));
    boolean hasId = found.topicId() != null && !found.topicId().equals(Uuid.ZERO_UUID);
    return new TopicState(topic, hasId ? found.topicId().toString() : "", extents);
  }

  /**
   * The next offsets of some partitions; with transactions as {@link #state} has them.
   *
   * @throws TarnException as {@link #state} does
   */
  public SortedMap<Integer, Long> ends(Set<Integer> partitions) {
    Map<TopicPartition, OffsetSpec> last = new HashMap<>();
    partitions.forEach(p -> last.put(new TopicPartition(topic, p), OffsetSpec.latest()));
    SortedMap<Integer, Long> ends = new TreeMap<>();
    answer(admin.listOffsets(last, isolation()).all())
        .forEach((partition, end) -> ends.put(partition.partition(), end.offset()));
    return ends;
  }

  /**
   * Whether the brokers give each message the time at which it arrives.
   *
   * @throws TarnException as {@link #state} does
   */
  public boolean hasAppendTime() {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    return answer(admin.describeConfigs(List.of(resource)).all())
        .get(resource)
        .get(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG)
        .value()
        .equals(TimestampType.LOG_APPEND_TIME.name);
  }

  private ListOffsetsOptions isolation() {
    return new ListOffsetsOptions(
        kafka.readsUncommitted() ? IsolationLevel.READ_UNCOMMITTED : IsolationLevel.READ_COMMITTED);
  }

  private <T> T answer(KafkaFuture<T> asked) {
    try {
      return asked.get();
    } catch (ExecutionException e) {
      throw explained(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted while it asked Kafka", e);
    }
  }

  private TarnException explained(Throwable cause) {
    String where = "Kafka at '%s' (settings below 'kafka')".formatted(kafka.servers());
    if (cause instanceof UnknownTopicOrPartitionException) {
      return new TarnException(
          "there is no topic '%s' in %s: it must be there before it is archived"
              .formatted(topic, where),
          cause);
    }
    if (cause instanceof TimeoutException) {
      return new TarnException(
          "no broker of %s answers: is it running, are host, port and security.protocol right?"
              .formatted(where),
          cause);
    }
    if (cause instanceof AuthenticationException) {
      return new TarnException(
          "%s does not take this user: %s".formatted(where, Causes.reason(cause)), cause);
    }
    if (cause instanceof AuthorizationException) {
      return new TarnException(
          "%s does not let this user read topic '%s' (it needs DESCRIBE and READ): %s"
              .formatted(where, topic, Causes.reason(cause)),
          cause);
    }
    return new TarnException(
        "%s can't tell what topic '%s' has: %s".formatted(where, topic, Causes.reason(cause)),
        cause);
  }

  @Override
  public void close() {
    admin.close(Duration.ZERO);
  }
}
