package dev.tarn.etl.push;

import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layer;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.sql.catalyst.expressions.codegen.UnsafeRowWriter;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;

/**
 * Encodes rows of a feature table as they will be stored and brings them to their buckets. They are
 * encoded where they are read, so that the rows to shuffle and sort are a third of the size and
 * have only two columns to compare.
 *
 * <pre>
 * place   bigint  where in the order of buckets: the id's CRC-32C, then 31 bits of another hash
 * time    bigint  the record's event timestamp, microseconds: of two rows of an entity the later wins
 * id      binary  the entity id, UTF-8
 * row     binary  {@link dev.tarn.row.RowWriter}'s; empty for an entity that is no longer there
 * </pre>
 *
 * <p>Sorting by {@code place} alone puts the rows of a bucket side by side, and within it those of
 * an entity, whatever the number of buckets. One long is also what Spark sorts by radix.
 */
final class EncodedRows {

  static final int PLACE = 0;
  static final int TIME = 1;
  static final int ID = 2;
  static final int ROW = 3;

  private static final int PLACE_BITS_BELOW_CHECKSUM = 31;
  private static final String ID_COLUMN = "_tarn_id";
  private static final String RECORDED_COLUMN = "_tarn_recorded";

  private static final StructType SCHEMA =
      new StructType()
          .add("place", DataTypes.LongType, false)
          .add("time", DataTypes.LongType, false)
          .add("id", DataTypes.BinaryType, false)
          .add("row", DataTypes.BinaryType, false);

  private EncodedRows() {}

  /**
   * Encodes rows of a feature table.
   *
   * @param rows key columns, event timestamp and features; more columns do no harm
   * @param eventTimestamp the event timestamp to store, where it is not the record's own
   * @param record says which features, in which order, and the as-of
   */
  static Dataset<Row> of(
      Dataset<Row> rows, FeatureView view, Column eventTimestamp, VersionRecord record) {
    SparkSession spark = rows.sparkSession();
    List<Column> columns = new ArrayList<>();
    columns.add(EntityIds.of(view.entity()).as(ID_COLUMN));
    columns.add(functions.col(FeatureView.EVENT_TIMESTAMP).as(RECORDED_COLUMN));
    columns.add(eventTimestamp.as(FeatureView.EVENT_TIMESTAMP));
    record
        .getFeaturesList()
        .forEach(feature -> columns.add(functions.col("`" + feature.getName() + "`")));
    Dataset<Row> chosen = rows.select(columns.toArray(new Column[0]));
    List<RowEncoder.Input> features = new ArrayList<>();
    for (int i = 3; i < columns.size(); i++) {
      features.add(new RowEncoder.Input(i, chosen.schema().fields()[i].dataType()));
    }
    long asOfMicros = com.google.protobuf.util.Timestamps.toMicros(record.getAsOf());
    JavaRDD<InternalRow> encoded =
        chosen.queryExecution().toRdd().toJavaRDD().mapPartitions(new Encode(features, asOfMicros));
    return spark.internalCreateDataFrame(encoded.rdd(), SCHEMA, false);
  }

  /** Encodes entities that an overlay takes away. */
  static Dataset<Row> tombstones(Dataset<Row> ids) {
    JavaRDD<InternalRow> encoded =
        ids.queryExecution().toRdd().toJavaRDD().mapPartitions(new Encode(null, 0));
    return ids.sparkSession().internalCreateDataFrame(encoded.rdd(), SCHEMA, false);
  }

  /**
   * Groups the rows by bucket: each bucket is whole in one partition, with its rows side by side.
   */
  static JavaRDD<InternalRow> byBucket(Dataset<Row> encoded, Buckets buckets, int tasks) {
    return encoded
        .repartition(tasks, bucket(buckets))
        .sortWithinPartitions(functions.col("place"))
        .queryExecution()
        .toRdd()
        .toJavaRDD();
  }

  /** The bucket of each row: {@link Buckets#of(long)} as an expression of Spark's. */
  static Column bucket(Buckets buckets) {
    Column checksum = functions.shiftright(functions.col("place"), PLACE_BITS_BELOW_CHECKSUM);
    return functions.shiftright(checksum.multiply(functions.lit((long) buckets.count())), 32);
  }

  /** The bucket of a place. */
  static int bucket(long place, Buckets buckets) {
    return buckets.of(place >>> PLACE_BITS_BELOW_CHECKSUM);
  }

  private static long place(byte[] id) {
    long below = hash(id, 0) & ((1L << PLACE_BITS_BELOW_CHECKSUM) - 1);
    return RedisKeys.checksum(id) << PLACE_BITS_BELOW_CHECKSUM | below;
  }

  /** Computes a fingerprint of 64 bits. */
  static long hash(byte[] bytes, long seed) {
    return XXH64.hashUnsafeBytes(bytes, Platform.BYTE_ARRAY_OFFSET, bytes.length, seed);
  }

  private static final class Encode implements FlatMapFunction<Iterator<InternalRow>, InternalRow> {
    private static final long serialVersionUID = 1L;

    /** The features to encode; null to encode tombstones. */
    private final ArrayList<RowEncoder.Input> features;

    private final long asOfMicros;

    Encode(List<RowEncoder.Input> features, long asOfMicros) {
      this.features = features == null ? null : new ArrayList<>(features);
      this.asOfMicros = asOfMicros;
    }

    @Override
    public Iterator<InternalRow> call(Iterator<InternalRow> rows) {
      RowEncoder encoder = features == null ? null : new RowEncoder(features, 2, asOfMicros);
      UnsafeRowWriter writer = new UnsafeRowWriter(4, 256);
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public InternalRow next() {
          InternalRow row = rows.next();
          byte[] id = row.getUTF8String(0).getBytes();
          byte[] encoded = encoder == null ? Layer.removed() : encoder.encode(row);
          writer.reset();
          writer.write(PLACE, place(id));
          writer.write(TIME, encoder == null ? Long.MIN_VALUE : row.getLong(1));
          writer.write(ID, id);
          writer.write(ROW, encoded);
          return writer.getRow();
        }
      };
    }
  }
}
