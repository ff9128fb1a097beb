package dev.tarn.bench.live;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.stream.Payments;
import dev.tarn.cli.TarnException;
import dev.tarn.live.Cut;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.manifest.LiveBase;
import dev.tarn.redis.RedisKeys;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.function.ForeachPartitionFunction;
import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;

/**
 * A query of Spark's Structured Streaming that keeps the same cells in the same place, so that the
 * same server answers from them: each micro-batch is divided by user, and a task reads the users'
 * cells, adds the events and writes them, all in pipelines.
 */
final class SparkRival implements AutoCloseable {

  /** Offsets that the tasks of this JVM have come to, by partition. */
  private static final Map<Integer, Long> REACHED = new ConcurrentHashMap<>();

  private static final long SKEW_MICROS = 5_000_000;
  private static final String SCHEMA = "user_id BIGINT, amount DECIMAL(12,2), event_time BIGINT";

  private final StreamingQuery query;

  private SparkRival(StreamingQuery query) {
    this.query = query;
  }

  /** Where cells are, for the tasks. */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares it.
  private record Cells(int redisPort, String prefix, byte[] base) implements Serializable {

    void write(Iterator<Row> rows) {
      LiveBase base;
      try {
        base = LiveBase.parseFrom(base());
      } catch (InvalidProtocolBufferException e) {
        throw new IllegalStateException(e);
      }
      LivePlan plan = LivePlan.of(base);
      Map<String, List<Row>> byUser = new LinkedHashMap<>();
      rows.forEachRemaining(
          row ->
              byUser
                  .computeIfAbsent(Long.toString(row.getLong(0)), user -> new ArrayList<>())
                  .add(row));
      if (byUser.isEmpty()) {
        return;
      }
      try (Jedis jedis = new Jedis("127.0.0.1", redisPort, 60_000)) {
        Map<String, Response<byte[]>> entries = new LinkedHashMap<>();
        Pipeline reading = jedis.pipelined();
        byUser
            .keySet()
            .forEach(user -> entries.put(user, reading.hget(key(user, base), bytes(user))));
        reading.sync();
        long bound = Payments.now() - SKEW_MICROS;
        Optional<Cut> oldest = Optional.of(Cut.of(base.getCutMap()));
        Pipeline writing = jedis.pipelined();
        byUser.forEach(
            (user, events) -> {
              EntityCells cells =
                  Optional.ofNullable(entries.get(user).get())
                      .map(entry -> EntityCells.readLive(plan, Token.cells(entry)))
                      .orElseGet(() -> EntityCells.live(plan));
              for (Row event : events) {
                Object[] values = {event.getDecimal(1)};
                var unused = cells.add(event.getInt(3), event.getLong(4), event.getLong(2), values);
              }
              cells.settle(bound);
              cells.trim(bound, oldest);
              writing.hset(key(user, base), bytes(user), Token.entry(cells.toBytes()));
            });
        writing.sync();
      }
      byUser
          .values()
          .forEach(
              events ->
                  events.forEach(
                      event -> REACHED.merge(event.getInt(3), event.getLong(4) + 1, Math::max)));
    }

    private byte[] key(String user, LiveBase base) {
      return RedisKeys.bucket(prefix, RedisKeys.bucketOf(bytes(user), base.getLiveBuckets()));
    }

    private static byte[] bytes(String user) {
      return user.getBytes(StandardCharsets.UTF_8);
    }
  }

  /** Starts it where the live job has stopped. */
  static SparkRival start(LivePlace place, String view, String checkpoint) {
    LiveBase base = place.released(view).getLive();
    long[] next = place.progress(view);
    REACHED.clear();
    IntStream.range(0, next.length).forEach(i -> REACHED.put(i, next[i]));
    String offsets =
        IntStream.range(0, next.length)
            .mapToObj(i -> "\"%d\":%d".formatted(i, next[i]))
            .collect(Collectors.joining(",", "{\"%s\":{".formatted(LiveViews.SOURCE), "}}"));
    String prefix = place.keys().bucketPrefix(view, RedisKeys.liveVersion(base.getGeneration()));
    Cells cells = new Cells(place.redisPort(), prefix, base.toByteArray());
    String applied = place.keys().applied(view, base.getGeneration());
    ForeachPartitionFunction<Row> write = cells::write;
    VoidFunction2<Dataset<Row>, Long> each =
        (batch, id) -> {
          long through = Payments.now();
          batch
              .select(
                  functions
                      .from_json(functions.col("value").cast("string"), SCHEMA, Map.of())
                      .as("event"),
                  functions.col("partition"),
                  functions.col("offset"))
              .select("event.user_id", "event.amount", "event.event_time", "partition", "offset")
              .repartition(functions.col("user_id"))
              .sortWithinPartitions("partition", "offset")
              .foreachPartition(write);
          try (Jedis jedis = place.redis()) {
            for (int i = 0; i < next.length; i++) {
              jedis.hset(
                  applied,
                  Integer.toString(i),
                  new Progress(base.getCutOrDefault(i, 0), REACHED.get(i), through).format());
            }
          }
        };
    try {
      return new SparkRival(
          place
              .lake()
              .spark()
              .readStream()
              .format("kafka")
              .option("kafka.bootstrap.servers", place.broker().address())
              .option("subscribe", LiveViews.SOURCE)
              .option("startingOffsets", offsets)
              .load()
              .writeStream()
              .option("checkpointLocation", checkpoint)
              .foreachBatch(each)
              .start());
    } catch (TimeoutException e) {
      throw new TarnException("Spark's query does not start: " + e.getMessage(), e);
    }
  }

  /**
   * Fails if the query has.
   *
   * @throws TarnException with its reason
   */
  void requireAlive() {
    if (query.exception().isDefined()) {
      throw new TarnException("Spark's query failed: " + query.exception().get().getMessage());
    }
  }

  @Override
  public void close() {
    try {
      query.stop();
    } catch (TimeoutException e) {
      throw new TarnException("Spark's query does not stop: " + e.getMessage(), e);
    }
  }
}
