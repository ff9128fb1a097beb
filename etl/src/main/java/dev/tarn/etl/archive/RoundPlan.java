package dev.tarn.etl.archive;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.TopicState.Extent;
import dev.tarn.etl.catalog.Cut;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What one round copies: from the cut of the event table up to a later one.
 *
 * @param ranges the offsets to read; partitions without new ones have none
 * @param lost offsets that the topic does not have any more and that are passed over
 */
record RoundPlan(Cut to, List<Range> ranges, List<Range> lost) {

  /** Offsets of one partition, from the first one up to before the second one. */
  record Range(int partition, long from, long to) {

    long size() {
      return to - from;
    }

    @Override
    public String toString() {
      return "partition %d: offsets %d to %d".formatted(partition, from, to - 1);
    }
  }

  /** Number of messages at most; less where offsets have none. */
  long size() {
    return ranges.stream().mapToLong(Range::size).sum();
  }

  /**
   * Plans the next round.
   *
   * @param source its name, for messages
   * @param cut of the event table; empty: nothing has been archived
   * @param until for each partition where to stop
   * @param most the most offsets to read. Each partition gets its share by what it has
   * @throws TarnException if the topic is not the one that was archived, or lacks offsets that come
   *     next, unless those are to be passed over
   */
  static RoundPlan of(
      String source,
      Optional<Cut> cut,
      TopicState topic,
      Map<Integer, Long> until,
      long most,
      boolean skipsLost) {
    cut.ifPresent(from -> requireSameTopic(source, from, topic));
    List<Range> all = new ArrayList<>();
    List<Range> lost = new ArrayList<>();
    SortedMap<Integer, Long> next = new TreeMap<>();
    topic
        .partitions()
        .forEach(
            (partition, extent) -> {
              // The first round takes what is there; what was before it nobody has promised.
              long from = cut.map(c -> c.next(partition)).orElse(extent.begin());
              if (extent.begin() > from) {
                lost.add(new Range(partition, from, extent.begin()));
                from = extent.begin();
              }
              long to = Math.min(extent.end(), until.getOrDefault(partition, extent.end()));
              next.put(partition, from);
              if (to > from) {
                all.add(new Range(partition, from, to));
              }
            });
    if (!lost.isEmpty() && !skipsLost) {
      throw lost(source, topic.topic(), lost);
    }
    List<Range> ranges = bounded(all, most);
    ranges.forEach(range -> next.put(range.partition(), range.to()));
    return new RoundPlan(new Cut(topic.topic(), topic.id(), next), ranges, lost);
  }

  private static List<Range> bounded(List<Range> all, long most) {
    long total = all.stream().mapToLong(Range::size).sum();
    if (total <= most) {
      return all;
    }
    return all.stream()
        .map(
            range -> {
              long share = Math.max(1, (long) ((double) range.size() / total * most));
              return new Range(
                  range.partition(), range.from(), Math.min(range.to(), range.from() + share));
            })
        .toList();
  }

  private static void requireSameTopic(String source, Cut cut, TopicState topic) {
    Optional<String> difference = Optional.empty();
    if (!cut.topic().equals(topic.topic())) {
      throw new TarnException(
          "the event table of source '%s' holds the events of topic '%s', and the definition says topic = %s; another topic needs another event table (table = …)"
              .formatted(source, cut.topic(), topic.topic()));
    }
    if (!cut.topicId().isEmpty() && !topic.id().isEmpty() && !cut.topicId().equals(topic.id())) {
      difference = Optional.of("its id was %s and is %s now".formatted(cut.topicId(), topic.id()));
    }
    for (Map.Entry<Integer, Long> entry : cut.offsets().entrySet()) {
      Extent extent = topic.partitions().get(entry.getKey());
      if (difference.isEmpty() && extent == null) {
        difference = Optional.of("it has no partition %d any more".formatted(entry.getKey()));
      } else if (difference.isEmpty() && extent.end() < entry.getValue()) {
        difference =
            Optional.of(
                "partition %d ends at offset %d, and everything before %d is archived"
                    .formatted(entry.getKey(), extent.end(), entry.getValue()));
      }
    }
    if (difference.isPresent()) {
      throw new TarnException(
          "topic '%s' of source '%s' is not the one that was archived: %s. It was deleted and made anew, or its broker was restored; its offsets begin again, so archive it to another event table (table = …)"
              .formatted(topic.topic(), source, difference.get()));
    }
  }

  private static TarnException lost(String source, String topic, List<Range> lost) {
    long events = lost.stream().mapToLong(Range::size).sum();
    return new TarnException(
        "topic '%s' of source '%s' has lost %s before they were archived: %s. Kafka's retention or somebody has deleted them. If they can't be restored, ./tarn archive source=%s skip-lost=true goes on without them, and the snapshot says which ones"
            .formatted(
                topic,
                source,
                Plural.of(events, "offset"),
                lost.stream()
                    .map(
                        range ->
                            "partition %d begins at offset %d, and %d is the next to archive"
                                .formatted(range.partition(), range.to(), range.from()))
                    .collect(Collectors.joining("; ")),
                source));
  }
}
