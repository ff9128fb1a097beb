package dev.tarn.etl.base;

import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.definition.StreamSource;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** Conditions on the places of events, by which Iceberg skips files. */
final class EventCut {

  private EventCut() {}

  /**
   * Events of these partitions from one offset on and before another.
   *
   * @param from by partition; one that is not there begins at 0
   */
  static Column between(Map<Integer, Long> from, Cut to) {
    Column isBetween = functions.lit(false);
    for (Map.Entry<Integer, Long> end : new TreeMap<>(to.offsets()).entrySet()) {
      long first = from.getOrDefault(end.getKey(), 0L);
      if (first >= end.getValue()) {
        continue;
      }
      Column isOfPartition =
          functions
              .col(StreamSource.PARTITION)
              .equalTo(end.getKey())
              .and(functions.col(StreamSource.OFFSET).geq(first))
              .and(functions.col(StreamSource.OFFSET).lt(end.getValue()));
      isBetween = isBetween.or(isOfPartition);
    }
    return isBetween;
  }
}
