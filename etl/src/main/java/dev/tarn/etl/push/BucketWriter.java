package dev.tarn.etl.push;

import com.google.common.util.concurrent.RateLimiter;
import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.layer.Buckets;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.util.LongAccumulator;
import redis.clients.jedis.Protocol;

/**
 * Writes one Spark partition's rows to Redis. It sends many buckets before it waits for an answer.
 * Rows come as {@link EncodedRows#byBucket} gives them; the newest row of each entity is written.
 *
 * <p>A bucket is sent whole by RESTORE, which is the quickest. It is sent by HSET if Redis refuses
 * RESTORE, and in parts if its rows are too long for the task's memory. Either way a bucket expires
 * unless its version is released, and a task that is retried writes the same once more.
 */
final class BucketWriter implements FlatMapFunction<Iterator<InternalRow>, WrittenBuckets> {
  private static final long serialVersionUID = 1L;

  /** Size from which on a bucket is sent in parts. */
  private static final int MAX_BUCKET_BYTES = 1 << 20;

  private static final byte[] REPLACE = "REPLACE".getBytes(StandardCharsets.ISO_8859_1);

  private final RedisServers servers;
  private final Buckets buckets;
  private final boolean restores;
  private final byte[] expiryMillis;
  private final double rowsPerSecond;
  private final LongAccumulator progress;

  /**
   * A writer of one version's own buckets.
   *
   * @param restores whether Redis accepts RESTORE
   * @param expiryMillis time after which the rows expire if the version is not released
   * @param rowsPerSecond largest number of rows that this task may write; 0 for no limit
   * @param progress counts the rows that Redis has confirmed
   */
  BucketWriter(
      RedisServers servers,
      Buckets buckets,
      boolean restores,
      long expiryMillis,
      double rowsPerSecond,
      LongAccumulator progress) {
    this.servers = servers;
    this.buckets = buckets;
    this.restores = restores;
    this.expiryMillis = ascii(expiryMillis);
    this.rowsPerSecond = rowsPerSecond;
    this.progress = progress;
  }

  @Override
  public Iterator<WrittenBuckets> call(Iterator<InternalRow> rows) {
    try (Writing writing = new Writing()) {
      while (rows.hasNext()) {
        writing.add(rows.next());
      }
      return List.of(writing.finish()).iterator();
    }
  }

  private static byte[] ascii(long number) {
    return Long.toString(number).getBytes(StandardCharsets.ISO_8859_1);
  }

  /** The work on one partition. */
  private final class Writing implements AutoCloseable {

    private final BucketPipeline pipeline = new BucketPipeline(servers);
    private final WrittenBuckets written = new WrittenBuckets();
    private final PackedHash packed = new PackedHash();
    private final RateLimiter limit = rowsPerSecond > 0 ? RateLimiter.create(rowsPerSecond) : null;

    /** Fields and values, in turn, of the current bucket if it is not packed. */
    private final List<byte[]> unpacked = new ArrayList<>();

    private int unpackedBytes;
    private boolean isPart;
    private int bucket = -1;

    /** The place whose entities are collected. Nearly always it has one entity. */
    private long place = -1;

    private final List<byte[]> ids = new ArrayList<>();
    private final List<byte[]> newest = new ArrayList<>();
    private final List<Long> times = new ArrayList<>();

    void add(InternalRow row) {
      long rowPlace = row.getLong(EncodedRows.PLACE);
      if (rowPlace != place) {
        endPlace();
        place = rowPlace;
        int next = EncodedRows.bucket(place, buckets);
        if (next != bucket) {
          endBucket();
          bucket = next;
        }
      }
      byte[] id = row.getBinary(EncodedRows.ID);
      long time = row.getLong(EncodedRows.TIME);
      for (int i = 0; i < ids.size(); i++) {
        if (Arrays.equals(ids.get(i), id)) {
          if (time > times.get(i)) {
            times.set(i, time);
            newest.set(i, row.getBinary(EncodedRows.ROW));
          }
          return;
        }
      }
      ids.add(id);
      newest.add(row.getBinary(EncodedRows.ROW));
      times.add(time);
    }

    WrittenBuckets finish() {
      endPlace();
      endBucket();
      pipeline.flush();
      return written;
    }

    @Override
    public void close() {
      pipeline.close();
    }

    private void endPlace() {
      for (int i = 0; i < ids.size(); i++) {
        byte[] id = ids.get(i);
        byte[] value = newest.get(i);
        written.add(id, value);
        if (restores && !isPart) {
          packed.add(id, value);
        } else {
          unpacked.add(id);
          unpacked.add(value);
          unpackedBytes += id.length + value.length;
        }
        if (packed.size() > MAX_BUCKET_BYTES
            || packed.fields() == PackedHash.MAX_FIELDS
            || unpackedBytes > MAX_BUCKET_BYTES) {
          sendRows();
          isPart = true;
        }
      }
      ids.clear();
      newest.clear();
      times.clear();
    }

    private void endBucket() {
      if (written.isOpen()) {
        sendRows();
        written.endBucket(bucket);
      }
      isPart = false;
    }

    /** Sends the collected rows of the current bucket. */
    private void sendRows() {
      byte[] key = buckets.key(bucket);
      if (packed.fields() > 0) {
        int rows = packed.fields();
        byte[] payload = packed.finish();
        send(
            key,
            Protocol.Command.RESTORE,
            payload.length,
            rows,
            key,
            expiryMillis,
            payload,
            REPLACE);
      }
      if (!unpacked.isEmpty()) {
        byte[][] arguments = new byte[1 + unpacked.size()][];
        arguments[0] = key;
        for (int i = 0; i < unpacked.size(); i++) {
          arguments[1 + i] = unpacked.get(i);
        }
        send(key, Protocol.Command.HSET, unpackedBytes, unpacked.size() / 2, arguments);
        send(key, Protocol.Command.PEXPIRE, key.length, 0, key, expiryMillis);
        unpacked.clear();
        unpackedBytes = 0;
      }
    }

    private void send(
        byte[] key, Protocol.Command command, int weight, int rows, byte[]... arguments) {
      if (limit != null && rows > 0) {
        limit.acquire(rows);
      }
      pipeline.send(key, command, weight, answer -> progress.add(rows), arguments);
    }
  }
}
