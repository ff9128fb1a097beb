package dev.tarn.etl.train;

import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Whether a row may be one of those that are asked for, so that the others can be let go where they
 * are read, before they are shuffled. It lets one or two in a hundred of them through.
 *
 * <p>A Bloom filter in blocks of one word: Spark's own looks at up to seven places in memory for a
 * row, and all rows of a history are looked for; this one looks at one.
 */
final class IsOneOf implements UDF1<Long, Boolean> {

  private static final long serialVersionUID = 1L;

  private static final int WORDS_A_MEBIBYTE = (1 << 20) / Long.BYTES;

  /** For billions of rows; with more of them it lets more through. */
  private static final int MOST_WORDS = 256 * WORDS_A_MEBIBYTE;

  /** Sixteen bits for each, of which four are set. */
  private static final int ROWS_A_WORD = 4;

  private final Broadcast<long[]> shared;

  /** The value itself: a broadcast is locked each time that it is asked for it. */
  private transient long[] words;

  private IsOneOf(Broadcast<long[]> shared) {
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
    int size = (int) Math.min(MOST_WORDS, 1 + count / ROWS_A_WORD);
    JavaRDD<InternalRow> hashes =
        rows.select(functions.xxhash64(columns)).queryExecution().toRdd().toJavaRDD();
    long[] words =
        hashes.getNumPartitions() == 0
            ? new long[size]
            : hashes
                .mapPartitions(some -> List.of(wordsOf(some, size)).iterator())
                .treeReduce(IsOneOf::or);
    Broadcast<long[]> shared =
        JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext()).broadcast(words);
    return functions
        .udf(new IsOneOf(shared), DataTypes.BooleanType)
        .apply(functions.xxhash64(candidate));
  }

  private static long[] wordsOf(Iterator<InternalRow> hashes, int size) {
    long[] words = new long[size];
    hashes.forEachRemaining(
        row -> {
          long hash = row.getLong(0);
          words[place(hash, size)] |= bits(hash);
        });
    return words;
  }

  private static long[] or(long[] one, long[] other) {
    for (int i = 0; i < one.length; i++) {
      one[i] |= other[i];
    }
    return one;
  }

  /** From the upper half of the hash. */
  private static int place(long hash, int size) {
    return (int) (((hash >>> 32) * size) >>> 32);
  }

  /** From the lower half: each shift takes six bits of it. */
  private static long bits(long hash) {
    return 1L << hash | 1L << (hash >>> 6) | 1L << (hash >>> 12) | 1L << (hash >>> 18);
  }

  @Override
  public Boolean call(Long hash) {
    if (words == null) {
      words = shared.value();
    }
    long bits = bits(hash);
    return (words[place(hash, words.length)] & bits) == bits;
  }
}
