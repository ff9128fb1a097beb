package dev.tarn.etl.lake;

import dev.tarn.etl.catalog.FeatureTable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Reads the rows of a feature table in one snapshot. */
public final class SnapshotRows {

  private SnapshotRows() {}

  /** All rows, under the schema that the snapshot was made with. */
  public static Dataset<Row> of(Lake lake, FeatureTable table, long snapshotId) {
    // The reader's option "snapshot-id" would read older rows under the schema of now: what was
    // renamed would have its new name, and what was added would be null.
    return lake.spark()
        .sql("SELECT * FROM %s VERSION AS OF %d".formatted(table.sqlName(), snapshotId));
  }
}
