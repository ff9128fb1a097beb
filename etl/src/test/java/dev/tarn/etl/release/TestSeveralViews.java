package dev.tarn.etl.release;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.Scores;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.embedded.RedisServer;

class TestSeveralViews {

  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String[] VIEWS = {"a", "b", "c"};

  @Test
  void severalViewsAreReleasedInOneInstant() throws Exception {
    Workbench bench = built(20, 20, 20);
    String key = bench.redis().settings().keys().release();
    AtomicBoolean isDone = new AtomicBoolean();
    ExecutorService thread = Executors.newSingleThreadExecutor();
    Future<List<Map<String, String>>> reader =
        thread.submit(
            () -> {
              List<Map<String, String>> seen = new ArrayList<>();
              try (Jedis jedis = OnlineCopy.jedis(bench)) {
                while (!isDone.get()) {
                  Map<String, String> now = jedis.hgetAll(key);
                  if (seen.isEmpty() || !seen.get(seen.size() - 1).equals(now)) {
                    seen.add(now);
                  }
                }
              }
              return seen;
            });
    int rounds = 5;
    List<Map<String, String>> released = new ArrayList<>();
    released.add(Map.of());
    for (int round = 1; round <= rounds; round++) {
      // Another age is answered in another way, so each round makes three new versions.
      define(bench, round);
      List<Push.Outcome> outcomes = bench.push(Push.Request.NEWEST, VIEWS);
      assertThat(outcomes).extracting(Push.Outcome::pushed).containsOnly(true);
      assertThat(outcomes)
          .extracting(outcome -> outcome.record().getFeatureView())
          .containsExactly(VIEWS);
      try (Jedis jedis = OnlineCopy.jedis(bench)) {
        released.add(jedis.hgetAll(key));
      }
    }
    isDone.set(true);
    // Every state that there was is one that a push has left: none has views of two pushes.
    assertThat(released).containsSubsequence(reader.get());
    assertThat(reader.get()).hasSizeGreaterThan(1);
    thread.shutdown();
    for (Map<String, String> state : released.subList(1, released.size())) {
      assertThat(state).containsOnlyKeys(VIEWS);
      assertThat(state.values())
          .extracting(entry -> Release.parse(entry).releasedAt())
          .hasSize(3)
          .containsOnly(Release.parse(state.get("a")).releasedAt());
      assertThat(new HashSet<>(state.values())).hasSize(3);
    }
    for (String view : VIEWS) {
      OnlineCopy.assertServedAsInIceberg(bench, view);
      OnlineCopy.assertNoForeignKeys(bench, view);
    }
  }

  @Test
  void whereOneViewHasNoRowsNoneIsWritten() {
    Workbench bench = built(20, 20, 0);
    assertThatThrownBy(() -> bench.push(Push.Request.NEWEST, VIEWS))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("c: snapshot ")
        .hasMessageContaining("has no rows");
    assertNothingIsLeft(bench);
    // The others by themselves are.
    bench.push(Push.Request.NEWEST, "a", "b");
    assertThat(bench.versions().releases()).containsOnlyKeys("a", "b");
  }

  @Test
  void whereTheLastViewFailsWhatWasWrittenOfTheOthersIsRemoved() {
    RedisServer redis = Workbench.startRedis(Map.of());
    try {
      Workbench bench = built(200, 200, 60_000);
      bench.set("redis.port", redis.ports().get(0).toString());
      try (Jedis jedis = OnlineCopy.jedis(bench)) {
        long used =
            jedis
                .info("memory")
                .lines()
                .filter(line -> line.startsWith("used_memory:"))
                .mapToLong(line -> Long.parseLong(line.substring("used_memory:".length())))
                .sum();
        jedis.configSet("maxmemory", Long.toString(used + 300_000));
        assertThatThrownBy(() -> bench.push(Push.Request.NEWEST, VIEWS))
            .isInstanceOf(TarnException.class)
            .hasMessageStartingWith("c: about ");
        assertNothingIsLeft(bench);
        jedis.configSet("maxmemory", "0");
      }
      bench.push(Push.Request.NEWEST, VIEWS);
      assertThat(bench.versions().releases()).containsOnlyKeys(VIEWS);
    } finally {
      Workbench.stop(redis);
    }
  }

  @Test
  void viewsThatAreReleasedAlreadyDoNotKeepTheOthersBack() {
    Workbench bench = built(20, 20, 20);
    VersionRecord first = bench.push("b").record();
    bench.output();
    assertThat(bench.run("push", "views=a,b,c,a", "format=json")).isZero();
    String printed = bench.output();
    JsonObject json =
        JsonParser.parseString(printed.substring(0, printed.indexOf('\n'))).getAsJsonObject();
    assertThat(json.keySet()).containsExactly("feature_views");
    JsonArray views = json.getAsJsonArray("feature_views");
    assertThat(views).hasSize(3);
    Set<String> states = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      JsonObject view = views.get(i).getAsJsonObject();
      String name = view.get("feature_view").getAsString();
      VersionRecord record = OnlineCopy.released(bench, name);
      assertThat(view.keySet())
          .containsExactlyInAnyOrder(
              "feature_view",
              "state",
              "version",
              "snapshot_id",
              "as_of",
              "pushed",
              "mode",
              "reason",
              "rows",
              "rows_written",
              "bytes",
              "write_seconds",
              "read_back_seconds",
              "release_seconds",
              "seconds");
      boolean isPushed = !name.equals("b");
      assertThat(view.get("version").getAsString()).isEqualTo(record.getVersion());
      assertThat(view.get("snapshot_id").getAsString())
          .isEqualTo(Long.toString(record.getSnapshotId()));
      assertThat(view.get("as_of").getAsString()).isEqualTo(MONDAY);
      assertThat(view.get("pushed").getAsBoolean()).isEqualTo(isPushed);
      assertThat(view.get("mode").getAsString()).isEqualTo(isPushed ? "full" : "");
      assertThat(view.get("rows").getAsLong()).isEqualTo(20);
      assertThat(view.get("rows_written").getAsLong()).isEqualTo(isPushed ? 20 : 0);
      states.add(name + " " + view.get("state").getAsString());
    }
    assertThat(views)
        .extracting(view -> view.getAsJsonObject().get("feature_view").getAsString())
        .containsExactly(VIEWS);
    assertThat(states).containsExactlyInAnyOrder("a released", "b released already", "c released");
    assertThat(OnlineCopy.released(bench, "b")).isEqualTo(first);

