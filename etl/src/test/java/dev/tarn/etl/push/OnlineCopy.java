package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.read.SparkValues;
import dev.tarn.etl.release.VersionStore;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.EntityId;
import dev.tarn.row.RowReader;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Row;
import redis.clients.jedis.Jedis;

/**
 * What a view serves, for tests to compare: read from Redis with nothing but Jedis and the row
 * reader, and from Iceberg with nothing but Spark.
 */
public final class OnlineCopy {

  /** One entity's row. */
  public record Entry(Instant eventTimestamp, Map<String, Value> values) {}

  private OnlineCopy() {}

  /** A connection to the Redis of a workbench. */
  public static Jedis jedis(Workbench bench) {
    RedisSettings redis = bench.settings().read(RedisSettings::of);
    Jedis jedis = new Jedis(redis.host(), redis.port(), 10_000);
    if (!redis.password().isEmpty()) {
      jedis.auth(redis.password());
    }
    jedis.select(redis.database());
    return jedis;
  }

  /** The manifest of what is released. */
  public static Manifest released(Workbench bench, String view) {
    VersionStore versions = bench.versions();
    return versions.manifest(view, versions.released(view).orElseThrow().version()).orElseThrow();
  }

  /** All rows of a version in Redis; each is in the bucket that its id says. */
  public static Map<String, Entry> inRedis(Workbench bench, Manifest manifest) {
    RedisKeys keys = bench.settings().read(RedisSettings::of).keys();
    String prefix = keys.bucketPrefix(manifest.getFeatureView(), manifest.getVersion());
    List<FeatureType> types =
        manifest.getFeaturesList().stream().map(StoredFeature::getType).toList();
    long asOf = Timestamps.toMicros(manifest.getAsOf());
    Map<String, Entry> entries = new TreeMap<>();
    try (Jedis jedis = jedis(bench)) {
      for (int bucket = 0; bucket < manifest.getBuckets(); bucket++) {
        for (Map.Entry<byte[], byte[]> field :
            jedis.hgetAll(RedisKeys.bucket(prefix, bucket)).entrySet()) {
          assertThat(RedisKeys.bucketOf(field.getKey(), manifest.getBuckets())).isEqualTo(bucket);
          RowReader reader = new RowReader(field.getValue());
          Instant eventTimestamp = Values.instant(reader.readEventTimestamp(asOf));
          Value[] values = reader.readValues(types);
          Map<String, Value> byName = new HashMap<>();
          for (int i = 0; i < values.length; i++) {
            byName.put(manifest.getFeatures(i).getName(), values[i]);
          }
          entries.put(
              new String(field.getKey(), StandardCharsets.UTF_8),
              new Entry(eventTimestamp, byName));
        }
      }
    } catch (CorruptRowException e) {
      throw new AssertionError(e);
    }
    assertThat(entries).hasSize(Math.toIntExact(manifest.getRows()));
    return entries;
  }

  /** The newest row of each entity in a snapshot. */
  public static Map<String, Entry> inIceberg(Workbench bench, String view, long snapshotId) {
    List<String> keys = bench.definitions().view(view).entity().keyNames();
    Map<String, Entry> entries = new TreeMap<>();
    for (Row row :
        bench
            .spark()
            .sql(
                "SELECT * FROM %s VERSION AS OF %d"
                    .formatted(bench.lake().sqlName(view), snapshotId))
            .collectAsList()) {
      Instant eventTimestamp = row.getInstant(row.fieldIndex(FeatureView.EVENT_TIMESTAMP));
      List<String> key = new ArrayList<>();
      Map<String, Value> values = new HashMap<>();
      for (String column : row.schema().fieldNames()) {
        Object value = row.get(row.fieldIndex(column));
        if (keys.contains(column)) {
          key.add(value.toString());
        } else if (!column.equals(FeatureView.EVENT_TIMESTAMP)) {
          values.put(column, SparkValues.of(value));
        }
      }
      entries.merge(
          EntityId.of(key),
          new Entry(eventTimestamp, values),
          (one, other) -> one.eventTimestamp().isAfter(other.eventTimestamp()) ? one : other);
    }
    return entries;
  }

  /** Every row of the released version is that of the snapshot which it names, and no other is. */
  public static void assertServedAsInIceberg(Workbench bench, String view) {
    Manifest manifest = released(bench, view);
    assertThat(inRedis(bench, manifest))
        .as("rows of %s, snapshot %d", manifest.getVersion(), manifest.getSnapshotId())
        .isEqualTo(inIceberg(bench, view, manifest.getSnapshotId()));
  }

  /** A view has nothing in Redis but the buckets of its versions that are complete. */
  public static void assertNoForeignKeys(Workbench bench, String view) {
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    List<String> expected = new ArrayList<>();
    for (Manifest manifest : bench.versions().manifests(view)) {
      inRedis(bench, manifest);
      for (int bucket = 0; bucket < manifest.getBuckets(); bucket++) {
        expected.add(namespace + ":" + view + ":" + manifest.getVersion() + ":" + bucket);
      }
    }
    try (Jedis jedis = jedis(bench)) {
      expected.removeIf(key -> !jedis.exists(key)); // no id falls into it
      assertThat(jedis.keys(namespace + ":" + view + ":*"))
          .containsExactlyInAnyOrderElementsOf(expected);
      assertThat(jedis.hgetAll("{%s}:writing:%s".formatted(namespace, view))).isEmpty();
    }
  }

  /** Lets the leases of all versions that are being written run out, with no wait. */
  public static void expireLeases(Workbench bench, String view) {
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    String writing = "{%s}:writing:%s".formatted(namespace, view);
    try (Jedis jedis = jedis(bench)) {
      jedis
          .hgetAll(writing)
          .forEach(
              (version, entry) ->
                  jedis.hset(writing, version, entry.substring(0, entry.indexOf('@')) + "@1"));
    }
  }
}
