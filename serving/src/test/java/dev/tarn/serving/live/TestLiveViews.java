package dev.tarn.serving.live;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.statuses;
import static dev.tarn.serving.ServerFixture.values;
import static dev.tarn.serving.live.LiveFixture.SECOND;
import static dev.tarn.serving.live.LiveFixture.VIEW;
import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.live.Token;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import dev.tarn.row.Values;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Status;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks lookups of a live view in a real Redis, with bases and live cells made by hand. */
class TestLiveViews extends ServingTest {

  private LiveFixture live;

  @BeforeEach
  void topic() {
    live = new LiveFixture(pushes, settings.keys());
    // u1 has events on both sides of the cut 4, 0; u2 only before it, u3 only behind it.
    live.event("u1", 0, 0, 1L).event("u2", 0, 1, 10L).event("u1", 0, 3, 2L);
    live.event("u1", 0, 4, 4L).event("u3", 1, 0, 100L).event("u1", 1, 1, 8L);
  }

  private void release(String version) {
    pushes.release(VIEW, version);
  }

  private Map<String, Object> features(String id) {
    return values(server.ask(id).getResultsOrThrow(id));
  }

  private static Map<String, Object> features(
      double count, double sum, double max, double avg, double ever) {
    return Map.of(
        "count_1h", count, "sum_1h", sum, "max_1h", max, "avg_1h", avg, "count_ever", ever);
  }

  @Test
  void theBaseAndTheLiveCellsAreOneAnswer() {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    release("v1");
    serve();

    GetOnlineFeaturesResponse answer = server.ask("u1", "u2", "u3", "nobody");

    assertThat(values(answer.getResultsOrThrow("u1"))).isEqualTo(features(4, 15, 8, 3.75, 4));
    assertThat(values(answer.getResultsOrThrow("u2"))).isEqualTo(features(1, 10, 10, 10, 1));
    assertThat(values(answer.getResultsOrThrow("u3"))).isEqualTo(features(1, 100, 100, 100, 1));
    assertThat(answer.getResultsOrThrow("u1").getStatusesMap()).isEmpty();
    assertThat(answer.getResultsOrThrow("nobody").getFeaturesMap()).isEmpty();
    assertThat(statuses(answer.getResultsOrThrow("nobody")))
        .hasSize(5)
        .containsEntry("count_1h", "NOT_FOUND");
    ViewVersion version = answer.getVersions(0);
    assertThat(version.getVersion()).isEqualTo("v1");
    assertThat(Timestamps.toMicros(version.getCompleteThrough()))
        .isEqualTo(live.now() + 3_600 * SECOND);
  }

  @Test
  void aWindowIsThatOfTheQuestion() {
    live.event("u4", 0, 2, live.now() - 7_200 * SECOND, 5L);
    live.event("u4", 0, 5, live.now() + 3_000 * SECOND, 6L);
    live.event("u5", 1, 2, live.now() - 7_200 * SECOND, null);
    live.push("v1", 4, 0).apply(4, 0).upToDate(6, 3);
    release("v1");
    serve();

    // The one is over, the other is of the future.
    assertThat(features("u4")).containsEntry("count_1h", 0.0).containsEntry("count_ever", 1.0);
    FeatureSet old = server.ask("u5").getResultsOrThrow("u5");
    assertThat(values(old))
        .containsEntry("sum_1h", -1.0)
        .containsEntry("max_1h", null)
        .containsEntry("count_ever", 1.0);
    assertThat(statuses(old))
        .containsOnly(
            entry("sum_1h", "NULL_VALUE"),
            entry("max_1h", "NULL_VALUE"),
            entry("avg_1h", "NULL_VALUE"));
  }

  @Test
  void noReleaseAndNoRollbackChangesAValue() {
    live.push("v1", 0, 0).push("v2", 4, 0).push("v3", 4, 4).apply(0, 0).upToDate(5, 2);
    release("v1");
    serve();
    Map<String, Object> before = features("u1");
    assertThat(before).isEqualTo(features(4, 15, 8, 3.75, 4));

    for (String version : List.of("v2", "v3", "v1", "v3", "v2")) {
      release(version);
      soon()
          .untilAsserted(
              () -> {
                GetOnlineFeaturesResponse answer = server.ask("u1", "u2", "u3");
                assertThat(values(answer.getResultsOrThrow("u1"))).isEqualTo(before);
                assertThat(answer.getVersions(0).getVersion()).isEqualTo(version);
              });
    }
  }

  @Test
  void anOverlayDecidesOnTheBaseAndTheLiveCellsAreMergedWithIt() {
    live.push("v1", 0, 0).push("v2", 4, 0).apply(4, 0).upToDate(5, 2);
    pushes.redis().hset(settings.keys().manifests(VIEW), "v2", overlayOf("v1"));
    release("v2");
    serve();

    assertThat(features("u1")).isEqualTo(features(4, 15, 8, 3.75, 4));
    assertThat(features("u3")).isEqualTo(features(1, 100, 100, 100, 1));
  }

