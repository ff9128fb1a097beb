package dev.tarn.serving.lookup;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.legacy.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import dev.tarn.serving.rpc.StaleHeader;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Checks answers from memory while Redis is stopped or hangs. */
class TestServeStale extends ServingTest {

  private static final String ON = "near-cache-bytes = 1M, serve-stale = 1h";

  TestServeStale() {
    super(RedisFixture.start());
  }

  @Test
  void whatIsInMemoryIsAnsweredAndMarkedAsStaleUntilRedisIsBack() {
    start(ON);
    GetOnlineFeaturesResponse fresh = server.ask("u1", "nobody");
    assertThat(fresh.hasStaleSince()).isFalse();
    Instant before = Instant.now();

    redis.stop();

    soon().until(() -> server.ask("u1").hasStaleSince());
    GetOnlineFeaturesResponse stale = server.ask("u1", "nobody");
    assertThat(stale.toBuilder().clearStaleSince().build()).isEqualTo(fresh);
    assertSoonBefore(stale.getStaleSince(), before);
    double counted = server.metrics().get("tarn_stale_answers_total");
    assertThat(server.ask("u1").getStaleSince()).isEqualTo(stale.getStaleSince());
    assertThat(server.metrics()).containsEntry("tarn_stale_answers_total", counted + 1);

    redis.restart();
    push(2);

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(2));
    assertThat(server.ask("u1").hasStaleSince()).isFalse();
  }

  @Test
  void aRequestForAnythingElseIsUnavailableAsAWhole() {
    start(ON);
    assertThat(number()).isEqualTo(1);
    redis.stop();
    soon().until(() -> server.ask("u1").hasStaleSince());

    Status status = server.refusal(request("u1", "u2"));

    assertThat(status.getCode()).isEqualTo(Code.UNAVAILABLE);
    assertThat(status.getDescription())
        .startsWith("Redis at " + settings.address() + " does not answer (");
  }

  @Test
  void vectorsAndTheOlderServiceAreMarkedToo() {
    start(ON);
    pushes.service("model", "user", "a.n");
    soon().untilAsserted(() -> assertThat(vectors().getFound(0)).isTrue());
    GetFeatureVectorsResponse fresh = vectors();
    assertThat(staleHeader()).isNull();

    redis.stop();

    soon().until(() -> vectors().hasStaleSince());
    assertThat(vectors().toBuilder().clearStaleSince().build()).isEqualTo(fresh);
    Timestamp since = vectors().getStaleSince();
    assertThat(staleHeader())
        .isEqualTo(Instant.ofEpochSecond(since.getSeconds(), since.getNanos()).toString());
  }

  @Test
  void aRedisThatIsPausedIsAsOneThatIsGone() {
    redisTimeout(Duration.ofMillis(200));
    start(ON);
    assertThat(number()).isEqualTo(1);

    pushes.redis().clientPause(4_000);

    soon().until(() -> server.ask("u1").hasStaleSince());
    assertThat(number()).isEqualTo(1);
    assertThat(server.refusal(request("u2")).getCode()).isEqualTo(Code.UNAVAILABLE);
    soon().until(() -> !server.ask("u1").hasStaleSince());
    assertThat(number()).isEqualTo(1);
  }

  @Test
  void afterTheLongestTimeNothingIsAnswered() {
    start("near-cache-bytes = 1M, serve-stale = 2s");
    assertThat(number()).isEqualTo(1);
    redis.stop();
    soon().until(() -> server.ask("u1").hasStaleSince());

    soon()
        .untilAsserted(
            () ->
                assertThat(server.refusal(request("u1")))
                    .extracting(Status::getCode)
                    .isEqualTo(Code.UNAVAILABLE));
  }

  @Test
  void aRedisThatComesBackEmptyEndsWhatWasKnown() {
    start(ON);
    assertThat(number()).isEqualTo(1);
    redis.stop();
    soon().until(() -> server.ask("u1").hasStaleSince());

    redis.restart();

    soon()
        .untilAsserted(
            () ->
                assertThat(server.refusal(request("u1")).getDescription())
                    .startsWith("no feature view has been released yet"));
  }

  private void start(String changes) {
    push(1);
    serve(changes);
    assertThat(number()).isEqualTo(1);
  }

  private GetFeatureVectorsResponse vectors() {
    return server
        .stub()
        .getFeatureVectors(
            GetFeatureVectorsRequest.newBuilder()
                .setFeatureService("model")
                .addEntityIds("u1")
                .build());
  }

  /** Returns the header of an answer of the older service. */
  private String staleHeader() {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    assertThat(
            server
                .legacy()
                .withInterceptors(
                    MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()))
                .getOnlineFeatures(GetOnlineFeaturesRequest.newBuilder().addEntityIds("u1").build())
                .getResultsOrThrow("u1")
                .getFeaturesOrThrow("n")
                .getNumberValue())
        .isEqualTo(1);
    return headers.get().get(StaleHeader.STALE_SINCE);
  }

  /**
   * Asserts that it is the last read before Redis stopped; there is one each {@code serving.poll}.
   */
  private static void assertSoonBefore(Timestamp since, Instant moment) {
    assertThat(Timestamps.toMillis(since))
        .isBetween(moment.minusSeconds(10).toEpochMilli(), Instant.now().toEpochMilli());
  }
}
