package dev.tarn.serving.world;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.logged;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.statuses;
import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.Values;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks versions that hold only what differs from another version. */
class TestOverlays extends ServingTest {

  /** Names the view in the log, which all tests share. */
  private final String view = unique("overlaid");

  private final Instant baseAsOf = pushes.asOf().minus(Duration.ofHours(24));

  @Test
  void theOverlayDecidesAndTheBaseAnswersTheRest() {
    base().row("same", 1L).row("changed", 1L).row("gone", 1L).write("v1");
    overlay().row("changed", 2L).row("new", 2L).removed("gone").write("v2");
    start("v2");

    GetOnlineFeaturesResponse answer = server.ask("same", "changed", "new", "gone", "nobody");

    assertThat(number(answer, "same")).isEqualTo(1);
    assertThat(number(answer, "changed")).isEqualTo(2);
    assertThat(number(answer, "new")).isEqualTo(2);
    for (String id : List.of("gone", "nobody")) {
      FeatureSet set = answer.getResultsOrThrow(id);
      assertThat(set.getFeaturesMap()).isEmpty();
      assertThat(statuses(set)).containsOnly(entry("n", "NOT_FOUND"));
    }
  }

  @Test
  void anEntityThatIsGoneFromOneViewHasTheDefaultsOfThatView() {
    pushes
        .view("other", "user")
        .feature("d", Kind.KIND_BIGINT, Values.ofLong(7))
        .asOf(baseAsOf)
        .row("u1", 1L)
        .write("v1");
    pushes
        .view("other", "user")
        .feature("d", Kind.KIND_BIGINT, Values.ofLong(7))
        .over("v1", baseAsOf)
        .removed("u1")
        .write("v2");
    base().row("u1", 1L).write("v1");
    pushes.release(Map.of("other", "v2", view, "v1"));
    serve();

    FeatureSet set = server.ask("u1").getResultsOrThrow("u1");

    assertThat(values(set)).containsOnly(entry("n", 1.0), entry("d", 7.0));
    assertThat(statuses(set)).containsOnly(entry("d", "NOT_FOUND"));
  }

  @Test
  void theAnswerNamesTheOverlayAndTheListItsRows() {
    base().row("u1", 1L).row("u2", 1L).write("v1");
    overlay()
        .row("u1", 2L)
        .snapshot(8_734_650_112_377_221_634L)
        .with(record -> record.setRows(2))
        .write("v2");
    Instant releasedAt = pushes.release(view, "v2");
    serve();

    assertThat(server.ask("u2").getVersionsList())
        .containsExactly(
            ViewVersion.newBuilder()
                .setFeatureView(view)
                .setVersion("v2")
                .setSnapshotId(8_734_650_112_377_221_634L)
                .setAsOf(Timestamps.fromMicros(Values.micros(pushes.asOf())))
                .setReleasedAt(Timestamps.fromMillis(releasedAt.toEpochMilli()))
                .build());
    assertThat(
            server
                .stub()
                .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
                .getFeatureViews(0)
                .getRows())
        .isEqualTo(2);
  }

  /** Counts flushes: each packet of the server is one read of Redis, as it sends nothing else. */
  @Test
  void overlayAndBaseAreOneRoundTrip() {
    RedisFixture own = RedisFixture.start();
    useInstead(own, own.settings());
    String[] ids = IntStream.range(0, 20).mapToObj(i -> "u" + i).toArray(String[]::new);
    Pushes.View base = base();
    for (String id : ids) {
      base.row(id, 1L);
    }
    base.write("v1");
    overlay().row("u3", 2L).removed("u4").write("v2");
    pushes.release(view, "v2");
    serve("poll = 1h");
    var unused = server.ask(ids);
    long reads = stat("stats", "total_reads_processed:");
    long hgets = hgets();

    assertThat(server.ask(ids).getResultsMap()).hasSize(20);

    // Two more are INFO: one for the HGETs above and one for this count.
    assertThat(stat("stats", "total_reads_processed:") - reads).isEqualTo(1 + 2);
    assertThat(hgets() - hgets).isEqualTo(40);
  }

