package dev.tarn.etl.push;

import dev.tarn.cli.Plural;
import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.layer.Buckets;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import redis.clients.jedis.Protocol;

/** Names the rows of a version that are not in Redis as they should be, a few of them. */
final class Differences {

  private static final int BUCKETS = 3;
  private static final int ROWS = 5;

  private final RedisServers redis;
  private final Buckets buckets;

  Differences(RedisServers redis, Buckets buckets) {
    this.redis = redis;
    this.buckets = buckets;
  }

  /** A line for each entity: what of it differs, in which bucket. */
  List<String> describe(Dataset<Row> encoded, List<Integer> differing) {
    List<Integer> some = differing.stream().sorted().limit(BUCKETS).toList();
    Map<Integer, Map<String, byte[]>> expected = expected(encoded, some);
    List<String> lines = new ArrayList<>();
    some.forEach(
        bucket -> {
          Map<String, byte[]> wanted = expected.getOrDefault(bucket, Map.of());
          Map<String, byte[]> found = found(bucket);
          String key = buckets.keyPrefix() + bucket;
          wanted.forEach(
              (id, row) -> {
                if (!found.containsKey(id)) {
                  lines.add("entity '%s' is missing in %s".formatted(id, key));
                } else if (!Arrays.equals(row, found.get(id))) {
                  lines.add("entity '%s' has another row in %s".formatted(id, key));
                }
              });
          found.keySet().stream()
              .filter(id -> !wanted.containsKey(id))
              .forEach(
                  id -> lines.add("entity '%s' was not written and is in %s".formatted(id, key)));
        });
    if (lines.size() <= ROWS) {
      return lines;
    }
    List<String> first = new ArrayList<>(lines.subList(0, ROWS));
    first.add(
        "… (%d more in %s)".formatted(lines.size() - ROWS, Plural.of(some.size(), "such bucket")));
    return first;
  }

  private Map<Integer, Map<String, byte[]>> expected(Dataset<Row> encoded, List<Integer> some) {
    Map<Integer, Map<String, byte[]>> expected = new TreeMap<>();
    for (Row row :
        encoded
            .filter(EncodedRows.bucket(buckets).isin(some.toArray(new Object[0])))
            .orderBy(functions.col("time"))
            .collectAsList()) {
      // The newest comes last.
      expected
          .computeIfAbsent(
              EncodedRows.bucket(row.getLong(EncodedRows.PLACE), buckets),
              bucket -> new TreeMap<>())
          .put(text(row.getAs(EncodedRows.ID)), row.getAs(EncodedRows.ROW));
    }
    return expected;
  }

  private Map<String, byte[]> found(int bucket) {
    Map<String, byte[]> found = new TreeMap<>();
    try (BucketPipeline pipeline = new BucketPipeline(redis)) {
      byte[] key = buckets.key(bucket);
      pipeline.send(
          key,
          Protocol.Command.HGETALL,
          key.length,
          answer -> {
            List<?> fields = (List<?>) answer;
            for (int i = 0; i < fields.size(); i += 2) {
              found.put(text((byte[]) fields.get(i)), (byte[]) fields.get(i + 1));
            }
          },
          key);
      pipeline.flush();
    }
    return found;
  }

  private static String text(byte[] utf8) {
    return new String(utf8, StandardCharsets.UTF_8);
  }
}
