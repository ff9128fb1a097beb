package dev.tarn.etl.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.archive.KafkaSettings;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.archive.TopicClient;
import dev.tarn.etl.archive.TopicState;
import dev.tarn.etl.archive.Topics;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.live.Cut;
import dev.tarn.live.LiveAnswer;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.row.Values;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import redis.clients.jedis.Jedis;

/**
 * A topic of clicks with live views, and the features that brute force gives over what was sent to
 * it.
 */
final class LiveBench {

  static final int BUCKETS = 4;
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  /** A click as it was sent. */
  record Click(int partition, long offset, int user, long micros, double amount, String kind) {}

  /** A live job in this JVM. */
  final class Run implements AutoCloseable {
    private final StopSignal stop = new StopSignal();
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private final CompletableFuture<Void> done;

    private Run(String... views) {
      PrintStream stream = new PrintStream(said, true, StandardCharsets.UTF_8);
      List<FeatureView> live =
          List.of(views).stream().map(v -> bench.definitions().view(v)).toList();
      done =
          CompletableFuture.runAsync(
              () -> {
                try (IcebergCatalog catalog = IcebergCatalog.open(bench.settings())) {
                  new Live(live, bench.settings(), catalog, new Console(stream, stream), stop)
                      .run();
                }
              },
              work -> new Thread(work, "live of a test").start());
    }

    String said() {
      return said.toString(StandardCharsets.UTF_8);
    }

    CompletableFuture<Void> done() {
      return done;
    }

    @Override
    public void close() {
      stop.ask();
      done.join();
    }
  }

  private final Workbench bench = new Workbench();
  private final Topics topics;
  private final String topic;
  private final Random random = new Random(11);
  private final Map<Integer, Long> offsets = new TreeMap<>();
  private final List<Click> clicks = new ArrayList<>();
  private Optional<RedisServers> servers = Optional.empty();

  LiveBench(
      String servers, Topics topics, String topic, int partitions, Map<String, String> config) {
    this.topics = topics;
    this.topic = topic;
    topics.create(topic, partitions, config);
    for (int partition = 0; partition < partitions; partition++) {
      offsets.put(partition, 0L);
    }
    bench
        .set("kafka.bootstrap.servers", servers)
        .set("live.http-port", "0")
        .set("live.poll", "50ms")
        .set("live.cuts-every", "1h");
    define("");
  }

  Workbench bench() {
    return bench;
  }

