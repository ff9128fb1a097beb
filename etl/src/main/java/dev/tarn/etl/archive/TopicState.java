package dev.tarn.etl.archive;

import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What brokers say of a topic at one moment.
 *
 * @param id Kafka's own id of the topic; empty if the brokers know none
 */
public record TopicState(String topic, String id, SortedMap<Integer, Extent> partitions) {

  /**
   * The offsets that a partition has.
   *
   * @param begin the oldest one
   * @param end the one that comes next
   */
  public record Extent(long begin, long end) {}

  /** The next offsets of all partitions. */
  public SortedMap<Integer, Long> ends() {
    SortedMap<Integer, Long> ends = new TreeMap<>();
    partitions.forEach((partition, extent) -> ends.put(partition, extent.end()));
    return ends;
  }
}
