package dev.tarn.serving.lookup;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.statuses;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.layer.Layer;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Checks hot rows in the server's memory. Redis counts the HGETs that it gets. */
class TestNearCache extends ServingTest {

  private static final String VIEW = "activity";

  private static final Layer LAYER =
      Layers.of(
              new RedisKeys("tarn"),
              VersionRecord.newBuilder().setBuckets(1).setAsOf(Timestamps.EPOCH).build())
          .base();

  private final Instant baseAsOf = pushes.asOf().minus(Duration.ofHours(24));

  TestNearCache() {
    super(RedisFixture.start());
  }

  @Test
  void anEntityThatWasAskedForIsNotAskedOfRedisAgain() {
    view().row("u1", 1L).row("u2", 1L).write("v1");
    start("v1", 1 << 20);
    GetOnlineFeaturesResponse first = server.ask("u1", "u2");
    long asked = hgets();

    assertThat(server.ask("u1", "u2")).isEqualTo(first);
    assertThat(server.ask("u2").getResultsOrThrow("u2")).isEqualTo(first.getResultsOrThrow("u2"));

    assertThat(hgets()).isEqualTo(asked);
    assertThat(cache().misses()).isEqualTo(2);
    assertThat(cache().hits()).isEqualTo(3);
  }

  @Test
  void onlyWhatIsNotThereIsAskedOfRedis() {
    view().row("u1", 1L).row("u2", 2L).row("u3", 3L).write("v1");
    start("v1", 1 << 20);
    var unused = server.ask("u2");
    long asked = hgets();

    GetOnlineFeaturesResponse answer = server.ask("u1", "u2", "u3");

    assertThat(hgets() - asked).isEqualTo(2);
    for (int i = 1; i <= 3; i++) {
      assertThat(number(answer, "u" + i)).isEqualTo(i);
    }
  }

  @Test
  void thatAnEntityIsUnknownIsKeptToo() {
    view().row("u1", 1L).write("v1");
    start("v1", 1 << 20);
    var unused = server.ask("nobody");
    long asked = hgets();

    assertThat(statuses(server.ask("nobody").getResultsOrThrow("nobody")))
        .containsOnly(entry("n", "NOT_FOUND"));

    assertThat(hgets()).isEqualTo(asked);
  }

  @Test
  void aReleaseIsSeenAtOnceAndSoIsTheWayBack() {
    view().row("u1", 1L).write("v1");
    view().row("u1", 2L).write("v2");
    start("v1", 1 << 20);
    for (int flip = 0; flip < 20; flip++) {
      String version = flip % 2 == 0 ? "v2" : "v1";
      pushes.release(VIEW, version);
      soon().until(() -> server.ask("u1").getVersions(0).getVersion().equals(version));

      assertThat(number()).isEqualTo(flip % 2 == 0 ? 2 : 1);
    }
    assertThat(cache().misses()).isEqualTo(2);
  }

  @Test
  void anOverlayDecidesOverRowsOfItsBaseThatAreHere() {
    view().asOf(baseAsOf).row("same", 1L).row("changed", 1L).row("gone", 1L).write("v1");
    view().over("v1", baseAsOf).row("changed", 2L).row("new", 2L).removed("gone").write("v2");
    start("v1", 1 << 20);
    var unused = server.ask("same", "changed", "gone", "new");
    pushes.release(VIEW, "v2");
    soon().until(() -> server.ask("same").getVersions(0).getVersion().equals("v2"));
    long asked = hgets();

    for (int time = 0; time < 2; time++) {
      GetOnlineFeaturesResponse answer = server.ask("same", "changed", "gone", "new");
      assertThat(number(answer, "same")).isEqualTo(1);
      assertThat(number(answer, "changed")).isEqualTo(2);
      assertThat(number(answer, "new")).isEqualTo(2);
      assertThat(answer.getResultsOrThrow("gone").getFeaturesMap()).isEmpty();
    }
    // Only the overlay's other three rows are read; those of the base are here already.
    assertThat(hgets() - asked).isEqualTo(3);
  }

  @Test
  void itIsBoundedInBytes() {
    int limit = 100_000;
    Pushes.View view = view();
    for (int i = 0; i < 1_000; i++) {
      view.row("u" + i, (long) i);
    }
    view.write("v1");
    start("v1", limit);

    for (int time = 0; time < 3; time++) {
      GetOnlineFeaturesResponse answer =
          server.ask(IntStream.range(0, 1_000).mapToObj(i -> "u" + i).toArray(String[]::new));
      for (int i = 0; i < 1_000; i++) {
        assertThat(number(answer, "u" + i)).isEqualTo(i);
      }
    }

    assertThat(cache().bytes()).isBetween(limit / 2L, (long) limit);
    assertThat(cache().entries()).isBetween(limit / 2L / 210, limit / 200L);
  }

