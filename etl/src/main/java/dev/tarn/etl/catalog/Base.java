package dev.tarn.etl.catalog;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;

/**
 * A base of a live view, as its snapshot in the {@link BaseTable} says.
 *
 * @param generation fingerprint of all that decides the cells
 * @param definitionHash of the view
 * @param cut of the events that are in it, each offset a multiple of the segment
 * @param eventSnapshot Iceberg snapshot id of the event table that it was computed from
 * @param liveBuckets Redis hashes of the live cells; the same in all bases of a generation
 * @param wholeRows rows of the newest snapshot that was written whole
 * @param at the moment that it was computed at
 */
public record Base(
    String generation,
    String definitionHash,
    Cut cut,
    long eventSnapshot,
    int liveBuckets,
    long wholeRows,
    Instant at) {

  private static final String GENERATION = "tarn.generation";
  private static final String EVENT_SNAPSHOT = "tarn.event-snapshot";
  private static final String LIVE_BUCKETS = "tarn.live-buckets";
  private static final String WHOLE_ROWS = "tarn.whole-rows";

  /** The base of a snapshot; empty if the snapshot is none of a base. */
  public static Optional<Base> of(Snapshot snapshot) {
    Map<String, String> summary = snapshot.summary();
    return summary.containsKey(GENERATION)
        ? Optional.of(
            new Base(
                summary.get(GENERATION),
                summary.get(FeatureTable.DEFINITION),
                Cut.parse(summary.get(EventTable.CUT)),
                Long.parseLong(summary.get(EVENT_SNAPSHOT)),
                Integer.parseInt(summary.get(LIVE_BUCKETS)),
                Long.parseLong(summary.get(WHOLE_ROWS)),
                Instant.parse(summary.get(FeatureTable.AS_OF))))
        : Optional.empty();
  }

  /** Properties of the base's snapshot. */
  Map<String, String> summary() {
    return Map.of(
        GENERATION,
        generation,
        FeatureTable.DEFINITION,
        definitionHash,
        EventTable.CUT,
        cut.json(),
        EVENT_SNAPSHOT,
        Long.toString(eventSnapshot),
        LIVE_BUCKETS,
        Integer.toString(liveBuckets),
        WHOLE_ROWS,
        Long.toString(wholeRows),
        FeatureTable.AS_OF,
        at.toString());
  }

  /** A cut rounded down to whole segments. */
  public static Cut floor(Cut cut, long segment) {
    SortedMap<Integer, Long> offsets = new TreeMap<>();
    cut.offsets().forEach((partition, next) -> offsets.put(partition, next - next % segment));
    return new Cut(cut.topic(), cut.topicId(), offsets);
  }
}