  void define(String more) {
    bench.define(
        "live.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { clicks {
          format = kafka, topic = %1$s, table = "events.%1$s", value = json, timestamp = at %2$s
          schema = "user_id BIGINT, at TIMESTAMP, amount DOUBLE, kind STRING, id STRING"
        } }
        feature-views {
          recent { entity = user, source = clicks, where = "kind <> 'noise'", live { segment = 16 }
            features = [
              { name = clicks_1m, aggregate = count, window = 1m }
              { name = spend_1h, aggregate = sum, of = amount, window = 1h, type = double }
              { name = kinds_7d, aggregate = count-distinct, of = kind, window = 7d, type = bigint }
              { name = last_kind, aggregate = last, of = kind, type = string }
            ] }
          total { entity = user, source = clicks, live { segment = 16 }
            features = [ { name = clicks_ever, aggregate = count } ] }
        }
        """
            .formatted(topic, more));
  }

  FeatureView view(String name) {
    return bench.definitions().view(name);
  }

  String topicId() {
    return state().id();
  }

  private TopicState state() {
    try (TopicClient client = new TopicClient(bench.settings().read(KafkaSettings::of), topic)) {
      return client.state();
    }
  }

  /** Writes the record of a base without events, as a push would. */
  void putBase(String view, String version, Map<Integer, Long> cut) {
    LiveBase base =
        LiveDefinition.of(view(view)).toBuilder()
            .setLiveBuckets(BUCKETS)
            .setTopicId(topicId())
            .putAllCut(cut)
            .build();
    VersionRecord record =
        VersionRecord.newBuilder()
            .setFeatureView(view)
            .setVersion(version)
            .setLive(base)
            .setRowFormat(LivePlan.FORMAT)
            .build();
    at(keys().manifests(view), (jedis, key) -> jedis.hset(key, version, ControlJson.print(record)));
  }

  void removeBase(String view, String version) {
    at(keys().manifests(view), (jedis, key) -> jedis.hdel(key, version));
  }

  RedisKeys keys() {
    return bench.settings().read(RedisSettings::of).keys();
  }

  /** Works with a key where it is; a server that is lost comes back. */
  private <T> T at(String key, BiFunction<Jedis, String, T> work) {
    if (servers.isEmpty()) {
      servers = Optional.of(RedisServers.connect(bench.settings(), PATIENCE));
    }
    return servers.get().at(key, jedis -> work.apply(jedis, key));
  }

  Jedis jedis() {
    RedisSettings redis = bench.settings().read(RedisSettings::of);
    return new Jedis(redis.host(), redis.port(), 10_000);
  }

  /** Sends clicks of some users: one in ten late, some that are garbage, noise or nobody's. */
  void send(int count) {
    long now = Values.micros(Instant.now());
    for (int n = 0; n < count; n++) {
      int partition = random.nextInt(offsets.size());
      int kind = random.nextInt(30);
      long offset = offsets.merge(partition, 1L, Long::sum) - 1;
      if (kind == 0) {
        topics.post(topic, partition, "garbage");
        continue;
      }
      int user = 1 + random.nextInt(25);
      long micros =
          now
              - (random.nextInt(10) == 0
                  ? random.nextInt(7_200_000) * 1_000L
                  : random.nextInt(1_000));
      double amount = random.nextInt(1_000) / 7.0;
      String text = kind == 1 ? "noise" : "kind " + kind;
      topics.post(
          topic,
          partition,
          "{\"user_id\": %s, \"at\": \"%s\", \"amount\": %s, \"kind\": \"%s\", \"id\": \"%d\"}"
              .formatted(kind == 2 ? "null" : user, Values.instant(micros), amount, text, n));
      if (kind != 2) {
        clicks.add(new Click(partition, offset, user, micros, amount, text));
      }
    }
    topics.flush();
  }

  void grow(int partitions) {
    topics.grow(topic, partitions);
    for (int partition = offsets.size(); partition < partitions; partition++) {
      offsets.put(partition, 0L);
    }
  }

  Map<Integer, Long> ends() {
    return new TreeMap<>(offsets);
  }

  Run run(String... views) {
    return new Run(views);
  }

  Map<Integer, Progress> progress(String view) {
    Map<String, String> fields =
        at(
            keys().applied(view, LiveDefinition.generation(view(view))),
            (jedis, key) -> jedis.hgetAll(key));
    return Progress.parse(fields);
  }

  /** Waits until all that was sent is applied. */
  void awaitApplied(Run run, String... views) {
    for (String view : views) {
      await()
          .atMost(PATIENCE)
          .until(
              () -> {
                if (run.done().isDone()) {
                  run.done().join();
                  throw new AssertionError("the job has ended: " + run.said());
                }
                return isApplied(view);
              });
    }
  }

  boolean isApplied(String view) {
    Map<Integer, Progress> progress = progress(view);
    return offsets.entrySet().stream()
        .allMatch(
            end ->
                progress.containsKey(end.getKey())
                    && progress.get(end.getKey()).next() == end.getValue());
  }

  /** By user: the features in Redis at a moment. */
  Map<String, List<Object>> answers(String view, Cut base, long moment) {
    Map<String, List<Object>> answers = new TreeMap<>();
    LivePlan plan = LivePlan.of(LiveDefinition.of(view(view)));
    entries(view)
        .forEach(
            (user, entry) -> {
              LiveAnswer answer = new LiveAnswer(plan, base, moment);
              answer.addLive(Token.cells(entry));
              if (answer.isThere()) {
                List<Object> values = new ArrayList<>();
                for (int i = 0; i < plan.features(); i++) {
                  Object value = answer.value(i);
                  values.add(
                      value instanceof byte[] text
                          ? new String(text, StandardCharsets.UTF_8)
                          : String.valueOf(value));
                }
                answers.put(user, values);
              }
            });
    return answers;
  }

  /** By user: the live cells in Redis. */
  Map<String, byte[]> entries(String view) {
    String prefix =
        keys().bucketPrefix(view, RedisKeys.liveVersion(LiveDefinition.generation(view(view))));
    Map<String, byte[]> entries = new TreeMap<>();
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
      at(prefix + bucket, (jedis, key) -> jedis.hgetAll(key.getBytes(StandardCharsets.UTF_8)))
          .forEach((id, entry) -> entries.put(new String(id, StandardCharsets.UTF_8), entry));
    }
    return entries;
  }

  /** The same by brute force. */
  Map<String, List<Object>> expected(String view, Cut base, long moment) {
    Map<String, List<Click>> byUser = new TreeMap<>();
    for (Click click : clicks) {
      boolean isNoise = view.equals("recent") && click.kind().equals("noise");
      if (!isNoise && click.offset() >= base.next(click.partition()) && click.micros() <= moment) {
        byUser.computeIfAbsent(Integer.toString(click.user()), u -> new ArrayList<>()).add(click);
      }
    }
    Map<String, List<Object>> expected = new TreeMap<>();
    byUser.forEach(
        (user, all) -> {
          if (view.equals("total")) {
            expected.put(user, List.of(Long.toString(all.size())));
            return;
          }
          List<Click> hour = within(all, moment, 60_000_000L, 60);
          BigDecimal sum = BigDecimal.ZERO;
          for (Click click : hour) {
            sum = sum.add(new BigDecimal(click.amount()));
          }
          Click last =
              all.stream()
                  .max(
                      Comparator.comparingLong(Click::micros)
                          .thenComparingInt(Click::partition)
                          .thenComparingLong(Click::offset))
                  .orElseThrow();
          expected.put(
              user,
              List.of(
                  Integer.toString(within(all, moment, 1_000_000L, 60).size()),
                  hour.isEmpty() ? "null" : Double.toString(sum.doubleValue()),
                  Long.toString(
                      within(all, moment, 3_600_000_000L, 168).stream()
                          .map(Click::kind)
                          .distinct()
                          .count()),
                  last.kind()));
        });
    return expected;
  }

  private static List<Click> within(List<Click> all, long moment, long resolution, int cells) {
    long present = Math.floorDiv(moment, resolution);
    return all.stream()
        .filter(click -> Math.floorDiv(click.micros(), resolution) > present - cells)
        .toList();
  }

  /** Asserts that what is in Redis is what was sent, seen from some bases, now. */
  void assertExact(String view, Cut... bases) {
    for (Cut base : bases) {
      long moment = Values.micros(Instant.now());
      assertThat(answers(view, base, moment))
          .as("%s from %s", view, base)
          .isEqualTo(expected(view, base, moment));
    }
  }
}
