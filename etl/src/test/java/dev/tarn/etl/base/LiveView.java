package dev.tarn.etl.base;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.push.Push;
import dev.tarn.layer.Layers;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LiveAnswer;
import dev.tarn.live.LivePlan;
import dev.tarn.live.LiveRow;
import dev.tarn.live.Progress;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;

/**
 * A live view on a workbench of its own. Its event table is filled by the test and not by a broker,
 * and its live cells are those that the test makes of the same events.
 */
public final class LiveView {

  static final String FEATURES =
      """
      { name = events_1m, aggregate = count, window = 1m }
      { name = sum_1h, aggregate = sum, of = d, window = 1h, default = 0.5 }
      { name = avg_1d, aggregate = avg, of = d, window = 1d }
      { name = dev_1d, aggregate = stddev, of = d, window = 1d }
      { name = max_1h, aggregate = max, of = d, window = 1h }
      { name = last_1d, aggregate = last, of = s, window = 1d }
      { name = last_3, aggregate = { last = 3 }, of = s, window = 1d }
      { name = kinds_1h, aggregate = count-distinct, of = s, window = 1h }
      { name = money_1d, aggregate = sum, of = "CAST(n AS DECIMAL(12, 2)) / 4", window = 1d }
      """;

  /** An event as the topic has it. */
  public record Event(
      long user,
      long micros,
      int partition,
      long offset,
      long arrived,
      String id,
      Double d,
      Long n,
      String s) {}

  private static final double[] ODD = {
    Double.NaN, Double.POSITIVE_INFINITY, -0.0, 0.0, Double.MIN_VALUE, 1e300, -1e300, 0.1, 1 / 3.0
  };

  private final Workbench bench = new Workbench();
  private final String name;
  private final String stream;
  private final String eventId;

  /** A view of a stream, whose table several views of other workbenches may share. */
  public LiveView(String name, String stream, String eventId) {
    this.name = name;
    this.stream = stream;
    this.eventId = eventId;
    define(FEATURES, "live { segment = 64 }");
  }

