package dev.tarn.etl.push;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * About how many entities a snapshot has, and its newest as-of.
 *
 * @param entities 0: the snapshot has no rows
 */
record Extent(long entities, Instant newest) {

  /**
   * As many times may there be more entities than the largest as-of has before they are counted:
   * buckets may be as many times larger than planned and still be small.
   */
  private static final int SLACK = 4;

  /**
   * Told from the files' statistics if they can: a count reads every key. They can where each file
   * holds one as-of, as builds write them, and the largest as-of has most of the entities.
   */
  static Extent of(FeatureTable table, Snapshot snapshot, FeatureView view, Dataset<Row> rows) {
    int field = table.schemaOf(snapshot).findField(FeatureView.EVENT_TIMESTAMP).fieldId();
    Map<Long, Long> rowsByAsOf = new HashMap<>();
    long all = 0;
    boolean isTold = true;
    try (CloseableIterable<FileScanTask> files =
        table
            .iceberg()
            .newScan()
            .useSnapshot(snapshot.snapshotId())
            .includeColumnStats()
            .planFiles()) {
      for (FileScanTask task : files) {
        ByteBuffer lower = bound(task.file().lowerBounds(), field);
        ByteBuffer upper = bound(task.file().upperBounds(), field);
        isTold &= lower != null && lower.equals(upper) && task.deletes().isEmpty();
        if (isTold) {
          long asOf = Conversions.fromByteBuffer(Types.TimestampType.withZone(), upper);
          rowsByAsOf.merge(asOf, task.file().recordCount(), Long::sum);
        }
        all += task.file().recordCount();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (all == 0) {
      return new Extent(0, Instant.EPOCH);
    }
    if (table.storesChanges(snapshot)) {
      // An as-of that changed nothing has no file, and is the newest all the same.
      Instant newest = table.asOfs(snapshot).newest().orElse(Instant.EPOCH);
      Extent counted = told(isTold, all, rowsByAsOf).orElseGet(() -> count(view, rows));
      return new Extent(counted.entities(), newest);
    }
    return told(isTold, all, rowsByAsOf).orElseGet(() -> count(view, rows));
  }

  private static Optional<Extent> told(boolean isTold, long all, Map<Long, Long> rowsByAsOf) {
    long largest = rowsByAsOf.values().stream().mapToLong(Long::longValue).max().orElse(0);
    if (isTold && all <= SLACK * largest) {
      long newest = rowsByAsOf.keySet().stream().mapToLong(Long::longValue).max().orElseThrow();
      return Optional.of(new Extent(largest, Values.instant(newest)));
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

  private static ByteBuffer bound(Map<Integer, ByteBuffer> bounds, int field) {
    return bounds == null ? null : bounds.get(field);
  }
}
