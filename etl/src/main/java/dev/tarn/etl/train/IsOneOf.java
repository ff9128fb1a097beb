package dev.tarn.etl.train;

import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.util.sketch.BloomFilter;

/**
 * Whether a row may be one of those that are asked for: a Bloom filter, so that the others can be
 * let go where they are read, before they are shuffled. It lets one in a hundred of them through.
 */
final class IsOneOf implements UDF1<Long, Boolean> {

  private static final long serialVersionUID = 1L;

  private static final double FALSE_POSITIVES = 0.01;
  private static final String HASH = Columns.PREFIX + "hash";

  private final Broadcast<BloomFilter> shared;

  /** The value itself: a broadcast is locked each time that it is asked for it. */
  private transient volatile BloomFilter filter;

  private IsOneOf(Broadcast<BloomFilter> shared) {
    this.shared = shared;
  }

  /**
   * Reads the rows that are asked for, once, now.
   *
   * @param columns of these rows
   * @param count of these rows, about
   * @param candidate columns of other rows, of the same types
   */
  static Column of(Dataset<Row> rows, Column[] columns, long count, Column[] candidate) {
    BloomFilter filter =
        rows.select(functions.xxhash64(columns).as(HASH))
            .stat()
            .bloomFilter(HASH, Math.max(1, count), FALSE_POSITIVES);
    Broadcast<BloomFilter> shared =
        JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext()).broadcast(filter);
    return functions
        .udf(new IsOneOf(shared), DataTypes.BooleanType)
        .apply(functions.xxhash64(candidate));
  }

  @Override
  public Boolean call(Long hash) {
    if (filter == null) {
      filter = shared.value();
    }
    return filter.mightContainLong(hash);
  }
}
