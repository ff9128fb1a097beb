package dev.tarn.serving;

import static dev.tarn.serving.ServerFixture.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Redis that is not there, goes, hangs, comes back, or wants a password. */
class TestRedisOutage {

  private static final Duration LONG = Duration.ofSeconds(60);

  private RedisFixture redis = RedisFixture.start();
  private ServerFixture server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
    redis.close();
  }

  @Test
  void withoutRedisTheServerStartsAndAnswersWhenRedisComes() {
    RedisSettings settings = redis.settings();
    redis.stop();
    server = new ServerFixture(settings);

    String down =
        "Redis at %s does not answer (Connection refused): start it with ./tarn up, or set redis.host and redis.port"
            .formatted(settings.address());
    assertThat(server.server().trouble()).hasValue(down);
    assertThat(server.health("")).isEqualTo(ServingStatus.NOT_SERVING);
    server.assertRefused(request("u1"), Code.UNAVAILABLE, down);

    redis.restart();
    push(settings, 1);

    eventually().untilAsserted(() -> assertThat(number()).isEqualTo(1));
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);
    assertThat(server.server().trouble()).isEmpty();
  }

  @Test
  void redisThatStopsIsUnavailableAndItsReturnNeedsNoRestart() {
    RedisSettings settings = redis.settings();
    push(settings, 1);
    server = new ServerFixture(settings);
    assertThat(number()).isEqualTo(1);

    redis.stop();

    for (int i = 0; i < 100; i++) {
      Status status = server.refusal(request("u1"));
      assertThat(status.getCode()).isEqualTo(Code.UNAVAILABLE);
      assertThat(status.getDescription())
          .startsWith("Redis at " + settings.address() + " does not answer (")
          .doesNotContain("Currently not connected")
          .endsWith("): start it with ./tarn up, or set redis.host and redis.port");
    }
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    redis.restart();
    push(settings, 2);

    eventually().untilAsserted(() -> assertThat(number()).isEqualTo(2));
  }

  @Test
  void redisThatComesBackEmptyHasNothingReleased() {
    RedisSettings settings = redis.settings();
    push(settings, 1);
    server = new ServerFixture(settings);
    assertThat(number()).isEqualTo(1);

    redis.stop();
    redis.restart();

    eventually()
        .until(
            () ->
                server
                    .refusal(request("u1"))
                    .getDescription()
                    .equals("no feature view has been released yet: run ./tarn push view=… first"));
  }

  @Test
  void aLookupUnderWayWhenRedisStopsFailsWithoutWaitingForItsTimeout() {
    RedisSettings settings = redis.settings(LONG, "", 0);
    push(settings, 1);
    server = new ServerFixture(settings);
    redis.suspend();
    CompletableFuture<GetOnlineFeaturesResponse> underWay = askAsync();
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    redis.killSuspended();

    assertThat(underWay)
        .failsWithin(Duration.ofSeconds(30))
        .withThrowableOfType(ExecutionException.class)
        .withMessageContaining("UNAVAILABLE: Redis at " + settings.address());
  }

  @Test
  void redisThatHangsIsUnavailableAfterTheTimeoutAndAnswersAfterwards() {
    RedisSettings settings = redis.settings(Duration.ofMillis(200), "", 0);
    push(settings, 1);
    server = new ServerFixture(settings);
    redis.suspend();
    try {
      Status status = server.refusal(request("u1"));

      assertThat(status.getCode()).isEqualTo(Code.UNAVAILABLE);
      assertThat(status.getDescription())
          .startsWith("Redis at " + settings.address() + " does not answer (");
    } finally {
      redis.resume();
    }

    eventually().untilAsserted(() -> assertThat(number()).isEqualTo(1));
  }

  @Test
  void aCallWhoseDeadlineIsOverEndsThereAndHarmsNoOther() {
    RedisSettings settings = redis.settings(LONG, "", 0);
    push(settings, 1);
    server = new ServerFixture(settings);
    redis.suspend();
    try {
      StatusRuntimeException late =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () -> {
                var unused =
                    server
                        .stub()
                        .withDeadlineAfter(100, TimeUnit.MILLISECONDS)
                        .getOnlineFeatures(request("u1").build());
              });
      assertThat(late.getStatus().getCode()).isEqualTo(Code.DEADLINE_EXCEEDED);
    } finally {
      redis.resume();
    }

    assertThat(number()).isEqualTo(1);
  }

  @Test
  void aStoppingServerFinishesTheCallsUnderWay() throws Exception {
    RedisSettings settings = redis.settings(LONG, "", 0);
    push(settings, 1);
    server = new ServerFixture(settings);
    redis.suspend();
    CompletableFuture<GetOnlineFeaturesResponse> underWay = askAsync();
    // Answered after the lookup was begun, as both take the same connection.
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    CompletableFuture<Void> stopped = CompletableFuture.runAsync(server::stop);
    eventually().until(this::takesNoNewCalls);
    assertThat(underWay).isNotDone();
    redis.resume();

    assertThat(underWay.get(30, TimeUnit.SECONDS).getVersions(0).getVersion()).isEqualTo("v1");
    assertThat(stopped).succeedsWithin(Duration.ofSeconds(30));
  }

  @Test
  void aStoppingServerEndsWhatOutlastsTheDrain() {
    RedisSettings settings = redis.settings(LONG, "", 0);
    push(settings, 1);
    server = new ServerFixture(settings, ServerFixture.withDrain(Duration.ofMillis(100)));
    redis.suspend();
    CompletableFuture<GetOnlineFeaturesResponse> underWay = askAsync();
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    server.close();

    assertThat(underWay).failsWithin(Duration.ofSeconds(30));
  }

  @Test
  void passwordAndDatabaseAreUsed() {
    redis.close();
    redis = RedisFixture.start("requirepass hunter2");
    RedisSettings settings = redis.settings(Duration.ofSeconds(2), "hunter2", 3);
    push(settings, 1);

    server = new ServerFixture(settings);

    assertThat(number()).isEqualTo(1);
  }

  @Test
  void aWrongPasswordIsSaidAndNeverShown() {
    redis.close();
    redis = RedisFixture.start("requirepass hunter2");
    RedisSettings settings = redis.settings(Duration.ofSeconds(2), "hunter3", 0);

    server = new ServerFixture(settings);

    assertThat(server.refusal(request("u1")).getDescription())
        .isEqualTo(
            "Redis at %s refuses the password (WRONGPASS invalid username-password pair or user is disabled.): set TARN_REDIS_PASSWORD"
                .formatted(settings.address()));
  }

  @Test
  void aMissingPasswordIsSaid() {
    redis.close();
    redis = RedisFixture.start("requirepass hunter2");
    RedisSettings settings = redis.settings();

    server = new ServerFixture(settings);

    assertThat(server.refusal(request("u1")).getDescription())
        .startsWith("Redis at %s refuses the password (NOAUTH".formatted(settings.address()))
        .endsWith("): set TARN_REDIS_PASSWORD");
  }

  /** A poll, a connection and a read: longer than a release needs. */
  private static ConditionFactory eventually() {
    return ServerFixture.soon().atMost(Duration.ofSeconds(10));
  }

  private static void push(RedisSettings settings, long number) {
    try (Pushes pushes = new Pushes(settings)) {
      pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", number).write("v" + number);
      pushes.release("a", "v" + number);
    }
  }

  private boolean takesNoNewCalls() {
    try {
      return server.health("") != ServingStatus.SERVING;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode() == Code.UNAVAILABLE;
    }
  }

  private double number() {
    return server.ask("u1").getResultsOrThrow("u1").getFeaturesOrThrow("n").getNumberValue();
  }

  private CompletableFuture<GetOnlineFeaturesResponse> askAsync() {
    CompletableFuture<GetOnlineFeaturesResponse> answer = new CompletableFuture<>();
    FeatureStoreServiceGrpc.newStub(server.channel())
        .getOnlineFeatures(
            request("u1").build(),
            new StreamObserver<>() {
              @Override
              public void onNext(GetOnlineFeaturesResponse message) {
                answer.complete(message);
              }

              @Override
              public void onError(Throwable failure) {
                answer.completeExceptionally(failure);
              }

              @Override
              public void onCompleted() {}
            });
    return answer;
  }
}
