package dev.tarn.etl.catalog;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import dev.tarn.cli.TarnException;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * A cut through a topic: for each partition the next offset. Everything before it is in the event
 * table, and nothing else of the topic is.
 *
 * @param topicId Kafka's own id of the topic, which a topic of the same name made later does not
 *     have; empty where the brokers know none
 */
public record Cut(String topic, String topicId, SortedMap<Integer, Long> offsets) {

  private static final Gson GSON = new Gson();

  /** The cut as JSON. */
  private record Stored(String topic, String topic_id, TreeMap<Integer, Long> offsets) {}

  /** A cut before everything. */
  public static Cut none(String topic, String topicId) {
    return new Cut(topic, topicId, new TreeMap<>());
  }

  /** The next offset of a partition; 0 of one that the topic did not have yet. */
  public long next(int partition) {
    return offsets.getOrDefault(partition, 0L);
  }

  /** Whether nothing before this cut is beyond the other one. */
  public boolean isWithin(Cut other) {
    return offsets.entrySet().stream()
        .allMatch(entry -> entry.getValue() <= other.next(entry.getKey()));
  }

  /** As it is stored, e.g. {@code {"topic":"payments","topic_id":"…","offsets":{"0":123}}}. */
  public String json() {
    return GSON.toJson(new Stored(topic, topicId, new TreeMap<>(offsets)));
  }

  /**
   * Reads what {@link #json} has written.
   *
   * @throws TarnException if it is something else
   */
  public static Cut parse(String json) {
    try {
      Stored stored = GSON.fromJson(json, Stored.class);
      if (stored != null && stored.topic != null && stored.offsets != null) {
        return new Cut(
            stored.topic, stored.topic_id == null ? "" : stored.topic_id, stored.offsets);
      }
    } catch (JsonParseException e) {
      // Told below.
    }
    throw new TarnException("%s = %s is no cut".formatted(EventTable.CUT, json));
  }

  /** The offsets for a person, e.g. {@code 0: 123, 1: 4}. */
  public String shown() {
    return offsets.entrySet().stream().map(Cut::shown).collect(Collectors.joining(", "));
  }

  private static String shown(Map.Entry<Integer, Long> entry) {
    return entry.getKey() + ": " + entry.getValue();
  }
}
