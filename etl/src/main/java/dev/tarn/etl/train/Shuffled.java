package dev.tarn.etl.train;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.LogicalRDD$;

/**
 * Rows that several reads begin from: they are worked out once, up to their last shuffle, and each
 * read takes them from its files. Unlike a cache this needs no memory and nobody to let it go, and
 * what is lost with an executor is made again.
 */
final class Shuffled {

  private Shuffled() {}

  /** The same rows; the result ends with a shuffle. */
  static Dataset<Row> of(Dataset<Row> rows) {
    // A plan that adapts runs its shuffles here; another one's are run by whoever reads first.
    return Dataset.ofRows(
        rows.sparkSession(),
        LogicalRDD$.MODULE$.fromDataset(rows.queryExecution().toRdd(), rows, rows.isStreaming()));
  }
}