    assertThat(bench.run("push", "view=a", "views=b")).isEqualTo(2);
    assertThat(bench.run("push")).isEqualTo(2);
    assertThat(bench.run("push", "views=a,b", "snapshot=1")).isEqualTo(2);
    assertThat(bench.output())
        .contains("push needs view=… or views=…,…")
        .contains("snapshot= is of one feature view; push it with view=");
  }

  @Test
  void whereAllViewsArePinnedNothingIsWritten() {
    Workbench bench = built(20, 20, 20);
    bench.push(Push.Request.NEWEST, "a", "b");
    define(bench, 1);
    bench.push(Push.Request.NEWEST, "a", "b");
    assertThat(bench.run("rollback", "view=a")).isZero();
    assertThat(bench.run("rollback", "view=b")).isZero();
    Map<String, Release> released = bench.versions().releases();
    List<VersionRecord> kept = records(bench, "a", "b");
    bench.output();

    define(bench, 2);
    assertThat(bench.run("push", "views=a,b", "format=json")).isZero();
    String printed = bench.output();
    JsonArray views =
        JsonParser.parseString(printed.substring(0, printed.indexOf('\n')))
            .getAsJsonObject()
            .getAsJsonArray("feature_views");
    assertThat(views)
        .extracting(
            view -> view.getAsJsonObject().get("feature_view").getAsString(),
            view -> view.getAsJsonObject().get("state").getAsString(),
            view -> view.getAsJsonObject().get("version").getAsString())
        .containsExactly(
            tuple("a", "pinned", released.get("a").version()),
            tuple("b", "pinned", released.get("b").version()));
    assertThat(printed)
        .contains("a: pinned to " + released.get("a").version())
        .contains("b: pinned to " + released.get("b").version());
    assertThat(bench.versions().releases()).isEqualTo(released);
    assertThat(records(bench, "a", "b")).isEqualTo(kept);
    OnlineCopy.assertNoForeignKeys(bench, "a");
    OnlineCopy.assertNoForeignKeys(bench, "b");

    // What is kept is released again in the same instant as what has to be written.
    define(bench, 1);
    bench.build("b", MONDAY);
    assertThat(bench.run("unpin", "view=a")).isZero();
    assertThat(bench.run("unpin", "view=b")).isZero();
    List<Push.Outcome> outcomes = bench.push(Push.Request.NEWEST, "a", "b");
    assertThat(outcomes).extracting(Push.Outcome::mode).containsExactly("kept", "full");
    assertThat(outcomes).extracting(Push.Outcome::rowsWritten).containsExactly(0L, 20L);
    released = bench.versions().releases();
    assertThat(released.get("a").releasedAt()).isEqualTo(released.get("b").releasedAt());
    for (String view : List.of("a", "b")) {
      OnlineCopy.assertServedAsInIceberg(bench, view);
      OnlineCopy.assertNoForeignKeys(bench, view);
    }
  }

  private static List<VersionRecord> records(Workbench bench, String... views) {
    return List.of(views).stream()
        .flatMap(view -> bench.versions().records(view).stream())
        .toList();
  }

  private static void assertNothingIsLeft(Workbench bench) {
    assertThat(bench.versions().releases()).isEmpty();
    for (String view : VIEWS) {
      OnlineCopy.assertNoForeignKeys(bench, view);
      assertThat(bench.versions().records(view)).isEmpty();
      assertThat(FeatureTable.find(bench.lake().catalog(), view).orElseThrow().iceberg().refs())
          .containsOnlyKeys("main");
    }
    assertThat(bench.versions().events()).isEmpty();
  }

  /** The views a, b and c of so many users each. */
  private static Workbench built(int... users) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    Scores.query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '2026-01-05' AS at, id AS points, name
        FROM range(60000), VALUES ('a', %d), ('b', %d), ('c', %d) AS views(name, users)
        WHERE id < users
        """
            .formatted(users[0], users[1], users[2]));
    define(bench, 0);
    for (String view : VIEWS) {
      bench.build(view, MONDAY);
    }
    return bench;
  }

  private static void define(Workbench bench, int age) {
    String views =
        List.of(VIEWS).stream()
            .map(
                view ->
                    """
                    %1$s {
                      entity = user
                      sources = [scores]
                      sql = "SELECT user_id, points AS points_%1$s FROM scores WHERE at = :as_of AND name = '%1$s'"
                      features = [{ name = points_%1$s, type = bigint }]
                      max-age = %2$dd
                    }
                    """
                        .formatted(view, 100 + age))
            .collect(Collectors.joining());
    bench.define(
        "scores.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { scores { format = parquet, path = "%s" } }
        feature-views { %s }
        """
            .formatted(bench.path("scores"), views));
  }
}
