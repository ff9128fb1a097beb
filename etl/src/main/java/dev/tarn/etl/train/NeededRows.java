package dev.tarn.etl.train;

import java.io.Serializable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.sketch.BloomFilter;
import scala.collection.JavaConverters;

/**
 * Leaves out rows of a history that no row of the spine can get.
 *
 * <p>A spine has few of the (entity, as-of) pairs of a long history. Where every as-of has a row of
 * an entity, the row that a moment gets is that of the last as-of before it, so all others are let
 * go where they are read, before they are shuffled. Entities that lack a row there are found by a
 * first look at keys and times alone; of those the whole history stays. Filters are Bloom filters:
 * a row too many changes nothing.
 */
final class NeededRows {

  private static final double FALSE_POSITIVES = 0.01;
  private static final String HASH = Columns.PREFIX + "hash";
  private static final String AS_OF = Columns.PREFIX + "as_of";

  private NeededRows() {}

  /**
   * The rows that the spine may get, and some that it doesn't.
   *
   * @param rows with keys and micros
   * @param asOfs all that the rows have, ascending
   * @param oldest age in microseconds from which on a row counts for nothing; Long.MAX_VALUE: none
   */
  static Dataset<Row> of(Spine spine, Dataset<Row> rows, long[] asOfs, long oldest) {
    Column[] keys = Columns.keys(spine.keys());
    Column micros = functions.col(Columns.MICROS);
    Column wanted = AsOfFloor.of(asOfs, micros);
    Dataset<Row> pairs =
        spine
            .keysAndTimes()
            .withColumn(AS_OF, wanted)
            .filter(
                functions
                    .col(AS_OF)
                    .isNotNull()
                    .and(
                        oldest == Long.MAX_VALUE
                            ? functions.lit(true)
                            : micros.minus(functions.col(AS_OF)).leq(oldest)));
    Column pair = hash(keys, functions.col(AS_OF));
    Column isWanted = contains(pairs, pair, spine.count(), hash(keys, micros));

    Column[] keysAndTime = new Column[keys.length + 1];
    System.arraycopy(keys, 0, keysAndTime, 0, keys.length);
    keysAndTime[keys.length] = micros.as(AS_OF);
    java.util.List<String> on = new java.util.ArrayList<>(Columns.keyNames(spine.keys()));
    on.add(AS_OF);
    Dataset<Row> lacking =
        pairs
            .drop(Columns.MICROS)
            .join(
                rows.filter(isWanted).select(keysAndTime),
                JavaConverters.asScalaBuffer(on).toSeq(),
                "left_anti")
            .select(keys)
            .distinct()
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      long entities = lacking.count();
      return entities == 0
          ? rows.filter(isWanted)
          : rows.filter(isWanted.or(contains(lacking, hash(keys), entities, hash(keys))));
    } finally {
      lacking.unpersist();
    }
  }

  /** Those rows whose entities the spine has for a snapshot, by the spine's own column for it. */
  static Column isOneOf(Dataset<Row> spineRows, Column[] of, long count, Column[] candidate) {
    return contains(spineRows, hash(of), count, hash(candidate));
  }

  private static Column contains(Dataset<Row> of, Column hash, long count, Column candidate) {
    BloomFilter filter =
        of.select(hash.as(HASH)).stat().bloomFilter(HASH, Math.max(1, count), FALSE_POSITIVES);
    Broadcast<BloomFilter> shared =
        JavaSparkContext.fromSparkContext(of.sparkSession().sparkContext()).broadcast(filter);
    return functions.udf(new Contains(shared), DataTypes.BooleanType).apply(candidate);
  }

  private static Column hash(Column[] columns, Column... more) {
    Column[] all = new Column[columns.length + more.length];
    System.arraycopy(columns, 0, all, 0, columns.length);
    System.arraycopy(more, 0, all, columns.length, more.length);
    return functions.xxhash64(all);
  }

  private record Contains(Broadcast<BloomFilter> filter)
      implements UDF1<Long, Boolean>, Serializable {
    @Override
    public Boolean call(Long hash) {
      return filter.value().mightContainLong(hash);
    }
  }
}
