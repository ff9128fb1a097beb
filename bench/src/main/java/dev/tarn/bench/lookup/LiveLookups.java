package dev.tarn.bench.lookup;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.bench.lookup.JvmMeter.Used;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.LoadGenerators;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;

/**
 * Measures lookups of ten live features beside lookups of ten features that are stored as rows, of
 * as many entities and by one server, in turn. What pushes and the live job write is written here,
 * by the same contracts: for each entity three events, two in the base and one behind it.
 */
public final class LiveLookups {

  private static final String LIVE = "live10";
  private static final String BATCH = "batch10";
  private static final String GENERATION = "bench";
  private static final int WARM_UP_SECONDS = 8;
  private static final int ROUNDS = 5;
  private static final int ROUND_SECONDS = 3;
  private static final int ENTITIES_A_BUCKET = 32;
  private static final long SEGMENT = 4096;

  /** The windows, each with its length and that of its cells: a count and a sum of each. */
  private static final List<List<Duration>> WINDOWS =
      List.of(
          List.of(Duration.ofMinutes(1), Duration.ofSeconds(1)),
          List.of(Duration.ofHours(1), Duration.ofMinutes(1)),
          List.of(Duration.ofDays(1), Duration.ofMinutes(10)),
          List.of(Duration.ofDays(7), Duration.ofHours(1)),
          List.of(Duration.ofDays(30), Duration.ofHours(1)));

  private final RedisKeys keys;
  private final BenchRedis redis;
  private final int entities;
  private final long now = Values.micros(Instant.now());

  private LiveLookups(RedisKeys keys, BenchRedis redis, int entities) {
    this.keys = keys;
    this.redis = redis;
    this.entities = entities;
  }

  /**
   * What was measured of one view.
   *
   * @param perSecond requests a second at saturation, of one entity each
   * @param cpuMicros processor time of the server, a request
   */
  private record Speed(double perSecond, double cpuMicros) {

    static Speed median(List<Speed> rounds) {
      return new Speed(
          Medians.of(rounds.stream().map(Speed::perSecond)),
          Medians.of(rounds.stream().map(Speed::cpuMicros)));
    }
  }

  /** All that was measured; bytes are those of Redis, for an entity. */
  public static final class Result {

    private final Speed live;
    private final Speed batch;
    private final double baseBytes;
    private final double liveBytes;

    private Result(Speed live, Speed batch, double baseBytes, double liveBytes) {
      this.live = live;
      this.batch = batch;
      this.baseBytes = baseBytes;
      this.liveBytes = liveBytes;
    }

    /** Adds the figures of this, with their aims. */
    public void addTo(Figures figures) {
      figures.add("1 × 10 live features: requests/s", live.perSecond());
      figures.add("1 × 10 batch features: requests/s", batch.perSecond());
      figures.add("1 × 10: live ÷ batch", live.perSecond() / batch.perSecond(), ">= 0.6");
      figures.add("1 × 10 live features: CPU µs/request", live.cpuMicros());
      figures.add("1 × 10 batch features: CPU µs/request", batch.cpuMicros());
      figures.add("Redis bytes of an entity's base, two events", baseBytes);
      figures.add("Redis bytes of an entity's live cells, one event", liveBytes);
      figures.add(
          "Redis bytes of an entity, three events in five windows",
          baseBytes + liveBytes,
          "<= 400");
    }
  }

  /** Writes both views into Redis, and measures them. */
  public static Result measure(
      Settings settings, BenchRedis redis, Path folder, Console console, int entities)
      throws IOException {
    RedisKeys keys = new RedisKeys(settings.read(config -> config.getString("redis.namespace")));
    return new LiveLookups(keys, redis, entities)
        .measure(new LookupServers(settings, redis, folder), new LoadGenerators(folder), console);
  }

