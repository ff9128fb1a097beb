package dev.tarn.etl.verify;

import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Iterators;
import com.google.protobuf.ByteString;
import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.manifest.Manifest;
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
 * The rows of a version as a lookup finds them, still encoded: each bucket is read whole from the
 * server that has it, and what an overlay has of an entity stands in place of what its base has.
 *
 * <p>The entities are divided by the buckets of the lowest layer. Buckets are in the order of the
 * ids' checksums in both layers, however many each has, so those of the overlay that belong to some
 * of the base are side by side as well.
 */
final class OnlineRows implements FlatMapFunction<Iterator<OnlineRows.Range>, Row> {
  private static final long serialVersionUID = 1L;

  static final String ID = "id";

  /** The bucket of a row that lies where no lookup for its id finds it; else {@link #FOUND}. */
  static final String BUCKET = "bucket";

  static final int FOUND = -1;

  /** The place of the column with the row, as {@link dev.tarn.row.RowWriter} encodes it. */
  static final int ROW_AT = 3;

  static final StructType SCHEMA =
      new StructType()
          .add(ID, DataTypes.BinaryType, false)
          .add(BUCKET, DataTypes.IntegerType, false)
          .add("as_of", DataTypes.LongType, false)
          .add("row", DataTypes.BinaryType, false);

  /** Buckets that are asked for at once: some thousand rows. */
  private static final int AT_ONCE = 64;

  private static final int ROWS_PER_TASK = 200_000;

  /** Buckets of the lowest layer, {@code to} not among them. */
  record Range(int from, int to) implements Serializable {}

  /** Buckets of the version itself or of the one that it overlays. */
  private record Layer(String prefix, int buckets, long asOfMicros) implements Serializable {

    /** The first checksum that falls into a bucket. */
    long first(int bucket) {
      return -Math.floorDiv(-((long) bucket << 32), (long) buckets);
    }

    int bucketOf(long checksum) {
      return (int) ((checksum * buckets) >>> 32);
    }
  }

  private final RedisServers servers;
  private final Sample sample;
  private final Layer lowest;

  /** Null: there is none. */
  private final Layer overlay;

  /**
   * Of one version.
   *
   * @param sample of the buckets of the lowest layer
   */
  OnlineRows(RedisServers servers, Manifest manifest, Sample sample) {
    this.servers = servers;
    this.sample = sample;
    RedisKeys keys = servers.settings().keys();
    String view = manifest.getFeatureView();
    Layer own =
        new Layer(
            keys.bucketPrefix(view, manifest.getVersion()),
            manifest.getBuckets(),
            Timestamps.toMicros(manifest.getAsOf()));
    if (manifest.hasBase()) {
      lowest =
          new Layer(
              keys.bucketPrefix(view, manifest.getBase().getVersion()),
              manifest.getBase().getBuckets(),
              Timestamps.toMicros(manifest.getBase().getAsOf()));
      overlay = own;
    } else {
      lowest = own;
      overlay = null;
    }
  }

  /** The buckets of a version's lowest layer. */
  static int buckets(Manifest manifest) {
    return manifest.hasBase() ? manifest.getBase().getBuckets() : manifest.getBuckets();
  }

  /** Reads on all executors at once; columns as of {@link #SCHEMA}. */
  Dataset<Row> read(SparkSession spark, long rows) {
    JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
    int tasks =
        (int)
            Math.min(
                lowest.buckets(), Math.max(context.defaultParallelism(), rows / ROWS_PER_TASK));
    List<Range> ranges = new ArrayList<>();
    for (long task = 0; task < tasks; task++) {
      ranges.add(
          new Range(
              (int) (task * lowest.buckets() / tasks),
              (int) ((task + 1) * lowest.buckets() / tasks)));
    }
    JavaRDD<Row> found = context.parallelize(ranges, tasks).mapPartitions(this);
    return spark.createDataFrame(found, SCHEMA);
  }

  /** Reads here and now. */
  Iterator<Row> read() {
    return read(new Range(0, lowest.buckets()));
  }

  @Override
  public Iterator<Row> call(Iterator<Range> ranges) {
    return Iterators.concat(Iterators.transform(ranges, this::read));
  }

  private Iterator<Row> read(Range range) {
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

  /** The rows of entities that fall into these buckets of the lowest layer, in ascending order. */
  private List<Row> read(Set<Integer> buckets) {
    Map<ByteString, Row> rows = new LinkedHashMap<>();
    List<Row> misplaced = new ArrayList<>();
    try (BucketPipeline pipeline = new BucketPipeline(servers)) {
      for (int bucket : buckets) {
        ask(
            pipeline,
            lowest,
            bucket,
            (id, row) -> {
              if (RedisKeys.bucketOf(id, lowest.buckets()) == bucket) {
                rows.put(ByteString.copyFrom(id), found(id, lowest, row));
              } else {
                misplaced.add(RowFactory.create(id, bucket, lowest.asOfMicros(), row));
              }
            });
      }
      // All of the base is there before what stands in its place.
      pipeline.flush();
      for (int bucket : over(buckets)) {
        boolean isOurs = buckets.contains(lowest.bucketOf(overlay.first(bucket)));
        ask(
            pipeline,
            overlay,
            bucket,
            (id, row) -> {
              if (RedisKeys.bucketOf(id, overlay.buckets()) != bucket) {
                if (isOurs) {
                  misplaced.add(RowFactory.create(id, bucket, overlay.asOfMicros(), row));
                }
              } else if (buckets.contains(RedisKeys.bucketOf(id, lowest.buckets()))) {
                if (row.length == 0) {
                  rows.remove(ByteString.copyFrom(id));
                } else {
                  rows.put(ByteString.copyFrom(id), found(id, overlay, row));
                }
              }
            });
      }
      pipeline.flush();
    }
    misplaced.addAll(rows.values());
    return misplaced;
  }

  /** The overlay's buckets that may have an entity of these buckets of the base. */
  private Set<Integer> over(Set<Integer> buckets) {
    Set<Integer> over = new TreeSet<>();
    if (overlay != null) {
      for (int bucket : buckets) {
        int last = overlay.bucketOf(lowest.first(bucket + 1) - 1);
        for (int b = overlay.bucketOf(lowest.first(bucket)); b <= last; b++) {
          over.add(b);
        }
      }
    }
    return over;
  }

  private static Row found(byte[] id, Layer layer, byte[] row) {
    return RowFactory.create(id, FOUND, layer.asOfMicros(), row);
  }

  /** Takes an entity's field of a bucket. */
  private interface OnRow {
    void accept(byte[] id, byte[] row);
  }

  private static void ask(BucketPipeline pipeline, Layer layer, int bucket, OnRow onRow) {
    byte[] key = RedisKeys.bucket(layer.prefix(), bucket);
    pipeline.send(
        key,
        Protocol.Command.HGETALL,
        key.length,
        answer -> {
          List<?> fields = (List<?>) answer;
          for (int i = 0; i < fields.size(); i += 2) {
            onRow.accept((byte[]) fields.get(i), (byte[]) fields.get(i + 1));
          }
        },
        key);
  }
}
