package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.read.SparkValues;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.Base;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.EntityId;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowValues;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import redis.clients.jedis.Jedis;

/**
 * Reads what a view answers, for tests to compare: from Redis with nothing but Jedis and the row
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

  /** The version record of what is released. */
  public static VersionRecord released(Workbench bench, String view) {
    VersionStore versions = bench.versions();
    return versions.record(view, versions.released(view).orElseThrow().version()).orElseThrow();
  }

  /**
   * All rows of a version in Redis, those of the version that it overlays among them; each is in
   * the bucket that its id says.
   */
  public static Map<String, Entry> inRedis(Workbench bench, VersionRecord record) {
    Map<String, Entry> entries = new TreeMap<>();
    if (record.hasBase()) {
      Base base = record.getBase();
      stored(bench, record, base.getVersion(), base.getBuckets(), base.getAsOf())
          .forEach((id, entry) -> entries.put(id, entry.orElseThrow()));
    }
    Map<String, Optional<Entry>> own =
        stored(bench, record, record.getVersion(), record.getBuckets(), record.getAsOf());
    assertThat(own).hasSize(Math.toIntExact(record.getOwnRows()));
    own.forEach(
        (id, entry) -> {
          entries.remove(id);
          entry.ifPresent(row -> entries.put(id, row));
        });
    assertThat(entries).hasSize(Math.toIntExact(record.getRows()));
    return entries;
  }

  /** Reads what a version's own buckets hold; empty for an entity that an overlay removes. */
  private static Map<String, Optional<Entry>> stored(
      Workbench bench, VersionRecord record, String version, int buckets, Timestamp asOf) {
    RedisKeys keys = bench.settings().read(RedisSettings::of).keys();
    String prefix = keys.bucketPrefix(record.getFeatureView(), version);
    List<FeatureType> types =
        record.getFeaturesList().stream().map(StoredFeature::getType).toList();
    Map<String, Optional<Entry>> entries = new TreeMap<>();
    try (StoredKeys stored = new StoredKeys(bench)) {
      for (int bucket = 0; bucket < buckets; bucket++) {
        byte[] key = RedisKeys.bucket(prefix, bucket);
        for (Map.Entry<byte[], byte[]> field : stored.hash(key).entrySet()) {
          assertThat(RedisKeys.bucketOf(field.getKey(), buckets)).isEqualTo(bucket);
          assertThat(stored.ttl(key)).as("%s stays", version).isEqualTo(-1);
          String id = new String(field.getKey(), StandardCharsets.UTF_8);
          if (field.getValue().length == 0) {
            entries.put(id, Optional.empty());
            continue;
          }
          RowReader reader = new RowReader(field.getValue());
          long asOfMicros = Timestamps.toMicros(asOf);
          long event = reader.readEventTimestamp(asOfMicros);
          if (record.getCarriesForward() && event == asOfMicros) {
            event = Timestamps.toMicros(record.getAsOf());
          }
          Value[] values = RowValues.read(reader, types);
          Map<String, Value> byName = new HashMap<>();
          for (int i = 0; i < values.length; i++) {
            byName.put(record.getFeatures(i).getName(), values[i]);
          }
          entries.put(id, Optional.of(new Entry(Values.instant(event), byName)));
        }
      }
    } catch (CorruptRowException e) {
      throw new AssertionError(e);
    }
    return entries;
  }

  /** The newest row of each entity in a snapshot. */
  public static Map<String, Entry> inIceberg(Workbench bench, String view, long snapshotId) {
    List<String> keys = bench.definitions().view(view).entity().keyNames();
    FeatureTable table = FeatureTable.find(bench.lake().catalog(), view).orElseThrow();
    Snapshot snapshot = table.iceberg().snapshot(snapshotId);
    Dataset<Row> rows =
        table.storesChanges(snapshot)
            ? CurrentRows.of(bench.lake(), bench.definitions().view(view), table, snapshot)
            : bench
                .spark()
                .sql(
                    "SELECT * FROM %s VERSION AS OF %d"
                        .formatted(bench.lake().sqlName(view), snapshotId));
    Map<String, Entry> entries = new TreeMap<>();
    for (Row row : rows.collectAsList()) {
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
    VersionRecord record = released(bench, view);
    assertThat(inRedis(bench, record))
        .as("rows of %s, snapshot %d", record.getVersion(), record.getSnapshotId())
        .isEqualTo(inIceberg(bench, view, record.getSnapshotId()));
  }

  /** A view has nothing in Redis but the buckets of its versions that are complete. */
  public static void assertNoForeignKeys(Workbench bench, String view) {
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    List<String> expected = new ArrayList<>();
    for (VersionRecord record : bench.versions().records(view)) {
      inRedis(bench, record);
      for (int bucket = 0; bucket < record.getBuckets(); bucket++) {
        expected.add(namespace + ":" + view + ":" + record.getVersion() + ":" + bucket);
      }
    }
    try (StoredKeys stored = new StoredKeys(bench)) {
      Set<String> found = stored.like(namespace + ":" + view + ":*");
      // Into a bucket that is not there no id falls: all rows are there, as was looked at above.
      assertThat(expected).containsAll(found);
      assertThat(stored.hash("{%s}:writing:%s".formatted(namespace, view))).isEmpty();
    }
  }

  /** Lets the leases of all versions that are being written run out, with no wait. */
  public static void expireLeases(Workbench bench, String view) {
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    String writing = "{%s}:writing:%s".formatted(namespace, view);
    try (StoredKeys stored = new StoredKeys(bench)) {
      stored
          .hash(writing)
          .forEach(
              (version, entry) ->
                  stored.put(writing, version, entry.substring(0, entry.indexOf('@')) + "@1"));
    }
  }
}