  private Result measure(LookupServers servers, LoadGenerators load, Console console)
      throws IOException {
    console.say("%,d entities of 10 live features, and of 10 stored ones", entities);
    long empty = redis.usedMemory();
    LiveBase base = base();
    LivePlan plan = LivePlan.of(base);
    writeRows(keys.bucketPrefix(LIVE, "v1"), id -> row(baseCells(plan, id)));
    long withBase = redis.usedMemory();
    writeRows(
        keys.bucketPrefix(LIVE, RedisKeys.liveVersion(GENERATION)),
        id -> Token.entry(liveCells(plan, id)));
    long withLive = redis.usedMemory();
    writeRows(keys.bucketPrefix(BATCH, "v1"), LiveLookups::batchRow);
    release(base);
    try (ServerProcess server = servers.tarn("live", List.of());
        JvmMeter meter = JvmMeter.of(server.pid())) {
      requireAnswers(server);
      List<List<Speed>> rounds = List.of(new ArrayList<>(), new ArrayList<>());
      List<String> views = List.of(LIVE, BATCH);
      for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < 2; i++) {
          Used before = meter.used();
          int seconds = round == 0 ? WARM_UP_SECONDS : ROUND_SECONDS;
          double perSecond = load.saturate(server.port(), method(), request(views.get(i)), seconds);
          double micros = meter.used().since(before).cpuNanos() / 1e3;
          if (round > 0) {
            rounds.get(i).add(new Speed(perSecond, micros / (perSecond * seconds)));
          }
        }
      }
      return new Result(
          Speed.median(rounds.get(0)),
          Speed.median(rounds.get(1)),
          (withBase - empty) / (double) entities,
          (withLive - withBase) / (double) entities);
    } finally {
      redis.flush();
    }
  }

  private static String method() {
    return "feature_store.v1.FeatureStoreService/GetOnlineFeatures";
  }

  private static byte[] request(String view) {
    return GetOnlineFeaturesRequest.newBuilder()
        .addEntityIds("17")
        .setEntity(view)
        .build()
        .toByteArray();
  }

  private static void requireAnswers(ServerProcess server) throws IOException {
    for (String view : List.of(LIVE, BATCH)) {
      FeatureSet set =
          GetOnlineFeaturesResponse.parseFrom(RawCall.of(server.port(), method(), request(view)))
              .getResultsOrThrow("17");
      if (set.getFeaturesCount() != 10 || set.getStatusesCount() > 0) {
        throw new TarnException("the server answered of %s: %s".formatted(view, set));
      }
    }
  }

  private int buckets() {
    return entities / ENTITIES_A_BUCKET + 1;
  }

  private void writeRows(String prefix, IntFunction<byte[]> row) {
    try (Jedis jedis = redis.connect();
        Pipeline pipeline = jedis.pipelined()) {
      jedis.configSet("hash-max-listpack-value", "512");
      for (int id = 0; id < entities; id++) {
        byte[] field = Integer.toString(id).getBytes(StandardCharsets.UTF_8);
        byte[] key = RedisKeys.bucket(prefix, RedisKeys.bucketOf(field, buckets()));
        pipeline.hset(key, field, row.apply(id));
        if (id % 10_000 == 0) {
          pipeline.sync();
        }
      }
    }
  }

  private void release(LiveBase base) {
    VersionRecord.Builder live =
        record(LIVE)
            .setRowFormat(LivePlan.FORMAT)
            .setLive(base)
            .addFeatures(feature(0, "cells", Kind.KIND_BINARY));
    VersionRecord.Builder batch = record(BATCH).setRowFormat(RowWriter.FORMAT);
    for (int i = 0; i < 10; i++) {
      batch.addFeatures(
          feature(i, "feature_" + i, i % 2 == 0 ? Kind.KIND_BIGINT : Kind.KIND_DOUBLE));
    }
    try (Jedis jedis = redis.connect()) {
      long through = now + Duration.ofDays(1).toMillis() * 1_000;
      jedis.hset(
          keys.applied(LIVE, GENERATION), "0", new Progress(0, 3L * entities, through).format());
      for (VersionRecord.Builder record : List.of(live, batch)) {
        String view = record.getFeatureView();
        jedis.hset(keys.manifests(view), "v1", ControlJson.print(record.build()));
        jedis.hset(keys.release(), view, new Release("v1", Instant.now()).format());
      }
    }
  }

  private VersionRecord.Builder record(String view) {
    return VersionRecord.newBuilder()
        .setFeatureView(view)
        .setVersion("v1")
        .setEntity(view)
        .addEntityKeys("id")
        .setSnapshotId(1)
        .setBuckets(buckets())
        .setRows(entities)
        .setAsOf(Timestamps.fromMicros(now));
  }

  private LiveBase base() {
    LiveBase.Builder base =
        LiveBase.newBuilder()
            .setGeneration(GENERATION)
            .setSegment(SEGMENT)
            .setLiveBuckets(buckets())
            .setMaxLag(Durations.fromSeconds(30))
            .putCut(0, cut())
            .addValueTypes(FeatureType.newBuilder().setKind(Kind.KIND_DOUBLE));
    for (List<Duration> window : WINDOWS) {
      for (int value = -1; value < 1; value++) {
        int index = base.getFeaturesCount();
        base.addWindows(
                LiveWindow.newBuilder()
                    .setAggregate(value < 0 ? "COUNT" : "SUM")
                    .setValue(value)
                    .setResolution(Durations.fromMillis(window.get(1).toMillis()))
                    .setCells(window.get(0).dividedBy(window.get(1))))
            .addFeatures(
                feature(
                    index, "feature_" + index, value < 0 ? Kind.KIND_BIGINT : Kind.KIND_DOUBLE));
      }
    }
    return base.build();
  }

  private static StoredFeature feature(int index, String name, Kind kind) {
    return StoredFeature.newBuilder()
        .setFieldId(index + 1)
        .setName(name)
        .setType(FeatureType.newBuilder().setKind(kind))
        .build();
  }

  /** The cut behind the first two events of all entities. */
  private long cut() {
    return (2L * entities / SEGMENT + 1) * SEGMENT;
  }

  private byte[] baseCells(LivePlan plan, int id) {
    EntityCells cells = EntityCells.base(plan);
    for (int i = 0; i < 2; i++) {
      long ago = Duration.ofMinutes(10 + 300L * i).toMillis() * 1_000;
      cells.add(0, 2L * id + i, now - ago, new Object[] {19.99 + i});
    }
    cells.settle(now);
    return cells.toBytes();
  }

  private byte[] liveCells(LivePlan plan, int id) {
    EntityCells cells = EntityCells.live(plan);
    cells.add(0, cut() + id, now, new Object[] {5.01});
    cells.settle(now);
    return cells.toBytes();
  }

  private byte[] row(byte[] cells) {
    RowWriter row = new RowWriter();
    row.start(now, now);
    var unused = row.putNulls(1);
    row.putBytes(cells);
    return row.toBytes();
  }

  private static byte[] batchRow(int id) {
    RowWriter row = new RowWriter();
    row.start(0, 0);
    var unused = row.putNulls(10);
    for (int i = 0; i < 10; i++) {
      if (i % 2 == 0) {
        row.putLong(id + i);
      } else {
        row.putDouble(id + i / 7.0);
      }
    }
    return row.toBytes();
  }
}
