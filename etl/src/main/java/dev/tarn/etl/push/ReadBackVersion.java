package dev.tarn.etl.push;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.util.Optional;

/**
 * Last stage of a version before its release: every row was read back as it was written.
 *
 * @param record the complete version record
 * @param seen the view's release that this version is to replace, as last looked at
 */
record ReadBackVersion(
    WrittenVersion written, VersionRecord record, Duration readingBack, Optional<Release> seen) {

  String view() {
    return record.getFeatureView();
  }

  FeatureTable table() {
    return written.minted().table();
  }

  String mode() {
    return written.minted().plan().mode();
  }

  ReadBackVersion withSeen(Optional<Release> release) {
    return new ReadBackVersion(written, record, readingBack, release);
  }
}
