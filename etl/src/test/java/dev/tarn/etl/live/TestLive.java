package dev.tarn.etl.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.archive.Topics;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.live.LiveBench.Run;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.kafka.KafkaBroker;
import dev.tarn.live.Cut;
import dev.tarn.live.Progress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.embedded.RedisServer;

/** The live job against a real broker and a real Redis. */
class TestLive {

  private static final Cut START = Cut.of(0, 0, 0, 0);
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private static KafkaBroker broker;
  private static Topics topics;

  @BeforeAll
  static void startKafka() {
    broker = KafkaBroker.start();
    topics = new Topics(broker);
  }

  @AfterAll
  static void stopKafka() {
    topics.close();
    broker.close();
  }

  @Test
  void whatIsSentIsInRedis() throws Exception {
    LiveBench live = live("sent", 2);
    live.bench().set("live.cuts-every", "1s");
    live.send(300);
    try (Run run = live.run("recent", "total")) {
      await()
          .atMost(PATIENCE)
          .until(
              () ->
                  run.said()
                      .contains(
                          "recent: there is no base of this definition yet; it waits for ./tarn push view=recent"));
      live.putBase("total", "v1", Map.of());
      live.awaitApplied(run, "total");
      live.assertExact("total", START);
      assertThat(live.entries("recent")).isEmpty();

      // A base that comes later brings the topic's older events with it.
      live.putBase("recent", "v1", Map.of(0, 32L, 1, 16L));
      live.send(300);
      live.awaitApplied(run, "recent", "total");
      Cut base = Cut.of(32, 16);
      live.assertExact("recent", base, Cut.of(64, 16));
      live.assertExact("total", START);
      assertThat(run.said()).contains("recent: live from 0: 32, 1: 16, generation ");
      Progress progress = live.progress("recent").get(0);
      assertThat(progress.from()).isEqualTo(32);

      // A silent partition is complete all the same.
      long through = progress.through();
      await().atMost(PATIENCE).until(() -> live.progress("recent").get(0).through() > through);

      live.grow(3);
      live.send(300);
      live.awaitApplied(run, "recent", "total");
      live.assertExact("recent", base);
      live.assertExact("total", START);

      String metrics = get(run, "/metrics");
      assertThat(metrics)
          .contains("tarn_live_events_total{view=\"total\"} ")
          .contains("tarn_live_lag_offsets{source=\"clicks\",partition=\"2\"} 0\n")
          .contains("tarn_live_write_seconds_count{source=\"clicks\"} ");
      assertThat(number(metrics, "tarn_live_rejected_total{source=\"clicks\"}")).isPositive();
      assertThat(number(metrics, "tarn_live_late_total{view=\"recent\"}")).isPositive();
      assertThat(number(metrics, "tarn_live_without_key_total{view=\"recent\"}")).isPositive();
      assertThat(get(run, "/health")).startsWith("clicks: followed\n");
      try (IcebergCatalog catalog = IcebergCatalog.open(live.bench().settings())) {
        LiveCuts cuts = new LiveCuts(catalog);
        await()
            .atMost(PATIENCE)
            .until(
                () ->
                    cuts.newest("recent")
                        .filter(cut -> cut.cut().offsets().equals(live.ends()))
                        .isPresent());
        LiveCuts.LiveCut newest = cuts.newest("recent").orElseThrow();
        assertThat(newest.generation()).isEqualTo(LiveDefinition.generation(live.view("recent")));
        assertThat(newest.cut().topicId()).isEqualTo(live.topicId());
        assertThat(newest.completeThrough()).isPresent();
        assertThat(cuts.between("recent", newest.at(), newest.at())).containsExactly(newest);
        assertThat(cuts.newest("recent", newest.at().minusNanos(1_000)).map(LiveCuts.LiveCut::at))
            .matches(at -> at.isEmpty() || at.get().isBefore(newest.at()));
        assertThat(cuts.between("recent", Instant.EPOCH, newest.at())).contains(newest);
        assertThat(cuts.newest("other")).isEmpty();
      }
    }
  }

  @Test
  void processesShareThePartitionsAndARestartGoesOn() {
    LiveBench live = live("shared", 4);
    live.putBase("total", "v1", Map.of());
    live.send(200);
    try (Run one = live.run("total")) {
      live.awaitApplied(one, "total");
      try (Run other = live.run("total")) {
        await().atMost(PATIENCE).until(() -> other.said().contains("total: live from "));
        live.send(400);
        live.awaitApplied(one, "total");
      }
      live.send(200);
      live.awaitApplied(one, "total");
    }
    live.assertExact("total", START);
    live.send(200);
    try (Run next = live.run("total")) {
      live.awaitApplied(next, "total");
      assertThat(next.said()).doesNotContain("live from 0: 0,");
    }
    live.assertExact("total", START);
  }

  @Test
  void aRedisThatLosesSomethingGetsItAgain() throws Exception {
    LiveBench live = live("lost", 2);
    Map<String, String> file =
        Map.of("dir", Files.createDirectories(live.bench().path("redis")).toString());
    RedisServer first = Workbench.startRedis(file);
    int port = first.ports().get(0);
    live.bench().set("redis.port", Integer.toString(port));
    live.putBase("total", "v1", Map.of());
    try (Run run = live.run("total")) {
      live.send(200);
      live.awaitApplied(run, "total");
      try (Jedis jedis = live.jedis()) {
        jedis.save();
      }
      live.send(200);
      live.awaitApplied(run, "total");
      // Back to its older file.
      Workbench.stop(first);
      RedisServer second = Workbench.startRedis(port, file);
      try {
        live.send(200);
        live.awaitApplied(run, "total");
        live.assertExact("total", START);
        // Emptied in mid-flight; the push that comes then makes a base again.
        try (Jedis jedis = live.jedis()) {
          jedis.flushAll();
        }
        live.send(100);
        await().atMost(PATIENCE).until(() -> run.said().contains("no version is left"));
        live.putBase("total", "v2", Map.of());
        live.awaitApplied(run, "total");
        live.assertExact("total", START);
      } finally {
        Workbench.stop(second);
      }
    }
  }

