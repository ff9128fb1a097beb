package dev.tarn.etl.verify;

import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Iterators;
import com.google.protobuf.ByteString;
import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layers;
import dev.tarn.redis.RedisKeys;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import redis.clients.jedis.Protocol;

/**
 * Reads the rows of a version as a lookup finds them, still encoded: it reads each bucket whole
 * from the server that has it, and merges the layers as {@link Layers} says.
 *
 * <p>The entities are divided by the buckets of the base. In every layer buckets are in the order
 * of the ids' checksums, so an overlay's buckets for some buckets of the base are neighbours too.
 */
final class OnlineRows implements FlatMapFunction<Iterator<OnlineRows.BucketRange>, Row> {
  private static final long serialVersionUID = 1L;

  static final String ID = "id";

  /**
   * The bucket of an entry that lies where no lookup for its id finds it; {@link #FOUND} for rows
   * that lookups find.
   */
  static final String BUCKET = "bucket";

  static final int FOUND = -1;

  /** The index of the column with the row, as {@link dev.tarn.row.RowWriter} encodes it. */
  static final int ROW_AT = 3;

  /** The columns; {@code layer} is the index of the layer that the row is from. */
  static final StructType SCHEMA =
      new StructType()
          .add(ID, DataTypes.BinaryType, false)
          .add(BUCKET, DataTypes.IntegerType, false)
          .add("layer", DataTypes.IntegerType, false)
          .add("row", DataTypes.BinaryType, false);

  /** Buckets of the base that are read at once: some thousand rows. */
  private static final int AT_ONCE = 64;

  private static final int ROWS_PER_TASK = 200_000;

  /** Buckets of the base, from {@code from} and before {@code to}. */
  record BucketRange(int from, int to) implements Serializable {}

  private final RedisServers servers;
  private final Layers layers;
  private final Sample sample;
  private final Buckets base;

  /**
   * A reader of one version.
   *
   * @param layers of the version
   * @param sample of the base's buckets
   */
  OnlineRows(RedisServers servers, Layers layers, Sample sample) {
    this.servers = servers;
    this.layers = layers;
    this.sample = sample;
    this.base = layers.base().buckets();
  }

  /** Reads on all executors at once, into the columns of {@link #SCHEMA}. */
  Dataset<Row> read(SparkSession spark, long rows) {
    JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
    int tasks =
        (int) Math.min(base.count(), Math.max(context.defaultParallelism(), rows / ROWS_PER_TASK));
    List<BucketRange> ranges = new ArrayList<>();
    for (long task = 0; task < tasks; task++) {
      ranges.add(
          new BucketRange(
              (int) (task * base.count() / tasks), (int) ((task + 1) * base.count() / tasks)));
    }
    JavaRDD<Row> found = context.parallelize(ranges, tasks).mapPartitions(this);
    return spark.createDataFrame(found, SCHEMA);
  }

  /** Reads here and now. */
  Iterator<Row> read() {
    return read(new BucketRange(0, base.count()));
  }

  @Override
  public Iterator<Row> call(Iterator<BucketRange> ranges) {
    return Iterators.concat(Iterators.transform(ranges, this::read));
  }

  private Iterator<Row> read(BucketRange range) {
    return Iterators.concat(
        new AbstractIterator<Iterator<Row>>() {
          private int next = range.from();

          @Override
          protected Iterator<Row> computeNext() {
            Set<Integer> chosen = new LinkedHashSet<>();
            while (next < range.to() && chosen.size() < AT_ONCE) {
              if (sample.has(next)) {
                chosen.add(next);
              }
              next++;
            }
            return chosen.isEmpty() ? endOfData() : read(chosen).iterator();
          }
        });
  }

  /** The rows of the entities that fall into these buckets of the base, and what is misplaced. */
  private List<Row> read(Set<Integer> chosen) {
    Map<ByteString, byte[][]> entries = new LinkedHashMap<>();
    List<Row> rows = new ArrayList<>();
    try (BucketPipeline pipeline = new BucketPipeline(servers)) {
      for (int i = 0; i < layers.count(); i++) {
        int layer = i;
        for (int bucket : bucketsOf(layer, chosen)) {
          ask(pipeline, layer, bucket, chosen, entries, rows);
        }
      }
      pipeline.flush();
    }
    entries.forEach(
        (id, found) -> {
          byte[] row = layers.row(found, 0, 1);
          if (row != null) {
            rows.add(RowFactory.create(id.toByteArray(), FOUND, layers.deciding(found, 0, 1), row));
          }
        });
    return rows;
  }

  /** The buckets of a layer that may have entities of these buckets of the base. */
  private Set<Integer> bucketsOf(int layer, Set<Integer> chosen) {
    Buckets buckets = layers.get(layer).buckets();
    Set<Integer> having = new TreeSet<>();
    for (int bucket : chosen) {
      int last = buckets.of(base.firstChecksum(bucket + 1) - 1);
      for (int b = buckets.of(base.firstChecksum(bucket)); b <= last; b++) {
        having.add(b);
      }
    }
    return having;
  }

  /** Asks for a bucket; its entries get their place among those of their entities. */
  private void ask(
      BucketPipeline pipeline,
      int layer,
      int bucket,
      Set<Integer> chosen,
      Map<ByteString, byte[][]> entries,
      List<Row> misplaced) {
    Buckets buckets = layers.get(layer).buckets();
    // An overlay's bucket may be read for several choices; its misplaced entries count for one.
    boolean isCounted = chosen.contains(base.of(buckets.firstChecksum(bucket)));
    byte[] key = buckets.key(bucket);
    pipeline.send(
        key,
        Protocol.Command.HGETALL,
        key.length,
        answer -> {
          List<?> fields = (List<?>) answer;
          for (int i = 0; i < fields.size(); i += 2) {
            byte[] id = (byte[]) fields.get(i);
            byte[] entry = (byte[]) fields.get(i + 1);
            long checksum = RedisKeys.checksum(id);
            if (buckets.of(checksum) != bucket) {
              if (isCounted) {
                misplaced.add(RowFactory.create(id, bucket, layer, entry));
              }
            } else if (chosen.contains(base.of(checksum))) {
              entries
                      .computeIfAbsent(
                          ByteString.copyFrom(id), absent -> new byte[layers.count()][])[layer] =
                  entry;
            }
          }
        },
        key);
  }
}