  @Test
  void eachRowIsOfTheAsOfOfItsOwnVersion() {
    base().row("base", 1L).rowAt(baseAsOf.minusSeconds(5), "older", 1L).write("v1");
    overlay().row("own", 2L).write("v2");
    start("v2");

    assertThat(eventOf("base")).isEqualTo(baseAsOf);
    assertThat(eventOf("older")).isEqualTo(baseAsOf.minusSeconds(5));
    assertThat(eventOf("own")).isEqualTo(pushes.asOf());
  }

  @Test
  void aRowOfTheBaseThatIsCarriedForwardIsAsYoungAsTheOverlay() {
    base()
        .row("unchanged", 1L)
        .rowAt(baseAsOf.minus(Duration.ofHours(1)), "left", 1L)
        .row("changed", 1L)
        .write("v1");
    overlay()
        .with(record -> record.setCarriesForward(true))
        .maxAge(Duration.ofHours(2))
        .row("changed", 2L)
        .rowAt(pushes.asOf().minus(Duration.ofHours(3)), "stale", 2L)
        .write("v2");
    start("v2");

    GetOnlineFeaturesResponse answer = server.ask("unchanged", "left", "changed", "stale");

    assertThat(number(answer, "unchanged")).isEqualTo(1);
    assertThat(number(answer, "changed")).isEqualTo(2);
    assertThat(eventOf("unchanged")).isEqualTo(pushes.asOf());
    for (String id : List.of("left", "stale")) {
      assertThat(statuses(answer.getResultsOrThrow(id)))
          .containsOnly(entry("n", "OUTSIDE_MAX_AGE"));
    }
    assertThat(eventOf("left")).isEqualTo(baseAsOf.minus(Duration.ofHours(1)));
  }

  @Test
  void withoutCarryingForwardARowOfTheBaseGrowsTooOld() {
    base().row("u1", 1L).write("v1");
    overlay().maxAge(Duration.ofHours(2)).write("v2");
    start("v2");

    assertThat(statuses(server.ask("u1").getResultsOrThrow("u1")))
        .containsOnly(entry("n", "OUTSIDE_MAX_AGE"));
  }

  @Test
  void anOverlayInWhichNothingDiffersIsItsBase() {
    base().row("u1", 1L).write("v1");
    overlay().with(record -> record.setBuckets(0).setCarriesForward(true)).write("v2");
    start("v2");

    GetOnlineFeaturesResponse answer = server.ask("u1", "nobody");

    assertThat(number(answer, "u1")).isEqualTo(1);
    assertThat(answer.getVersions(0).getVersion()).isEqualTo("v2");
    assertThat(statuses(answer.getResultsOrThrow("nobody"))).containsOnly(entry("n", "NOT_FOUND"));
    assertThat(eventOf("u1")).isEqualTo(pushes.asOf());
  }

  @Test
  void overlayAndBaseMayHaveDifferentNumbersOfBuckets() {
    Pushes.View base = base();
    IntStream.range(0, 100).forEach(i -> base.row("u" + i, 1L));
    base.write("v1");
    Pushes.View overlay = overlay().with(record -> record.setBuckets(1));
    IntStream.range(0, 10).forEach(i -> overlay.row("u" + i, 2L));
    overlay.write("v2");
    start("v2");

    GetOnlineFeaturesResponse answer =
        server.ask(IntStream.range(0, 100).mapToObj(i -> "u" + i).toArray(String[]::new));

    for (int i = 0; i < 100; i++) {
      assertThat(number(answer, "u" + i)).isEqualTo(i < 10 ? 2 : 1);
    }
  }

  @Test
  void aCorruptRowOfTheOverlayIsNotAnsweredFromTheBase() {
    base().row("u1", 1L).write("v1");
    overlay().row("u1", 2L).write("v2");
    pushes.overwriteRow(view, "v2", "u1", new byte[] {0});
    start("v2");

    FeatureSet set = server.ask("u1").getResultsOrThrow("u1");

    assertThat(set.getFeaturesMap()).isEmpty();
    assertThat(statuses(set)).containsOnly(entry("n", "NOT_FOUND"));
    assertThat(logged("'" + view + "'")).singleElement().asString().contains(corruptIn("v2"));
  }

