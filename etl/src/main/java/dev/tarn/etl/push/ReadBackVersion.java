package dev.tarn.etl.push;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.util.Optional;

/**
 * Last stage of a version before its release: every row was read back as it was written.
 *
 * @param written empty for a version that an earlier push wrote and read back, and that is kept
 * @param record the complete version record
 * @param seen the view's release that this version is to replace, as last looked at
 */
record ReadBackVersion(
    Optional<WrittenVersion> written,
    FeatureTable table,
    VersionRecord record,
    Duration readingBack,
    Optional<Release> seen) {

  /** A version that is still kept, to be released again. */
  static ReadBackVersion kept(FeatureTable table, VersionRecord record, Optional<Release> seen) {
    return new ReadBackVersion(Optional.empty(), table, record, Duration.ZERO, seen);
  }

  String view() {
    return record.getFeatureView();
  }

  /** How this push made it: {@code full}, {@code delta}, or {@code kept}. */
  String mode() {
    return written.map(rows -> rows.minted().plan().mode()).orElse("kept");
  }

  /** Why it was made in this way; see {@link PlannedVersion#reason}. */
  String reason() {
    return written.map(rows -> rows.minted().plan().reason()).orElse("");
  }

  /** Rows that this push wrote. */
  long rowsWritten() {
    return written.isPresent() ? record.getOwnRows() : 0;
  }

  /** Bytes that this push wrote. */
  long bytesWritten() {
    return written.map(WrittenVersion::bytes).orElse(0L);
  }

  /** The time that writing took. */
  Duration writing() {
    return written.map(WrittenVersion::writing).orElse(Duration.ZERO);
  }

  ReadBackVersion withSeen(Optional<Release> release) {
    return new ReadBackVersion(written, table, record, readingBack, release);
  }
}
