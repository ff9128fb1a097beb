package dev.tarn.etl.train;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.LogicalRDD$;

/**
 * Shares rows between several reads. They are computed once, up to their last shuffle, and each
 * read takes them from the shuffle's files. Unlike a cache this needs no memory and no release, and
 * what is lost with an executor is made again.
 */
final class Shuffled {

  private Shuffled() {}

  /** Returns the same rows, computed up to a shuffle at their end. */
  static Dataset<Row> of(Dataset<Row> rows) {
    // An adaptive plan runs its shuffles here; the shuffles of another plan run at the first read.
    return Dataset.ofRows(
        rows.sparkSession(),
        LogicalRDD$.MODULE$.fromDataset(rows.queryExecution().toRdd(), rows, rows.isStreaming()));
  }
}
