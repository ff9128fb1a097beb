package dev.tarn.etl.push;

import com.redislabs.provider.redis.RedisConfig;
import com.redislabs.provider.redis.RedisNode;
import dev.tarn.redis.RedisKeys;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.util.LongAccumulator;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol;

/**
 * Writes one Spark partition's rows to Redis, a bucket with one HSET, many buckets on the way
 * before an answer is waited for. Rows come sorted by bucket, entity id and event timestamp, newest
 * first; the first of each entity is written.
 *
 * <p>Memory is bounded by the bytes on the way. Each bucket's length is read back behind its HSET,
 * so that an answer proves that the rows are there; writing a bucket again (a retried task) changes
 * nothing.
 */
final class BucketWriter implements FlatMapFunction<Iterator<InternalRow>, BucketWriter.Written> {
  private static final long serialVersionUID = 1L;

  private static final int BYTES_ON_THE_WAY = 1 << 20;

  /** What a partition wrote: entities, and the bytes of their ids and rows. */
  record Written(long rows, long bytes) implements java.io.Serializable {
    Written plus(Written other) {
      return new Written(rows + other.rows, bytes + other.bytes);
    }
  }

  private final RedisConfig topology;
  private final String bucketPrefix;
  private final int bucketOrdinal;
  private final int idOrdinal;
  private final int eventTimestampOrdinal;
  private final long asOfMicros;
  private final ArrayList<RowEncoder.Column> features;
  private final LongAccumulator progress;

  BucketWriter(
      RedisConfig topology,
      String bucketPrefix,
      int bucketOrdinal,
      int idOrdinal,
      int eventTimestampOrdinal,
      long asOfMicros,
      List<RowEncoder.Column> features,
      LongAccumulator progress) {
    this.topology = topology;
    this.bucketPrefix = bucketPrefix;
    this.bucketOrdinal = bucketOrdinal;
    this.idOrdinal = idOrdinal;
    this.eventTimestampOrdinal = eventTimestampOrdinal;
    this.asOfMicros = asOfMicros;
    this.features = new ArrayList<>(features);
    this.progress = progress;
  }

  @Override
  public Iterator<Written> call(Iterator<InternalRow> rows) {
    try (Pipelines pipelines = new Pipelines()) {
      RowEncoder encoder = new RowEncoder(features, eventTimestampOrdinal, asOfMicros);
      List<byte[]> bucket = new ArrayList<>();
      int current = -1;
      byte[] previousId = null;
      long count = 0;
      long bytes = 0;
      while (rows.hasNext()) {
        InternalRow row = rows.next();
        int number = row.getInt(bucketOrdinal);
        if (number != current) {
          pipelines.write(current, bucket);
          bucket = new ArrayList<>();
          current = number;
          previousId = null;
        }
        byte[] id = row.getUTF8String(idOrdinal).getBytes();
        if (Arrays.equals(id, previousId)) {
          continue;
        }
        byte[] encoded = encoder.encode(row);
        bucket.add(id);
        bucket.add(encoded);
        previousId = id;
        count++;
        bytes += id.length + encoded.length;
      }
      pipelines.write(current, bucket);
      pipelines.flush();
      return List.of(new Written(count, bytes)).iterator();
    }
  }

  /** The connections of one partition, one to each server, and what is on the way on them. */
  private final class Pipelines implements AutoCloseable {

    private final Map<RedisNode, Jedis> connections = new HashMap<>();
    private final Map<RedisNode, Pipeline> pipelines = new HashMap<>();
    private final Map<RedisNode, List<Long>> expected = new HashMap<>();
    private int bytesOnTheWay;

    void write(int bucket, List<byte[]> idsAndRows) {
      if (idsAndRows.isEmpty()) {
        return;
      }
      byte[] key = RedisKeys.bucket(bucketPrefix, bucket);
      RedisNode node = topology.getHost(key);
      Pipeline pipeline =
          pipelines.computeIfAbsent(
              node, n -> connections.computeIfAbsent(n, RedisServers::connect).pipelined());
      byte[][] arguments = new byte[idsAndRows.size() + 1][];
      arguments[0] = key;
      for (int i = 0; i < idsAndRows.size(); i++) {
        arguments[i + 1] = idsAndRows.get(i);
        bytesOnTheWay += arguments[i + 1].length;
      }
      pipeline.sendCommand(Protocol.Command.HSET, arguments);
      pipeline.hlen(key);
      expected.computeIfAbsent(node, n -> new ArrayList<>()).add((long) (idsAndRows.size() / 2));
      if (bytesOnTheWay >= BYTES_ON_THE_WAY) {
        flush();
      }
    }

    /** Waits for every answer and compares it. */
    void flush() {
      if (TaskContext.get() != null && TaskContext.get().isInterrupted()) {
        throw new IllegalStateException("the push was given up");
      }
      pipelines.forEach(
          (node, pipeline) -> {
            List<Object> answers = pipeline.syncAndReturnAll();
            List<Long> lengths = expected.remove(node);
            if (lengths == null) {
              return;
            }
            for (int i = 0; i < answers.size(); i++) {
              if (answers.get(i) instanceof RuntimeException refused) {
                throw refused;
              }
            }
            for (int i = 0; i < lengths.size(); i++) {
              if (!lengths.get(i).equals(answers.get(2 * i + 1))) {
                throw new IllegalStateException(
                    "a bucket of %s has %s rows in Redis after %d were written to it"
                        .formatted(bucketPrefix, answers.get(2 * i + 1), lengths.get(i)));
              }
              progress.add(lengths.get(i));
            }
          });
      bytesOnTheWay = 0;
    }

    /**
     * Gives the connections back. One with answers on the way is broken off instead: its answers
     * would be taken for those of whoever gets the connection next.
     */
    @Override
    public void close() {
      connections.forEach(
          (node, jedis) -> {
            if (expected.containsKey(node)) {
              jedis.disconnect();
            }
            jedis.close();
          });
    }
  }
}
