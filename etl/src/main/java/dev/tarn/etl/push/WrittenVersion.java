package dev.tarn.etl.push;

import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.util.List;

/**
 * Third stage of a version: Redis has taken every row.
 *
 * @param record the version record with the number of rows written
 * @param written what each task wrote, to compare with what is read back
 */
record WrittenVersion(
    MintedVersion minted, VersionRecord record, List<WrittenBuckets> written, Duration writing) {

  /** Bytes of entity ids and encoded rows. */
  long bytes() {
    return written.stream().mapToLong(WrittenBuckets::bytes).sum();
  }
}