  private String overlayOf(String base) {
    String record = pushes.redis().hget(settings.keys().manifests(VIEW), "v2");
    return record.substring(0, record.lastIndexOf('}'))
        + ",\"base\":{\"version\":\"%s\",\"buckets\":4,\"asOf\":\"%s\"}}"
            .formatted(base, pushes.asOf());
  }

  @Test
  void oneLookupReadsBaseAndLiveCellsOnce() {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("a1");
    pushes.release(Map.of(VIEW, "v1", "a", "a1"));
    serve("near-cache-bytes = 1M");
    long before = hgets();

    assertThat(features("u1")).containsEntry("n", 7.0).containsEntry("count_1h", 4.0);
    assertThat(hgets() - before).isEqualTo(3);

    // Of the second only the live cells are asked for: the rest is in the near cache.
    live.event("u1", 1, 2, 16L).apply(4, 0);
    assertThat(features("u1")).containsEntry("n", 7.0).containsEntry("count_1h", 5.0);
    assertThat(hgets() - before).isEqualTo(4);
  }

  @Test
  void theNearCacheNeverKeepsLiveCells() {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    release("v1");
    serve("near-cache-bytes = 1M");
    for (long offset = 2; offset < 30; offset++) {
      double count = offset + 1;
      live.event("u3", 1, offset, 1L).apply(4, 0);
      assertThat(features("u3")).containsEntry("count_1h", count - 1);
    }
  }

  @Test
  void lagComesAndGoes() {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    release("v1");
    serve();
    assertThat(features("u1")).containsEntry("count_1h", 4.0);

    live.progress(1, 0, 2, live.now() - 3_600 * SECOND);

    soon().untilAsserted(() -> assertLagging("u1"));
    // Also of an entity that may be there, and with the values that the definition has instead.
    assertLagging("nobody");
    assertThat(values(server.ask("nobody").getResultsOrThrow("nobody")))
        .isEqualTo(Map.of("sum_1h", -1.0, "avg_1h", 0.5));
    assertThat(Timestamps.toMicros(server.ask("u1").getVersions(0).getCompleteThrough()))
        .isEqualTo(live.now() - 3_600 * SECOND);
    assertThat(server.metrics())
        .hasEntrySatisfying(
            "tarn_live_lag_seconds{feature_view=\"spend\"}",
            lag -> assertThat(lag).isGreaterThan(3_600))
        .hasEntrySatisfying(
            "tarn_lagging_answers_total{feature_view=\"spend\"}",
            count -> assertThat(count).isGreaterThan(2))
        .containsKey("tarn_live_progress_age_seconds");

    live.progress(1, 0, 2, live.now() + 3_600 * SECOND);

    soon().untilAsserted(() -> assertThat(features("u1")).containsEntry("count_1h", 4.0));
  }

  private void assertLagging(String id) {
    assertThat(statuses(server.ask(id).getResultsOrThrow(id)))
        .hasSize(5)
        .containsEntry("count_1h", "LAGGING")
        .containsEntry("sum_1h", "LAGGING");
  }

  @Test
  void aGenerationThatTheLiveJobHasNotBegunIsNotAnswered() {
    live.push("v1", 4, 0);
    release("v1");
    serve();

    assertLagging("u1");
    assertThat(server.ask("u1").getVersions(0).getCompleteThrough())
        .isEqualTo(server.ask("u1").getVersions(0).getAsOf());

    // It has begun behind the base's cut: the events between are nowhere.
    live.progress(0, 8, 8, live.now() + 3_600 * SECOND).progress(1, 0, 0, live.now());
    soon()
        .untilAsserted(
            () -> {
              String lag = "tarn_live_lag_seconds{feature_view=\"spend\"}";
              assertThat(server.metrics().get(lag)).isNotNaN();
              assertLagging("u1");
            });

    pushes.redis().hset(live.progressKey(), "0", "garbage");
    assertLagging("u1");
    soon().untilAsserted(() -> assertThat(ServerFixture.logged(live.progressKey())).isNotEmpty());
    assertThat(ServerFixture.logged(live.progressKey()))
        .singleElement()
        .asString()
        .contains("'garbage' is not FROM NEXT THROUGH; its view is answered as LAGGING");
    live.upToDate(5, 2);
    soon().untilAsserted(() -> assertThat(features("u2")).containsEntry("count_1h", 1.0));
  }