  @Test
  void anEmptyRowOfTheBaseIsCorrupt() {
    base().row("u1", 1L).write("v1");
    overlay().row("u2", 2L).write("v2");
    pushes.overwriteRow(view, "v1", "u1", new byte[0]);
    start("v2");

    assertThat(statuses(server.ask("u1").getResultsOrThrow("u1")))
        .containsOnly(entry("n", "NOT_FOUND"));
    assertThat(logged("'" + view + "'")).singleElement().asString().contains(corruptIn("v1"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"own buckets", "buckets", "version", "as_of"})
  void aManifestThatLacksPartsOfItsBaseIsNotServed(String lacking) {
    base().row("u1", 1L).write("v1");
    overlay().with(record -> takeAway(record, lacking)).write("v2");
    start("v1");

    pushes.release(view, "v2");

    String problem =
        lacking.equals("own buckets")
            ? "its version record lacks buckets or as_of"
            : "the base in its version record lacks buckets, version or as_of";
    soon()
        .untilAsserted(
            () ->
                assertThat(logged("'" + view + "'"))
                    .singleElement()
                    .asString()
                    .endsWith("can't be served: %s; answering from 'v1'".formatted(problem)));
    assertThat(number(server.ask("u1"), "u1")).isEqualTo(1);
  }

  @Test
  void rollbacksBetweenAnOverlayAndItsBaseMixNoAnswer() throws Exception {
    base().row("same", 1L).row("changed", 1L).row("gone", 1L).write("v1");
    overlay().row("changed", 2L).removed("gone").write("v2");
    start("v1");

    AtomicBoolean isDone = new AtomicBoolean();
    ExecutorService clients = Executors.newFixedThreadPool(2);
    List<Future<List<String>>> seen = new ArrayList<>();
    for (int client = 0; client < 2; client++) {
      seen.add(clients.submit(() -> askUntil(isDone)));
    }
    for (int flip = 0; flip < 50; flip++) {
      String version = flip % 2 == 0 ? "v2" : "v1";
      pushes.release(view, version);
      soon().until(() -> server.ask("same").getVersions(0).getVersion().equals(version));
    }
    isDone.set(true);

    for (Future<List<String>> client : seen) {
      assertThat(client.get()).contains("v1", "v2");
    }
    clients.shutdown();
  }

  /** Returns the version of each answer, and checks that all of the answer is of that version. */
  private List<String> askUntil(AtomicBoolean isDone) {
    List<String> versions = new ArrayList<>();
    while (!isDone.get()) {
      GetOnlineFeaturesResponse answer = server.ask("same", "changed", "gone");
      String version = answer.getVersions(0).getVersion();
      boolean isBase = version.equals("v1");
      assertThat(number(answer, "same")).isEqualTo(1);
      assertThat(number(answer, "changed")).isEqualTo(isBase ? 1 : 2);
      assertThat(answer.getResultsOrThrow("gone").getFeaturesCount()).isEqualTo(isBase ? 1 : 0);
      versions.add(version);
    }
    return versions;
  }

  private static void takeAway(VersionRecord.Builder record, String part) {
    switch (part) {
      case "own buckets" -> record.setBuckets(-1);
      case "buckets" -> record.getBaseBuilder().clearBuckets();
      case "version" -> record.getBaseBuilder().clearVersion();
      default -> record.getBaseBuilder().clearAsOf();
    }
  }

  private Pushes.View base() {
    return pushes.view(view, "user").feature("n", Kind.KIND_BIGINT).asOf(baseAsOf);
  }

  private Pushes.View overlay() {
    return pushes.view(view, "user").feature("n", Kind.KIND_BIGINT).over("v1", baseAsOf);
  }

  private void start(String version) {
    pushes.release(view, version);
    serve();
  }

  private String corruptIn(String version) {
    return "version '%s': a row in bucket %d is corrupt"
        .formatted(version, RedisKeys.bucketOf(utf8("u1"), Pushes.BUCKETS));
  }

  private Instant eventOf(String id) {
    return Values.instant(
        Timestamps.toMicros(
            server
                .ask(request(id).setIncludeEventTimestamps(true))
                .getResultsOrThrow(id)
                .getEventTimestampsOrThrow(view)));
  }
}
