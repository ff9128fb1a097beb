package dev.tarn.etl.train;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Tells whether a row may be one of those that are asked for, so that the others can be dropped
 * where they are read, before they are shuffled. It lets one or two in a hundred of the others
 * through.
 *
 * <p>It is a Bloom filter in blocks of one word. Spark's own filter reads up to seven places in
 * memory for a row; this one reads one, and all rows of a history are looked up. The words of one
 * group of rows, such as one as-of, are next to each other. Rows are read group by group, and the
 * words of one group fit into a processor's cache, while all words together do not.
 */
final class IsOneOf implements UDF2<Long, Long, Boolean> {

  private static final long serialVersionUID = 1L;

  private static final int WORDS_A_MEBIBYTE = (1 << 20) / Long.BYTES;

  /** Largest size, enough for billions of rows; with more rows the filter lets more through. */
  private static final int MOST_WORDS = 256 * WORDS_A_MEBIBYTE;

  /** Rows for each word: sixteen bits a row, of which four are set. */
  private static final int ROWS_A_WORD = 4;

  /**
   * Largest number of groups. With more, all rows count as one group, since looking for a row's
   * group would take longer.
   */
  private static final int MOST_GROUPS = 1 << 12;

  private final Groups groups;
  private final Broadcast<long[]> shared;

  /** The broadcast's value, kept because a broadcast takes a lock at each access. */
  private transient long[] words;

  // The group of the row before, which is usually the same. Each task has a filter of its own.
  private transient boolean isGroupKnown;
  private transient long group;
  private transient int begin;
  private transient int size;

  private IsOneOf(Groups groups, Broadcast<long[]> shared) {
    this.groups = groups;
    this.shared = shared;
  }

  /**
   * Makes the filter. Reads the rows that are asked for twice, at once.
   *
   * @param columns of these rows
   * @param group of these rows, of type bigint; rows in which it is null are asked of nobody
   * @param candidate columns of other rows, of the same types
   * @param candidateGroup of other rows, never null
   */
  static Column of(
      Dataset<Row> rows,
      Column[] columns,
      Column group,
      Column[] candidate,
      Column candidateGroup) {
    Dataset<Row> asked =
        rows.select(group.as("at"), hash(columns, group).as("hash")).filter("at is not null");
    Groups groups = Groups.of(asked);
    JavaRDD<InternalRow> hashes = asked.queryExecution().toRdd().toJavaRDD();
    long[] words =
        hashes.getNumPartitions() == 0
            ? new long[groups.words()]
            : hashes
                .mapPartitions(some -> List.of(wordsOf(some, groups)).iterator())
                .treeReduce(IsOneOf::or);
    Broadcast<long[]> shared =
        JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext()).broadcast(words);
    return functions
        .udf(new IsOneOf(groups, shared), DataTypes.BooleanType)
        .apply(candidateGroup, hash(candidate, candidateGroup));
  }

  private static Column hash(Column[] columns, Column group) {
    return functions.xxhash64(
        Stream.concat(Stream.of(columns), Stream.of(group)).toArray(Column[]::new));
  }

  private static long[] wordsOf(Iterator<InternalRow> asked, Groups groups) {
    long[] words = new long[groups.words()];
    asked.forEachRemaining(
        row -> {
          int at = groups.find(row.getLong(0));
          long hash = row.getLong(1);
          words[groups.begin(at) + place(hash, groups.size(at))] |= bits(hash);
        });
    return words;
  }

  private static long[] or(long[] one, long[] other) {
    for (int i = 0; i < one.length; i++) {
      one[i] |= other[i];
    }
    return one;
  }

  /** Computes the word's place from the upper half of the hash. */
  private static int place(long hash, int size) {
    return (int) (((hash >>> 32) * size) >>> 32);
  }

  /** Computes the word's bits from the lower half of the hash: each shift takes six bits of it. */
  private static long bits(long hash) {
    return 1L << hash | 1L << (hash >>> 6) | 1L << (hash >>> 12) | 1L << (hash >>> 18);
  }

  @Override
  public Boolean call(Long candidateGroup, Long hash) {
    if (words == null) {
      words = shared.value();
    }
    if (!isGroupKnown || candidateGroup != group) {
      find(candidateGroup);
    }
    if (size == 0) {
      return false;
    }
    long bits = bits(hash);
    return (words[begin + place(hash, size)] & bits) == bits;
  }

  private void find(long candidateGroup) {
    int at = groups.find(candidateGroup);
    begin = at < 0 ? 0 : groups.begin(at);
    size = at < 0 ? 0 : groups.size(at);
    group = candidateGroup;
    isGroupKnown = true;
  }

  /**
   * The groups of the rows that are asked for, ascending, and where the words of each begin; no
   * names if all rows are taken for one group.
   */
  private static final class Groups implements Serializable {

    private static final long serialVersionUID = 1L;

    private final long[] names;
    private final int[] begins;

    private Groups(long[] names, int[] begins) {
      this.names = names;
      this.begins = begins;
    }

    static Groups of(Dataset<Row> asked) {
      List<Row> counted = asked.groupBy("at").count().limit(MOST_GROUPS + 1).collectAsList();
      if (counted.size() > MOST_GROUPS) {
        return of(new long[0], new long[] {asked.count()});
      }
      List<Row> sorted =
          counted.stream().sorted(Comparator.comparingLong(row -> row.getLong(0))).toList();
      return of(
          sorted.stream().mapToLong(row -> row.getLong(0)).toArray(),
          sorted.stream().mapToLong(row -> row.getLong(1)).toArray());
    }

    private static Groups of(long[] names, long[] counts) {
      double wanted = (double) LongStream.of(counts).sum() / ROWS_A_WORD;
      double share = Math.min(1, MOST_WORDS / Math.max(1, wanted)) / ROWS_A_WORD;
      int[] begins = new int[counts.length + 1];
      for (int i = 0; i < counts.length; i++) {
        begins[i + 1] = begins[i] + 1 + (int) (counts[i] * share);
      }
      return new Groups(names, begins);
    }

    int words() {
      return begins[begins.length - 1];
    }

    /** The number of a group; negative if no row of it is asked for. */
    int find(long name) {
      return names.length == 0 && begins.length == 2 ? 0 : Arrays.binarySearch(names, name);
    }

    int begin(int at) {
      return begins[at];
    }

    int size(int at) {
      return begins[at + 1] - begins[at];
    }
  }
}
