package dev.tarn.etl.push;

import dev.tarn.etl.catalog.Base;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.FileAsOfs;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.EntityIds;
import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * The number of entities of a snapshot, estimated, and its newest as-of.
 *
 * @param entities 0: the snapshot has no rows
 */
record Extent(long entities, Instant newest) {

  /**
   * Factor by which the entities may outnumber the rows of the largest as-of before they are
   * counted. Buckets that are larger than planned by this factor are still small.
   */
  private static final int SLACK = 4;

  /**
   * Estimates from the files' statistics if possible, since a count reads every key. It is possible
   * if each file holds one as-of, as builds write them, and the largest as-of has most of the
   * entities.
   */
  static Extent of(FeatureTable table, Snapshot snapshot, FeatureView view, Dataset<Row> rows) {
    Map<Instant, Long> rowsByAsOf = new HashMap<>();
    long all = 0;
    boolean isTold = true;
    for (FileAsOfs file : FileAsOfs.of(table.iceberg(), snapshot.snapshotId())) {
      isTold &= file.only().isPresent() && !file.hasDeletes();
      file.only().ifPresent(asOf -> rowsByAsOf.merge(asOf, file.rows(), Long::sum));
      all += file.rows();
    }
    Optional<Instant> base = Base.of(snapshot).map(Base::at);
    if (all == 0) {
      return new Extent(0, base.orElse(Instant.EPOCH));
    }
    if (base.isPresent()) {
      // Only rows that have changed have the moment of the base.
      Extent counted = told(isTold, all, rowsByAsOf).orElseGet(() -> count(view, rows));
      return new Extent(counted.entities(), base.get());
    }
    if (table.storesChanges(snapshot)) {
      // An as-of that changed nothing has no file, and is the newest all the same.
      Instant newest = table.asOfs(snapshot).newest().orElse(Instant.EPOCH);
      Extent counted = told(isTold, all, rowsByAsOf).orElseGet(() -> count(view, rows));
      return new Extent(counted.entities(), newest);
    }
    return told(isTold, all, rowsByAsOf).orElseGet(() -> count(view, rows));
  }

  private static Optional<Extent> told(boolean isTold, long all, Map<Instant, Long> rowsByAsOf) {
    long largest = rowsByAsOf.values().stream().mapToLong(Long::longValue).max().orElse(0);
    if (isTold && all <= SLACK * largest) {
      Instant newest = Collections.max(rowsByAsOf.keySet());
      return Optional.of(new Extent(largest, newest));
    }
    return Optional.empty();
  }

  private static Extent count(FeatureView view, Dataset<Row> rows) {
    Row counted =
        rows.agg(
                functions.approx_count_distinct(EntityIds.of(view.entity()), 0.02),
                functions.max(functions.col(FeatureView.EVENT_TIMESTAMP)))
            .head();
    return counted.isNullAt(1)
        ? new Extent(0, Instant.EPOCH)
        : new Extent(counted.getLong(0), counted.getInstant(1));
  }
}
