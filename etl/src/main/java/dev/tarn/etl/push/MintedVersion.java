package dev.tarn.etl.push;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.manifest.VersionRecord;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Second stage of a version: it has a name that nobody else writes under. From here on a push that
 * fails has something to discard.
 *
 * @param record the version record without its rows
 * @param encoded the rows to write; see {@link EncodedRows}
 * @param tasks Spark tasks to write them with
 */
record MintedVersion(PlannedVersion plan, VersionRecord record, Dataset<Row> encoded, int tasks) {

  String view() {
    return plan.view().name();
  }

  String name() {
    return record.getVersion();
  }

  FeatureTable table() {
    return plan.table();
  }

  long snapshotId() {
    return plan.snapshot().snapshotId();
  }
}