  @Test
  void itStaysWithinItsBytesWhileManyThreadsFillIt() throws Exception {
    int threads = 4;
    int requests = 2_000;
    int rows = 50;
    NearCache cache = new NearCache(100_000);
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> all =
          IntStream.range(0, threads)
              .<Future<?>>mapToObj(
                  thread ->
                      executor.submit(
                          () -> {
                            for (int request = 0; request < requests; request++) {
                              fill(cache, "%d of %d: ".formatted(request, thread), rows);
                            }
                          }))
              .toList();
      for (Future<?> one : all) {
        one.get();
      }
    } finally {
      executor.shutdownNow();
    }

    // This comes before asking how full the cache is, because asking makes it evict.
    assertThat(cache.evictions()).isPositive();
    assertThat(cache.bytes()).isLessThanOrEqualTo(100_000);
  }

  @Test
  void whenItIsFullWhatIsHotComesInAllTheSame() {
    NearCache cache = new NearCache(100_000);
    for (int request = 0; request < 100; request++) {
      fill(cache, "once, " + request + ": ", 50);
    }
    assertThat(cache.evictions()).isPositive();
    for (int request = 0; request < 400; request++) {
      fill(cache, "hot: ", 50);
      fill(cache, "once more, " + request + ": ", 50);
    }

    long before = cache.hits();
    fill(cache, "hot: ", 50);

    // The cache is asked for them twice.
    assertThat(cache.hits() - before).isGreaterThan(90);
  }

  /** Asks for rows and gives the cache those that it did not have, as a lookup does. */
  private static void fill(NearCache cache, String prefix, int count) {
    NearCache.Key[] keys =
        IntStream.range(0, count)
            .mapToObj(i -> new NearCache.Key("redis", LAYER, utf8(prefix + i)))
            .toArray(NearCache.Key[]::new);
    byte[][] rows = new byte[count][];
    boolean[] isKnown = cache.fill(keys, rows);
    for (int i = 0; i < count; i++) {
      rows[i] = utf8("row of " + prefix + i);
    }
    cache.put(keys, rows, isKnown);
    byte[][] again = new byte[count][];
    boolean[] isKnownNow = cache.fill(keys, again);
    for (int i = 0; i < count; i++) {
      if (isKnownNow[i]) {
        assertThat(again[i]).isEqualTo(rows[i]);
      }
    }
  }

  @Test
  void anotherRedisUnderTheSameNamesIsNotAnsweredFromTheOldOnesRows() {
    view().row("u1", 1L).write("v1");
    start("v1", 1 << 20);
    assertThat(number()).isEqualTo(1);

    redis.stop();
    redis.restart();
    view().row("u1", 2L).write("v1");
    pushes.release(VIEW, "v1");

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(2));
  }

  @Test
  void withoutRedisItAnswersNothing() {
    view().row("u1", 1L).write("v1");
    start("v1", 1 << 20);
    assertThat(number()).isEqualTo(1);

    redis.stop();

    soon().until(() -> server.server().trouble().isPresent());
    assertThat(server.refusal(ServerFixture.request("u1")).getCode())
        .isEqualTo(Status.Code.UNAVAILABLE);
  }

  @Test
  void aRowThatDoesNotDecodeStaysOneEachTime() {
    view().row("u1", 1L).write("v1");
    pushes.overwriteRow(VIEW, "v1", "u1", utf8("\0"));
    start("v1", 1 << 20);

    for (int time = 0; time < 2; time++) {
      assertThat(statuses(server.ask("u1").getResultsOrThrow("u1")))
          .containsOnly(entry("n", "NOT_FOUND"));
    }
  }

  @Test
  void thereIsNoneByDefault() {
    view().row("u1", 1L).write("v1");
    pushes.release(VIEW, "v1");
    serve();
    var unused = server.ask("u1");
    long asked = hgets();

    assertThat(number()).isEqualTo(1);

    assertThat(hgets() - asked).isEqualTo(1);
    assertThat(server.server().nearCache()).isEmpty();
  }

  private Pushes.View view() {
    return pushes.view(VIEW, "user").feature("n", Kind.KIND_BIGINT);
  }

  private void start(String version, long bytes) {
    pushes.release(VIEW, version);
    serve("near-cache-bytes = " + bytes);
  }

  private NearCache cache() {
    return server.server().nearCache().orElseThrow();
  }
}
