package dev.tarn.etl.train;

import dev.tarn.etl.catalog.FileAsOfs;
import dev.tarn.row.Values;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Table;

/**
 * The as-ofs and the number of rows of a snapshot, from its metadata alone.
 *
 * @param asOfs all of them, ascending, microseconds since 1970; empty where files have several, as
 *     after a compaction
 * @param rows of all as-ofs together
 */
record StoredAsOfs(Optional<long[]> asOfs, long rows) {

  static StoredAsOfs of(Table table, long snapshotId) {
    List<FileAsOfs> files = FileAsOfs.of(table, snapshotId);
    boolean areKnown = files.stream().allMatch(file -> file.only().isPresent());
    return new StoredAsOfs(
        areKnown
            ? Optional.of(
                files.stream()
                    .mapToLong(file -> Values.micros(file.only().orElseThrow()))
                    .distinct()
                    .sorted()
                    .toArray())
            : Optional.empty(),
        files.stream().mapToLong(FileAsOfs::rows).sum());
  }
}