  public void define(String features, String live) {
    List<String> names =
        Pattern.compile("name = (\\w+)")
            .matcher(features)
            .results()
            .map(found -> name + "." + found.group(1))
            .toList();
    bench.define(
        "live.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { %2$s {
          format = kafka, topic = %2$s, table = "events.%2$s", value = json, timestamp = at
          schema = "user_id BIGINT, at TIMESTAMP, id STRING, d DOUBLE, n BIGINT, s STRING"
          %3$s
        } }
        feature-views { %1$s {
          entity = user, source = %2$s, where = "s IS NULL OR s <> 'no'"
          features = [ %4$s ]
          %5$s
        } }
        feature-services { model { features = [ %6$s ] } }
        """
            .formatted(name, stream, eventId, features, live, String.join(", ", names)));
  }

  public Workbench bench() {
    return bench;
  }

  public FeatureView view() {
    return bench.definitions().view(name);
  }

  private Source source() {
    return view().windows().orElseThrow().source();
  }

  /** Adds events to the event table, which has all before the cut then. */
  public void archive(List<Event> events, long... next) {
    StructType columns = StreamSource.eventColumns(source().schema().orElseThrow());
    EventTable table =
        EventTable.findOrCreate(bench.lake().catalog(), source(), SparkSchemaUtil.convert(columns));
    List<Row> rows =
        events.stream()
            .map(
                event ->
                    RowFactory.create(
                        event.user(),
                        Values.instant(event.micros()),
                        event.id(),
                        event.d(),
                        event.n(),
                        event.s(),
                        event.partition(),
                        event.offset(),
                        Values.instant(event.arrived())))
            .toList();
    TreeMap<Integer, Long> offsets = new TreeMap<>();
    for (int i = 0; i < next.length; i++) {
      offsets.put(i, next[i]);
    }
    try {
      bench
          .spark()
          .createDataFrame(rows, columns)
          .writeTo(table.sqlName())
          .option("snapshot-property." + EventTable.CUT, new Cut(stream, "id", offsets).json())
          .append();
    } catch (Exception e) { // Scala does not declare what it throws
      throw new IllegalStateException(e);
    }
  }

  /** A cut through a topic. */
  static Cut cut(long... next) {
    TreeMap<Integer, Long> offsets = new TreeMap<>();
    for (int i = 0; i < next.length; i++) {
      offsets.put(i, next[i]);
    }
    return new Cut("topic", "", offsets);
  }

  public Push.Outcome push() {
    return bench.push(name);
  }

  /** Says how far live cells of a generation are. */
  public void progress(String generation, Progress... byPartition) {
    var keys = bench.redis().settings().keys();
    bench
        .redis()
        .at(keys.release(), jedis -> jedis.hset(keys.generations(name), generation, "256"));
    for (int i = 0; i < byPartition.length; i++) {
      String partition = Integer.toString(i);
      String progress = byPartition[i].format();
      bench
          .redis()
          .at(
              keys.release(),
              jedis -> jedis.hset(keys.applied(name, generation), partition, progress));
    }
  }

  /** The cells that a version has of an entity. */
  public Optional<byte[]> base(VersionRecord record, long user) {
    Layers layers = Layers.of(bench.redis().settings().keys(), record);
    byte[] id = Long.toString(user).getBytes(StandardCharsets.UTF_8);
    byte[][] found = new byte[layers.count()][];
    for (int i = 0; i < layers.count(); i++) {
      var buckets = layers.get(i).buckets();
      byte[] key = buckets.key(buckets.of(dev.tarn.redis.RedisKeys.checksum(id)));
      found[i] =
          bench.redis().at(new String(key, StandardCharsets.UTF_8), jedis -> jedis.hget(key, id));
    }
    byte[] row = layers.row(found, 0, 1);
    if (row == null) {
      return Optional.empty();
    }
    try {
      RowReader reader = new RowReader(row);
      long unused = reader.readEventTimestamp(0);
      List<Object> values =
          reader.readStored(
              List.of(FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_BINARY).build()));
      return Optional.of(bytes(values.get(0)));
    } catch (CorruptRowException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] bytes(Object value) {
    return value instanceof byte[] bytes
        ? bytes
        : ((com.google.protobuf.ByteString) value).toByteArray();
  }

  /** The live cells that events make which come in this order, of one entity. */
  public static byte[] live(LiveBase base, List<Event> events, long bound) {
    return cells(EntityCells.live(LivePlan.of(base)), events, bound);
  }

  /** The cells of a base of these events, of one entity. */
  static byte[] base(LiveBase base, List<Event> events, long bound) {
    return cells(EntityCells.base(LivePlan.of(base)), events, bound);
  }

  private static byte[] cells(EntityCells cells, List<Event> events, long bound) {
    for (Event event : events) {
      if (event.s() == null || !event.s().equals("no")) {
        cells.add(event.partition(), event.offset(), event.micros(), values(event));
      }
    }
    cells.settle(bound);
    return cells.toBytes();
  }

  private static Object[] values(Event event) {
    Object money =
        event.n() == null
            ? null
            : java.math.BigDecimal.valueOf(event.n())
                .setScale(2)
                .divide(java.math.BigDecimal.valueOf(4))
                .setScale(6);
    return new Object[] {
      event.d(), event.s() == null ? null : event.s().getBytes(StandardCharsets.UTF_8), money
    };
  }

  /** What is answered: the bytes of the features, or that there is no row. */
  public String answer(VersionRecord record, long user, Optional<byte[]> live, long micros) {
    LiveBase base = record.getLive();
    LiveAnswer answer =
        new LiveAnswer(LivePlan.of(base), dev.tarn.live.Cut.of(base.getCutMap()), micros);
    base(record, user).ifPresent(answer::addBase);
    live.ifPresent(answer::addLive);
    if (!answer.isThere()) {
      return "not there";
    }
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < base.getFeaturesCount(); i++) {
      Object value = answer.value(i);
      RowWriter row = new RowWriter();
      if (value != null) {
        LiveRow.put(row, base.getFeatures(i).getType(), value);
      }
      texts.add(
          base.getFeatures(i).getName()
              + (value == null ? " null" : " " + HexFormat.of().formatHex(row.toBytes())));
    }
    return String.join("\n", texts);
  }

  /**
   * Random events of a partition: of few users, mostly in order of time, some late, some to come,
   * some sent twice.
   *
   * @param now the moment at which the last of them arrives, microseconds since 1970
   */
  static List<Event> events(Random random, int partition, long from, long to, long now) {
    List<Event> events = new ArrayList<>();
    for (long offset = from; offset < to; offset++) {
      long arrived = now - (to - offset) * 1_000_000L * 20;
      long micros =
          switch (random.nextInt(20)) {
            case 0 -> arrived - random.nextLong(30 * 3600 * 1_000_000L);
            case 1 -> arrived + random.nextLong(2 * 3600 * 1_000_000L);
            default -> arrived - random.nextLong(2_000_000L);
          };
      if (offset > from && random.nextInt(20) == 0) {
        Event before = events.get(events.size() - 1 - random.nextInt(Math.min(events.size(), 120)));
        events.add(
            new Event(
                before.user(),
                before.micros(),
                partition,
                offset,
                arrived,
                before.id(),
                before.d(),
                before.n(),
                before.s()));
        continue;
      }
      // One entity has a third of all events.
      long user = random.nextInt(3) == 0 ? 7 : random.nextInt(30);
      double d =
          random.nextInt(8) == 0 ? ODD[random.nextInt(ODD.length)] : random.nextGaussian() * 1e6;
      events.add(
          new Event(
              user,
              micros,
              partition,
              offset,
              arrived,
              random.nextInt(30) == 0 ? null : partition + "-" + offset,
              random.nextInt(10) == 0 ? null : d,
              random.nextInt(10) == 0 ? null : random.nextLong(1_000_000),
              random.nextInt(10) == 0
                  ? null
                  : List.of("a", "b", "c", "é", "no").get(random.nextInt(5))));
    }
    return events;
  }

  /**
   * The events that repeat no other: none of their id was in their partition within the horizon.
   */
  static List<Event> counted(List<Event> events, long horizon) {
    List<Event> inOrder = new ArrayList<>(events);
    inOrder.sort(Comparator.comparingInt(Event::partition).thenComparingLong(Event::offset));
    Map<String, Long> seen = new HashMap<>();
    List<Event> counted = new ArrayList<>();
    for (Event event : inOrder) {
      Long before =
          event.id() == null
              ? null
              : seen.put(event.partition() + " " + event.id(), event.arrived());
      if (before == null || event.arrived() - before > horizon) {
        counted.add(event);
      }
    }
    return counted;
  }

  static List<Long> users() {
    return Arrays.asList(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L, 20L, 29L, 99L);
  }

  Map<Long, Optional<byte[]>> cells(LiveBase base, List<Event> events, long bound) {
    Map<Long, Optional<byte[]>> cells = new TreeMap<>();
    for (long user : users()) {
      List<Event> own = events.stream().filter(event -> event.user() == user).toList();
      cells.put(user, own.isEmpty() ? Optional.empty() : Optional.of(live(base, own, bound)));
    }
    return cells;
  }
}
