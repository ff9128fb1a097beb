package dev.tarn.etl.catalog;

import dev.tarn.etl.definition.FeatureView;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.Scan;
import org.apache.iceberg.Table;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Types;

/**
 * A data file of a feature table as its statistics describe it, without a row being read. Builds
 * write files with one as-of each; compaction may put several into one file.
 *
 * @param rows number of rows, those deleted by delete files among them
 * @param hasDeletes whether delete files apply to it
 * @param first the oldest as-of; empty if the statistics don't have it
 * @param last the newest as-of; empty if the statistics don't have it
 */
public record FileAsOfs(
    long rows, boolean hasDeletes, Optional<Instant> first, Optional<Instant> last) {

  /** The files of a snapshot. */
  public static List<FileAsOfs> of(Table table, long snapshotId) {
    return files(table, table.newScan().useSnapshot(snapshotId));
  }

  /** The files of main that may have rows for which a condition on the as-of holds. */
  static List<FileAsOfs> ofMain(Table table, Expression condition) {
    return files(table, table.newScan().filter(condition));
  }

  /** The files that were appended after one snapshot and up to another. */
  public static List<FileAsOfs> appended(Table table, long after, long upTo) {
    return files(
        table, table.newIncrementalAppendScan().fromSnapshotExclusive(after).toSnapshot(upTo));
  }

  /** The only as-of of the file; empty if it has several, or the statistics don't tell. */
  public Optional<Instant> only() {
    return first.equals(last) ? first : Optional.empty();
  }

  private static <S extends Scan<S, FileScanTask, ?>> List<FileAsOfs> files(Table table, S scan) {
    int field = table.schema().findField(FeatureView.EVENT_TIMESTAMP).fieldId();
    List<FileAsOfs> files = new ArrayList<>();
    try (CloseableIterable<FileScanTask> tasks =
        scan.includeColumnStats(List.of(FeatureView.EVENT_TIMESTAMP)).planFiles()) {
      for (FileScanTask task : tasks) {
        files.add(
            new FileAsOfs(
                task.file().recordCount(),
                !task.deletes().isEmpty(),
                instant(task.file().lowerBounds(), field),
                instant(task.file().upperBounds(), field)));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return files;
  }

  private static Optional<Instant> instant(Map<Integer, ByteBuffer> bounds, int field) {
    if (bounds == null || !bounds.containsKey(field)) {
      return Optional.empty();
    }
    long micros = Conversions.fromByteBuffer(Types.TimestampType.withZone(), bounds.get(field));
    return Optional.of(Values.instant(micros));
  }
}
