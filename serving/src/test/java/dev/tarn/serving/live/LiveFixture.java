package dev.tarn.serving.live;

import com.google.protobuf.Duration;
import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import dev.tarn.live.Cut;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.Values;
import dev.tarn.serving.Pushes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A live view of users, {@code spend}, and what a push and the live job write of it. Its topic has
 * two partitions, and its events have an amount.
 */
public final class LiveFixture {

  public static final String VIEW = "spend";
  public static final long SEGMENT = 4;
  public static final long SECOND = 1_000_000;

  private static final String GENERATION = "g1";

  /** An event in its topic. */
  private record Event(String id, int partition, long offset, long micros, Object amount) {}

  private final Pushes pushes;
  private final RedisKeys keys;
  private final long now = Values.micros(Instant.now());
  private final List<Event> events = new ArrayList<>();
  private final Map<String, EntityCells> live = new LinkedHashMap<>();
  private final LiveBase.Builder base =
      LiveBase.newBuilder()
          .setGeneration(GENERATION)
          .setSource("payments")
          .setTopic("payments")
          .setEventSnapshotId(77)
          .setSegment(SEGMENT)
          .setLiveBuckets(Pushes.BUCKETS)
          .setMaxLag(Durations.fromSeconds(30))
          .addValueTypes(type(Kind.KIND_BIGINT));

  /** Begins with four features of the last hour, and one of all events. */
  public LiveFixture(Pushes pushes, RedisKeys keys) {
    this.pushes = pushes;
    this.keys = keys;
    feature("count_1h", Kind.KIND_BIGINT, window("COUNT", -1, 60 * SECOND, 60), Optional.empty());
    feature(
        "sum_1h",
        Kind.KIND_BIGINT,
        window("SUM", 0, 60 * SECOND, 60),
        Optional.of(Value.newBuilder().setNumberValue(-1).build()));
    feature("max_1h", Kind.KIND_BIGINT, window("MAX", 0, 60 * SECOND, 60), Optional.empty());
    feature(
        "avg_1h",
        Kind.KIND_DOUBLE,
        window("AVG", 0, 60 * SECOND, 60),
        Optional.of(Value.newBuilder().setNumberValue(0.5).build()));
    feature("count_ever", Kind.KIND_BIGINT, window("COUNT", -1, 0, 0), Optional.empty());
  }

  private void feature(String name, Kind kind, LiveWindow window, Optional<Value> byDefault) {
    StoredFeature.Builder feature =
        StoredFeature.newBuilder()
            .setFieldId(base.getFeaturesCount() + 1)
            .setName(name)
            .setType(type(kind));
    byDefault.ifPresent(feature::setDefaultValue);
    base.addFeatures(feature).addWindows(window);
  }

  private static FeatureType type(Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }

  private static LiveWindow window(String aggregate, int value, long resolution, long cells) {
    LiveWindow.Builder window =
        LiveWindow.newBuilder().setAggregate(aggregate).setValue(value).setCells(cells);
    if (cells > 0) {
      window.setResolution(Durations.fromMicros(resolution));
    }
    return window.build();
  }

  public LiveFixture maxLag(Duration lag) {
    base.setMaxLag(lag);
    return this;
  }

  /** The base without its cut, to change it before a push. */
  public LiveBase.Builder base() {
    return base;
  }

  /** A moment shortly before the test began, microseconds since 1970 UTC. */
  public long now() {
    return now;
  }

  /** Adds an event of now to the topic; nobody has it applied. */
  public LiveFixture event(String id, int partition, long offset, Object amount) {
    return event(id, partition, offset, now, amount);
  }

  public LiveFixture event(String id, int partition, long offset, long micros, Object amount) {
    events.add(new Event(id, partition, offset, micros, amount));
    return this;
  }

  /** Writes a version whose base has the events before a cut; does not release it. */
  public LiveFixture push(String version, long... cut) {
    return push(version, new Object[0], cut);
  }

  /** Writes a version as {@link #push(String, long...)} does, with entities' rows replaced. */
  public LiveFixture push(String version, Object[] idAndRow, long... cut) {
    base.clearCut();
    for (int p = 0; p < cut.length; p++) {
      base.putCut(p, cut[p]);
    }
    Cut offsets = Cut.of(cut);
    Map<String, EntityCells> cells = new LinkedHashMap<>();
    for (Event event : events) {
      if (event.offset() < offsets.next(event.partition())) {
        add(
            cells.computeIfAbsent(event.id(), id -> EntityCells.base(LivePlan.of(base.build()))),
            event);
      }
    }
    Pushes.View view =
        pushes
            .view(VIEW, "user")
            .with(record -> record.setRowFormat(LivePlan.FORMAT).setLive(base))
            .feature("cells", Kind.KIND_BINARY);
    cells.forEach((id, of) -> view.row(id, of.toBytes()));
    for (int i = 0; i < idAndRow.length; i += 2) {
      view.row((String) idAndRow[i], idAndRow[i + 1]);
    }
    view.write(version);
    return this;
  }

  /** Applies all events of the topic from a cut on, as the live job does, and says so. */
  public LiveFixture apply(long... from) {
    LivePlan plan = LivePlan.of(base.build());
    Cut cut = Cut.of(from);
    for (Event event : events) {
      if (event.offset() >= cut.next(event.partition())) {
        add(live.computeIfAbsent(event.id(), id -> EntityCells.live(plan)), event);
      }
    }
    live.forEach((id, cells) -> overwriteLive(id, Token.entry(cells.toBytes())));
    return this;
  }

  private static void add(EntityCells cells, Event event) {
    cells.add(event.partition(), event.offset(), event.micros(), new Object[] {event.amount()});
  }

  /** Replaces the live entry of an entity by any bytes. */
  public void overwriteLive(String id, byte[] entry) {
    pushes.overwriteRow(VIEW, RedisKeys.liveVersion(GENERATION), id, entry);
  }

  /** Notes how far the live job is. */
  public LiveFixture progress(int partition, long from, long next, long through) {
    pushes
        .redis()
        .hset(
            progressKey(), Integer.toString(partition), new Progress(from, next, through).format());
    return this;
  }

  public String progressKey() {
    return keys.applied(VIEW, GENERATION);
  }

  /** Notes that both partitions are applied up to here, in an hour too: the test never lags. */
  public LiveFixture upToDate(long... next) {
    for (int p = 0; p < 2; p++) {
      progress(p, 0, Cut.of(next).next(p), now + 3_600 * SECOND);
    }
    return this;
  }
}