  @Test
  void cellsThatNothingNeedsGo() {
    LiveBench live = live("swept", 1);
    live.putBase("total", "v1", Map.of());
    live.send(100);
    String generation = LiveDefinition.generation(live.view("total"));
    try (Run run = live.run("total")) {
      live.awaitApplied(run, "total");
      assertThat(live.entries("total")).isNotEmpty();
    }
    // All kept bases have all events by now.
    live.putBase("total", "v2", Map.of(0, 112L));
    live.removeBase("total", "v1");
    live.send(12);
    try (Run run = live.run("total")) {
      live.awaitApplied(run, "total");
      await().atMost(PATIENCE).until(() -> live.entries("total").isEmpty());
      assertThat(live.progress("total").get(0).from()).isEqualTo(112);
      live.send(20);
      live.awaitApplied(run, "total");
      live.assertExact("total", Cut.of(112));
    }
    try (Jedis jedis = live.jedis()) {
      assertThat(jedis.hgetAll(live.keys().generations("total")))
          .isEqualTo(Map.of(generation, Integer.toString(LiveBench.BUCKETS)));
    }
    live.bench().versions().removeLive("total", generation, LiveBench.BUCKETS, Duration.ZERO);
    await().atMost(PATIENCE).until(() -> live.entries("total").isEmpty());
    try (Jedis jedis = live.jedis()) {
      assertThat(
              jedis.exists(
                  live.keys().generations("total"),
                  live.keys().applied("total", generation),
                  live.keys().runs("total", generation)))
          .isZero();
    }
  }

  @Test
  void aTopicThatIsNoMoreTheSameIsNamed() {
    LiveBench live = live("gone", 1);
    live.putBase("total", "v1", Map.of());
    live.send(50);
    topics.deleteBefore("gone", 0, 20);
    try (Run run = live.run("total")) {
      assertThatThrownBy(() -> run.done().get())
          .hasMessageContaining(
              "topic 'gone' has lost offsets that view 'total' needs: partition 0 begins at offset 20, and 0 is the next to apply.");
    } catch (CompletionException e) {
      // It has ended with that.
    }
    // Bases that have them make up for it.
    live.putBase("total", "v2", Map.of(0, 32L));
    live.removeBase("total", "v1");
    try (Run run = live.run("total")) {
      live.awaitApplied(run, "total");
      live.assertExact("total", Cut.of(32));
    }
    String before = live.topicId();
    topics.delete("gone");
    topics.create("gone", 1);
    try (Run run = live.run("total")) {
      assertThatThrownBy(() -> run.done().get())
          .hasMessageContaining(
              "topic 'gone' of view 'total' is not the one that its base was made from: its id was "
                  + before);
    } catch (CompletionException e) {
      // It has ended with that.
    }
  }

  @Test
  void repeatedEventsAreToldAlsoAfterARestart() {
    LiveBench live =
        new LiveBench(
            broker.address(),
            topics,
            "again",
            1,
            Map.of("message.timestamp.type", "LogAppendTime"));
    live.define(", event-id = id, event-id-horizon = 10m");
    live.putBase("total", "v1", Map.of());
    String event = "{\"user_id\": 1, \"at\": \"%s\", \"id\": \"%s\"}";
    String now = Instant.now().toString();
    topics.send(
        "again",
        0,
        event.formatted(now, "a"),
        event.formatted(now, "b"),
        event.formatted(now, "a"));
    try (Run run = live.run("total")) {
      await().atMost(PATIENCE).until(() -> next(live) == 3);
    }
    topics.send("again", 0, event.formatted(now, "b"), event.formatted(now, "c"));
    try (Run run = live.run("total")) {
      await().atMost(PATIENCE).until(() -> next(live) == 5);
    }
    assertThat(live.answers("total", Cut.of(), Long.MAX_VALUE / 2))
        .isEqualTo(Map.of("1", List.of("3")));

    LiveBench created = live("created", 1);
    created.define(", event-id = id, event-id-horizon = 10m");
    try (Run run = created.run("total")) {
      assertThatThrownBy(() -> run.done().get())
          .hasMessageContaining(
              "topic 'created' of source 'clicks' has message.timestamp.type = CreateTime");
    } catch (CompletionException e) {
      // It has ended with that.
    }
  }

  private static long next(LiveBench live) {
    Progress progress = live.progress("total").get(0);
    return progress == null ? -1 : progress.next();
  }

  private static LiveBench live(String topic, int partitions) {
    return new LiveBench(broker.address(), topics, topic, partitions, Map.of());
  }

  private static String get(Run run, String path) throws Exception {
    Matcher address = Pattern.compile("metrics at (http://\\S+)/metrics").matcher(run.said());
    assertThat(address.find()).isTrue();
    HttpRequest request = HttpRequest.newBuilder(URI.create(address.group(1) + path)).build();
    HttpResponse<String> answer =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    return answer.body();
  }

  private static double number(String metrics, String name) {
    return metrics
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow();
  }
}
