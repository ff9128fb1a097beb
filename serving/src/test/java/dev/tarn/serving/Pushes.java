package dev.tarn.serving;

import static dev.tarn.serving.RedisFixture.utf8;

import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.Release;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.RedisClient;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Writes to Redis what a push writes, by the same contracts. */
public final class Pushes implements AutoCloseable {

  public static final int BUCKETS = 4;

  private final Instant asOf = Instant.now().truncatedTo(ChronoUnit.MICROS).minusSeconds(60);
  private final RedisKeys keys;
  private final AbstractRedisClient client;
  private final RedisClusterCommands<String, String> redis;
  private final RedisClusterCommands<byte[], byte[]> rows;

  public Pushes(RedisSettings settings) {
    this(settings, RedisClient.create(RedisFixture.uri(settings)));
  }

  private Pushes(RedisSettings settings, RedisClient client) {
    this(settings, client, client.connect().sync(), client.connect(ByteArrayCodec.INSTANCE).sync());
  }

  private Pushes(
      RedisSettings settings,
      AbstractRedisClient client,
      RedisClusterCommands<String, String> redis,
      RedisClusterCommands<byte[], byte[]> rows) {
    keys = settings.keys();
    this.client = client;
    this.redis = redis;
    this.rows = rows;
  }

  public static Pushes intoCluster(RedisSettings settings) {
    RedisClusterClient client = RedisClusterClient.create(RedisFixture.uri(settings));
    return new Pushes(
        settings, client, client.connect().sync(), client.connect(ByteArrayCodec.INSTANCE).sync());
  }

  public RedisClusterCommands<String, String> redis() {
    return redis;
  }

  /** Returns the as-of of all versions, a minute ago. */
  public Instant asOf() {
    return asOf;
  }

  public View view(String name, String entity) {
    return new View(name, entity);
  }

  /** Releases one version and announces it. */
  public Instant release(String view, String version) {
    return release(Map.of(view, version));
  }

  /** Releases versions of several views in the same instant, and announces it. */
  public Instant release(Map<String, String> versions) {
    Instant releasedAt = releaseSilently(versions);
    redis.publish(keys.releasedChannel(), "released");
    return releasedAt;
  }

  /** Releases as {@link #release} does, but loses the announcement. */
  public Instant releaseSilently(Map<String, String> versions) {
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    Map<String, String> entries = new HashMap<>();
    versions.forEach((view, version) -> entries.put(view, new Release(version, now).format()));
    redis.hset(keys.release(), entries);
    return now;
  }

  /** Notes the order in which entities were first released, as a push does. */
  public void entities(String... entities) {
    for (int i = 0; i < entities.length; i++) {
      redis.hset(keys.entities(), entities[i], Integer.toString(i));
    }
    redis.publish(keys.releasedChannel(), "entities");
  }

  public void service(String name, String entity, String... features) {
    service(name, stored(name, entity, features));
  }

  public void service(StoredService service) {
    service(service.getName(), ControlJson.print(service));
  }

  private void service(String name, String json) {
    redis.hset(keys.services(), name, json);
    redis.publish(keys.releasedChannel(), "services");
  }

  /** Releases a version, and a service with it in the same instant, as a push does. */
  public void releaseWithService(
      String view, String version, String name, String entity, String... features) {
    redis.eval(
        """
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
        return redis.call('PUBLISH', ARGV[5], ARGV[1])
        """,
        ScriptOutputType.INTEGER,
        new String[] {keys.release(), keys.services()},
        view,
        new Release(version, Instant.now()).format(),
        name,
        stored(name, entity, features),
        keys.releasedChannel());
  }

  private static String stored(String name, String entity, String... features) {
    return ControlJson.print(
        StoredService.newBuilder()
            .setName(name)
            .setEntity(entity)
            .addAllFeatureNames(List.of(features))
            .build());
  }

  /** Replaces the row of an entity by any bytes. */
  public void overwriteRow(String view, String version, String id, byte[] row) {
    int bucket = RedisKeys.bucketOf(utf8(id), BUCKETS);
    rows.hset(RedisKeys.bucket(keys.bucketPrefix(view, version), bucket), utf8(id), row);
  }

