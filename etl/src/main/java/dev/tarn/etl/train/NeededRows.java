package dev.tarn.etl.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
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

/**
 * Leaves out rows of histories that no row of the spine can get.
 *
 * <p>A spine has few of the (entity, as-of) pairs of a long history. Where every as-of has a row of
 * an entity, the row that a moment gets is that of the last as-of before it, so all others are let
 * go where they are read, before they are shuffled. Entities that lack a row there are found by a
 * first look at keys and times alone, of all histories at once; of those everything stays. Filters
 * are Bloom filters: a row too many changes nothing.
 */
final class NeededRows {

  private static final double FALSE_POSITIVES = 0.01;
  private static final String HASH = Columns.PREFIX + "hash";
  private static final String AS_OF = Columns.PREFIX + "as_of";

  /** A bit for each history: which should have a row of a pair, and which do. */
  private static final String ASKED = Columns.PREFIX + "asked";

  private static final String FOUND = Columns.PREFIX + "found";
  private static final String LACKING = Columns.PREFIX + "lacking";

  /** Bits of a long that are not its sign. */
  private static final int MOST = 63;

  /** A history that may be long. */
  static final class History {
    private final Dataset<Row> rows;
    private final long[] asOfs;
    private final long oldest;

    /**
     * A history.
     *
     * @param rows with keys and micros
     * @param asOfs all that the rows have, ascending
     * @param oldest age in microseconds from which on a row counts for nothing; Long.MAX_VALUE:
     *     none
     */
    History(Dataset<Row> rows, long[] asOfs, long oldest) {
      this.rows = rows;
      this.asOfs = asOfs;
      this.oldest = oldest;
    }

    private boolean asksLike(History other) {
      return oldest == other.oldest && Arrays.equals(asOfs, other.asOfs);
    }
  }

  private NeededRows() {}

  /** Of each history the rows that the spine may get, and some that it doesn't. */
  static List<Dataset<Row>> of(Spine spine, List<History> histories) {
    if (histories.isEmpty() || histories.size() > MOST) {
      return histories.stream().map(history -> history.rows).toList();
    }
    Column[] keys = Columns.keys(spine.keys());
    Column[] pair =
        Stream.concat(Stream.of(keys), Stream.of(functions.col(AS_OF))).toArray(Column[]::new);
    Column[] keysAndTime =
        Stream.concat(Stream.of(keys), Stream.of(functions.col(Columns.MICROS)))
            .toArray(Column[]::new);

    // 1. The pairs of the spine, once for all histories that have the same as-ofs.
    Column[] isWanted = new Column[histories.size()];
    Dataset<Row> all = null;
    for (int h = 0; h < histories.size(); h++) {
      if (isWanted[h] != null) {
        continue;
      }
      Dataset<Row> pairs = pairs(spine, histories.get(h));
      Column isPair = contains(pairs, hash(pair), spine.count(), hash(keysAndTime));
      long asking = 0;
      for (int like = h; like < histories.size(); like++) {
        if (histories.get(h).asksLike(histories.get(like))) {
          isWanted[like] = isPair;
          asking |= 1L << like;
        }
      }
      Dataset<Row> asked =
          pairs
              .withColumn(ASKED, functions.lit(asking))
              .withColumn(FOUND, functions.lit(0L))
              .drop(Columns.MICROS);
      all = all == null ? asked : all.union(asked);
    }

    // 2. Entities that have no row in one of their as-ofs.
    for (int h = 0; h < histories.size(); h++) {
      all =
          all.union(
              histories
                  .get(h)
                  .rows
                  .filter(isWanted[h])
                  .select(keysAndTime)
                  .withColumnRenamed(Columns.MICROS, AS_OF)
                  .withColumn(ASKED, functions.lit(0L))
                  .withColumn(FOUND, functions.lit(1L << h)));
    }
    Dataset<Row> lacking =
        all.groupBy(pair)
            .agg(
                functions.bit_or(functions.col(ASKED)).as(ASKED),
                functions.bit_or(functions.col(FOUND)).as(FOUND))
            .withColumn(
                LACKING,
                functions.col(ASKED).bitwiseAND(functions.bitwise_not(functions.col(FOUND))))
            .filter(functions.col(LACKING).notEqual(0))
            .groupBy(keys)
            .agg(functions.bit_or(functions.col(LACKING)).as(LACKING))
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      List<Dataset<Row>> needed = new ArrayList<>();
      Column[] counts = new Column[histories.size()];
      for (int h = 0; h < counts.length; h++) {
        counts[h] = functions.count_if(lacks(h));
      }
      Row counted = lacking.agg(counts[0], Arrays.copyOfRange(counts, 1, counts.length)).head();
      for (int h = 0; h < counts.length; h++) {
        Column isNeeded = isWanted[h];
        if (counted.getLong(h) > 0) {
          isNeeded =
              isNeeded.or(
                  contains(lacking.filter(lacks(h)), hash(keys), counted.getLong(h), hash(keys)));
        }
        needed.add(histories.get(h).rows.filter(isNeeded));
      }
      return needed;
    } finally {
      lacking.unpersist();
    }
  }

  private static Column lacks(int history) {
    return functions.col(LACKING).bitwiseAND(1L << history).notEqual(0);
  }

  /** Of each row of the spine its entity and the last as-of before it, where there may be one. */
  private static Dataset<Row> pairs(Spine spine, History history) {
    Column micros = functions.col(Columns.MICROS);
    Dataset<Row> pairs =
        spine
            .keysAndTimes()
            .withColumn(AS_OF, AsOfFloor.of(history.asOfs, micros))
            .filter(functions.col(AS_OF).isNotNull());
    return history.oldest == Long.MAX_VALUE
        ? pairs
        : pairs.filter(micros.minus(functions.col(AS_OF)).leq(history.oldest));
  }

  /** Whether a row is of what the spine's rows have in columns of the same names. */
  static Column isOneOf(Dataset<Row> spineRows, Column[] columns, long count) {
    return contains(spineRows, hash(columns), count, hash(columns));
  }

  private static Column contains(Dataset<Row> of, Column hash, long count, Column candidate) {
    BloomFilter filter =
        of.select(hash.as(HASH)).stat().bloomFilter(HASH, Math.max(1, count), FALSE_POSITIVES);
    Broadcast<BloomFilter> shared =
        JavaSparkContext.fromSparkContext(of.sparkSession().sparkContext()).broadcast(filter);
    return functions.udf(new Contains(shared), DataTypes.BooleanType).apply(candidate);
  }

  private static Column hash(Column[] columns) {
    return functions.xxhash64(columns);
  }

  private static final class Contains implements UDF1<Long, Boolean> {
    private static final long serialVersionUID = 1L;

    private final Broadcast<BloomFilter> shared;

    /** The value itself: a broadcast is locked each time that it is asked for it. */
    private transient volatile BloomFilter filter;

    Contains(Broadcast<BloomFilter> shared) {
      this.shared = shared;
    }

    @Override
    public Boolean call(Long hash) {
      if (filter == null) {
        filter = shared.value();
      }
      return filter.mightContainLong(hash);
    }
  }
}
