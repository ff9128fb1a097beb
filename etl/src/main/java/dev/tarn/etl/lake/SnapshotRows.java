package dev.tarn.etl.lake;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The rows of a feature table in one snapshot. */
public final class SnapshotRows {

  private SnapshotRows() {}

  /** All rows, under the schema that the snapshot was made with. */
  public static Dataset<Row> of(Lake lake, String view, long snapshotId) {
    // Not the reader's option "snapshot-id": that reads older rows under the schema of now, where
    // what was renamed has its new name, and what was added is null.
    return lake.spark()
        .sql("SELECT * FROM %s VERSION AS OF %d".formatted(lake.sqlName(view), snapshotId));
  }
}