  @Override
  public void close() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
  }

  /** A version of a feature view that is not written yet. */
  public final class View {

    private final VersionRecord.Builder record;
    private Instant versionAsOf = asOf;
    private final Map<String, byte[]> encoded = new LinkedHashMap<>();

    private View(String name, String entity) {
      record =
          VersionRecord.newBuilder()
              .setRowFormat(RowWriter.FORMAT)
              .setFeatureView(name)
              .setEntity(entity)
              .addEntityKeys(entity + "_id")
              .setSnapshotId(1)
              .setSequenceNumber(1)
              .setAsOf(Timestamps.fromMicros(Values.micros(asOf)))
              .setBuckets(BUCKETS);
    }

    public View feature(String name, Kind kind) {
      record.addFeatures(stored(name, kind));
      return this;
    }

    public View feature(String name, Kind kind, Value defaultValue) {
      record.addFeatures(stored(name, kind).setDefaultValue(defaultValue));
      return this;
    }

    public View maxAge(Duration maxAge) {
      record.setMaxAge(Durations.fromNanos(maxAge.toNanos()));
      return this;
    }

    public View snapshot(long id) {
      record.setSnapshotId(id);
      return this;
    }

    /** Changes anything else in the version record. */
    public View with(Consumer<VersionRecord.Builder> change) {
      change.accept(record);
      return this;
    }

    /** Sets another as-of than that of the other versions; call it before adding rows. */
    public View asOf(Instant asOf) {
      versionAsOf = asOf;
      record.setAsOf(Timestamps.fromMicros(Values.micros(asOf)));
      return this;
    }

    /** Makes the version an overlay on a full version of that as-of. */
    public View over(String version, Instant baseAsOf) {
      record
          .getBaseBuilder()
          .setVersion(version)
          .setBuckets(BUCKETS)
          .setAsOf(Timestamps.fromMicros(Values.micros(baseAsOf)));
      return this;
    }

    /** Removes an entity that the base has. */
    public View removed(String id) {
      encoded.put(id, new byte[0]);
      return this;
    }

    /** Adds a row of the version's as-of; a null value is a null. */
    public View row(String id, Object... values) {
      return rowAt(versionAsOf, id, values);
    }

    public View rowAt(Instant eventTimestamp, String id, Object... values) {
      RowWriter row = new RowWriter();
      row.start(Values.micros(versionAsOf), Values.micros(eventTimestamp));
      int nulls = row.putNulls(values.length);
      for (int i = 0; i < values.length; i++) {
        if (values[i] == null) {
          row.setNull(nulls, i);
        } else {
          put(row, values[i]);
        }
      }
      encoded.put(id, row.toBytes());
      return this;
    }

    /** Writes the version, first the rows and then the record, without releasing it. */
    public View write(String version) {
      String prefix = keys.bucketPrefix(record.getFeatureView(), version);
      int buckets = record.getBuckets();
      encoded.forEach(
          (id, row) ->
              rows.hset(
                  RedisKeys.bucket(prefix, RedisKeys.bucketOf(utf8(id), buckets)), utf8(id), row));
      if (!record.hasBase()) {
        record.setRows(encoded.size());
      }
      VersionRecord written =
          record
              .setVersion(version)
              .setOwnRows(encoded.size())
              .setCreatedAt(Timestamps.fromMillis(Instant.now().toEpochMilli()))
              .build();
      redis.hset(keys.manifests(record.getFeatureView()), version, ControlJson.print(written));
      return this;
    }

    private StoredFeature.Builder stored(String name, Kind kind) {
      return StoredFeature.newBuilder()
          .setFieldId(record.getFeaturesCount() + 1)
          .setName(name)
          .setType(FeatureType.newBuilder().setKind(kind));
    }

    private void put(RowWriter row, Object value) {
      if (value instanceof Boolean flag) {
        row.putBoolean(flag);
      } else if (value instanceof Double number) {
        row.putDouble(number);
      } else if (value instanceof Long number) {
        row.putLong(number);
      } else if (value instanceof String text) {
        row.putBytes(utf8(text));
      } else if (value instanceof byte[] bytes) {
        row.putBytes(bytes);
      } else {
        throw new IllegalArgumentException("a row of a test has no " + value.getClass());
      }
    }
  }
}
