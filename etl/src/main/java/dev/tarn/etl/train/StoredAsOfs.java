package dev.tarn.etl.train;

import dev.tarn.etl.definition.FeatureView;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.Table;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Types;

/**
 * What the metadata of a snapshot tell of its rows, without reading one.
 *
 * @param asOfs all of them, ascending, microseconds since 1970; empty where files have several, as
 *     after a compaction
 * @param rows how many, of all as-ofs together
 */
record StoredAsOfs(Optional<long[]> asOfs, long rows) {

  static StoredAsOfs of(Table table, long snapshotId) {
    int field = table.schema().findField(FeatureView.EVENT_TIMESTAMP).fieldId();
    TreeSet<Long> asOfs = new TreeSet<>();
    boolean isKnown = true;
    long rows = 0;
    try (CloseableIterable<FileScanTask> files =
        table
            .newScan()
            .useSnapshot(snapshotId)
            .includeColumnStats(List.of(FeatureView.EVENT_TIMESTAMP))
            .planFiles()) {
      for (FileScanTask task : files) {
        rows += task.file().recordCount();
        Optional<Long> least = micros(task.file().lowerBounds(), field);
        isKnown &= least.isPresent() && least.equals(micros(task.file().upperBounds(), field));
        least.ifPresent(asOfs::add);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new StoredAsOfs(
        isKnown
            ? Optional.of(asOfs.stream().mapToLong(Long::longValue).toArray())
            : Optional.empty(),
        rows);
  }

  private static Optional<Long> micros(Map<Integer, ByteBuffer> bounds, int field) {
    return bounds == null || !bounds.containsKey(field)
        ? Optional.empty()
        : Optional.of(
            Conversions.fromByteBuffer(Types.TimestampType.withZone(), bounds.get(field)));
  }
}