  @Test
  void aStampSaysWhatTheAnswerWasComputedFrom() throws Exception {
    live.push("v1", 4, 0).apply(4, 0).progress(0, 0, 5, live.now() + 3_600 * SECOND);
    live.progress(1, 0, 1, live.now() + 3_600 * SECOND);
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).snapshot(9).row("u9", 7L).write("a1");
    pushes.release(Map.of(VIEW, "v1", "a", "a1"));
    serve();
    long before = Values.micros(Instant.now());

    GetOnlineFeaturesResponse answer =
        server.ask(request("u1", "u2", "nobody").setIncludeStamps(true));

    // u1 has an event that the progress does not tell yet; of nobody it is known that there is
    // none.
    assertThat(stamp(answer, "u1").getLive(0).getOffsetsList()).containsExactly(5L, 2L);
    assertThat(stamp(answer, "u2").getLive(0).getOffsetsList()).containsExactly(5L, 1L);
    Stamp stamp = stamp(answer, "nobody");
    assertThat(stamp.getLiveList())
        .containsExactly(
            LiveStamp.newBuilder()
                .setFeatureView(VIEW)
                .setGeneration("g1")
                .addOffsets(5)
                .addOffsets(1)
                .build());
    assertThat(stamp.getBatchList())
        .singleElement()
        .satisfies(
            batch -> {
              assertThat(batch.getFeatureView()).isEqualTo("a");
              assertThat(batch.getSnapshotId()).isEqualTo(9);
            });
    assertThat(stamp.getMicros())
        .isEqualTo(stamp(answer, "u1").getMicros())
        .isBetween(before, Values.micros(Instant.now()));
    assertThat(answer.getResultsOrThrow("nobody").getStatusesCount()).isEqualTo(6);
    assertThat(answer.getResultsOrThrow("u1").getStamp().size()).isLessThan(50);
    assertThat(server.ask("u1").getResultsOrThrow("u1").getStamp().isEmpty()).isTrue();
  }

  private static Stamp stamp(GetOnlineFeaturesResponse answer, String id)
      throws InvalidProtocolBufferException {
    return Stamp.parseFrom(answer.getResultsOrThrow(id).getStamp());
  }

  @Test
  void aStampHasTheBaseCutAndNoViewThatLags() throws Exception {
    live.push("v1", 4, 4).progress(0, 0, 1, live.now() + 3_600 * SECOND);
    live.progress(1, 0, 0, live.now() + 3_600 * SECOND);
    release("v1");
    serve();

    assertThat(
            stamp(server.ask(request("u1").setIncludeStamps(true)), "u1")
                .getLive(0)
                .getOffsetsList())
        .containsExactly(4L, 4L);
    live.progress(0, 0, 1, 0);
    soon()
        .untilAsserted(
            () ->
                assertThat(
                        stamp(server.ask(request("u1").setIncludeStamps(true)), "u1").getLiveList())
                    .isEmpty());
  }

  @Test
  void theEventTimestampIsTheMomentOfTheQuestion() {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    release("v1");
    serve();
    Instant before = Instant.now().minusNanos(1_000);

    FeatureSet set =
        server.ask(request("u1").setIncludeEventTimestamps(true)).getResultsOrThrow("u1");

    Instant asked = Values.instant(Timestamps.toMicros(set.getEventTimestampsOrThrow(VIEW)));
    assertThat(asked).isBetween(before, Instant.now());
  }

  @Test
  void aValueThatDoesNotFitHasAStatusOfItsOwn() throws Exception {
    live.event("u6", 0, 6, Long.MAX_VALUE).event("u6", 0, 7, Long.MAX_VALUE);
    live.push("v1", 4, 0).apply(4, 0).upToDate(8, 2);
    release("v1");
    serve();

    GetOnlineFeaturesResponse answer = server.ask("u6", "u1");
    FeatureSet set = answer.getResultsOrThrow("u6");
    assertThat(statuses(set)).containsOnly(entry("sum_1h", "OVERFLOW"));
    assertThat(values(set))
        .containsEntry("sum_1h", -1.0)
        .containsEntry("count_1h", 2.0)
        .containsEntry("max_1h", Long.toString(Long.MAX_VALUE));
    assertThat(answer.getResultsOrThrow("u1").getStatusesMap()).isEmpty();
  }

  @Test
  void cellsThatCannotBeReadAreTold() {
    live.push("v1", new Object[] {"u2", new byte[] {9}}, 4, 0).apply(4, 0).upToDate(5, 2);
    live.overwriteLive("u1", new byte[] {1, 2, 3});
    live.overwriteLive("u3", Token.entry(new byte[] {1, 0, 0}));
    pushes.overwriteRow(VIEW, "v1", "u7", new byte[0]);
    release("v1");
    serve();

    GetOnlineFeaturesResponse answer = server.ask("u1", "u2", "u3", "u7");

    for (String id : List.of("u1", "u2", "u3", "u7")) {
      assertThat(values(answer.getResultsOrThrow(id))).as(id).isEmpty();
      assertThat(statuses(answer.getResultsOrThrow(id)))
          .as(id)
          .hasSize(5)
          .containsEntry("sum_1h", "NOT_FOUND");
    }
    assertThat(server.metrics())
        .containsEntry("tarn_corrupt_rows_total{feature_view=\"spend\"}", 4.0);
  }

  @Test
  void vectorsAndTheOlderServiceHaveTheSameValues() throws Exception {
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("a1");
    pushes.service("model", "user", "spend.sum_1h", "a.n", "spend.avg_1h");
    pushes.release(Map.of(VIEW, "v1", "a", "a1"));
    serve();

    GetFeatureVectorsResponse vectors =
        server
            .stub()
            .getFeatureVectors(
                GetFeatureVectorsRequest.newBuilder()
                    .addAllEntityIds(List.of("u1", "u3", "u1", "nobody"))
                    .setFeatureService("model")
                    .setIncludeStamps(true)
                    .build());

    assertThat(vectors.getFoundList()).containsExactly(true, true, true, false);
    var numbers = vectors.getValues().asReadOnlyByteBuffer();
    numbers.order(java.nio.ByteOrder.LITTLE_ENDIAN);
    assertThat(numbers.getFloat(0)).isEqualTo(15f);
    assertThat(numbers.getFloat(4)).isEqualTo(7f);
    assertThat(numbers.getFloat(8)).isEqualTo(3.75f);
    assertThat(numbers.getFloat(12)).isEqualTo(100f);
    assertThat(vectors.getStampsList()).hasSize(4);
    assertThat(vectors.getStamps(0)).isEqualTo(vectors.getStamps(2));
    assertThat(Stamp.parseFrom(vectors.getStamps(1)).getLive(0).getOffsetsList())
        .containsExactly(5L, 2L);
    assertThat(vectors.getVersions(1).hasCompleteThrough()).isTrue();
    assertThat(vectors.getVersions(0).hasCompleteThrough()).isFalse();

    var legacy =
        server
            .legacy()
            .getOnlineFeatures(
                dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                    .addEntityIds("u1")
                    .build());
    assertThat(legacy.getResultsOrThrow("u1").getFeaturesOrThrow("sum_1h").getNumberValue())
        .isEqualTo(15);

    live.progress(0, 0, 5, 0);
    soon()
        .untilAsserted(
            () ->
                assertThat(
                        server
                            .legacy()
                            .getOnlineFeatures(
                                dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                                    .addEntityIds("u1")
                                    .build())
                            .getResultsOrThrow("u1")
                            .getFeaturesMap())
                    .hasSize(3));
  }

  @Test
  void theListOfViewsTellsThatAViewIsLive() {
    live.push("v1", 4, 0).upToDate(5, 2);
    release("v1");
    serve();

    FeatureView view =
        server
            .stub()
            .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
            .getFeatureViews(0);

    assertThat(view.getMaxLag()).isEqualTo(Durations.fromSeconds(30));
    assertThat(view.getReleased().hasCompleteThrough()).isTrue();
    assertThat(view.getFeaturesList())
        .extracting(feature -> feature.getName() + " " + feature.getType())
        .contains("count_1h bigint", "avg_1h double")
        .hasSize(5);
  }

  @Test
  void aRecordThatNoServerCanServeIsLeftOutWithTheReason() {
    live.base().getWindowsBuilder(0).setAggregate("MEDIAN");
    live.push("v1", 0, 0);
    release("v1");
    push(3);
    serve();

    assertThat(number()).isEqualTo(3);
    assertThat(
            ServerFixture.logged(
                "a window of the base has the unknown aggregate 'MEDIAN'; it is left out"))
        .isNotEmpty();
  }

  @Test
  void aLiveViewIsNeverAnsweredStale() {
    RedisFixture own = RedisFixture.start();
    useInstead(own, own.settings());
    topic();
    live.push("v1", 4, 0).apply(4, 0).upToDate(5, 2);
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("a1");
    pushes.release(Map.of(VIEW, "v1", "a", "a1"));
    serve("near-cache-bytes = 1M", "serve-stale = 1h", "poll = 50ms");
    assertThat(features("u1")).containsEntry("n", 7.0).containsEntry("count_1h", 4.0);

    redis.stop();

    soon()
        .untilAsserted(
            () ->
                assertThat(server.ask(request("u1").addFeatureNames("n")).hasStaleSince())
                    .isTrue());
    Status refused = server.refusal(request("u1"));
    assertThat(refused.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(refused.getDescription())
        .startsWith("feature view 'spend' is live and is never answered from memory: ");
  }
}
