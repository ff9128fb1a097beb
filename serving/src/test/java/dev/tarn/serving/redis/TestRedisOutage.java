package dev.tarn.serving.redis;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.common.util.concurrent.ListenableFuture;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.TcpProxy;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyChannelBuilder;
import io.lettuce.core.KillArgs;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Checks a Redis that is not there, goes, hangs, comes back, or wants a password. */
class TestRedisOutage extends ServingTest {

  TestRedisOutage() {
    super(RedisFixture.start());
  }

  @Test
  void withoutRedisTheServerStartsAndAnswersWhenRedisComes() {
    redis.stop();
    serve();

    String down =
        "Redis at %s does not answer (Connection refused): start it with ./tarn up, or set redis.host and redis.port"
            .formatted(settings.address());
    assertThat(server.server().trouble()).hasValue(down);
    assertThat(server.health("")).isEqualTo(ServingStatus.NOT_SERVING);
    server.assertRefused(request("u1"), Code.UNAVAILABLE, down);

    redis.restart();
    push(1);

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(1));
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);
    assertThat(server.server().trouble()).isEmpty();
  }

  @Test
  void redisThatStopsIsUnavailableAndItsReturnNeedsNoRestart() {
    push(1);
    serve();
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
    push(2);

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(2));
  }

  @Test
  void redisThatComesBackEmptyHasNothingReleased() {
    push(1);
    serve();
    assertThat(number()).isEqualTo(1);

    redis.stop();
    redis.restart();

    soon()
        .until(
            () ->
                server
                    .refusal(request("u1"))
                    .getDescription()
                    .equals("no feature view has been released yet: run ./tarn push view=… first"));
  }

  @Test
  void aLookupUnderWayWhenRedisStopsFailsWithoutWaitingForItsTimeout() {
    redisTimeout(LONG);
    push(1);
    serve();
    redis.suspend();
    ListenableFuture<GetOnlineFeaturesResponse> underWay = server.askLater("u1");
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    redis.killSuspended();

    assertThat(underWay)
        .failsWithin(Duration.ofSeconds(30))
        .withThrowableOfType(ExecutionException.class)
        .withMessageContaining("UNAVAILABLE: Redis at " + settings.address());
  }

  @Test
  void anyOfItsConnectionsCutAloneIsMadeAgain() {
    push(1);
    Set<Long> ofTheTest = connections(Set.of());
    serve();
    double all = server.metrics().get("tarn_redis_connections");

    for (int i = 0; i < (int) all; i++) {
      Set<Long> connections =
          soon().until(() -> connections(ofTheTest), some -> some.size() == (int) all);
      long killed = connections.stream().skip(i).findFirst().orElseThrow();
      pushes.redis().clientKill(KillArgs.Builder.id(killed));

      soon()
          .untilAsserted(
              () -> {
                assertThat(connections(ofTheTest)).hasSize((int) all).doesNotContain(killed);
                assertThat(server.metrics()).containsEntry("tarn_redis_connections", all);
              });
      for (int lookup = 0; lookup < 50; lookup++) {
        assertThat(number()).isEqualTo(1);
      }
    }
  }

  /** Returns the client ids of connections, in order, without some. */
  private Set<Long> connections(Set<Long> without) {
    return Pattern.compile("\\bid=(\\d+)")
        .matcher(pushes.redis().clientList())
        .results()
        .map(id -> Long.parseLong(id.group(1)))
        .filter(id -> !without.contains(id))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void redisThatHangsIsUnavailableAfterTheTimeoutAndAnswersAfterwards() {
    redisTimeout(Duration.ofMillis(200));
    push(1);
    serve();
    redis.suspend();
    try {
      Status status = server.refusal(request("u1"));

      assertThat(status.getCode()).isEqualTo(Code.UNAVAILABLE);
      assertThat(status.getDescription())
          .startsWith("Redis at " + settings.address() + " does not answer (");
    } finally {
      redis.resume();
    }

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(1));
  }

  /** What is released is read over one of these connections, too. */
  @Test
  void lookupsWaitTheirTurnWhileTheAnswersToOthersComeSlowly() throws Exception {
    String[] ids = IntStream.range(0, 50).mapToObj(i -> "u" + i).toArray(String[]::new);
    Pushes.View view =
        pushes.view("a", "user").feature("text", Kind.KIND_STRING).feature("n", Kind.KIND_BIGINT);
    for (String id : ids) {
      view.row(id, "x".repeat(20_000), 1L);
    }
    view.write("v1");
    pushes.release("a", "v1");
    List<ManagedChannel> clients = new ArrayList<>();
    try (TcpProxy network = new TcpProxy(settings.port())) {
      settings =
          new RedisSettings(
              "127.0.0.1",
              network.port(),
              0,
              "",
              "",
              false,
              "",
              Duration.ofMillis(500),
              settings.keys());
      serve("poll = 50 ms");
      network.slowDown(500_000);

      // Enough clients that each connection to Redis has much to bring, for four timeouts.
      List<ListenableFuture<GetOnlineFeaturesResponse>> calls = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        ManagedChannel client =
            NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
                .usePlaintext()
                .maxInboundMessageSize(64 << 20)
                .build();
        clients.add(client);
        FeatureStoreServiceGrpc.FeatureStoreServiceFutureStub stub =
            FeatureStoreServiceGrpc.newFutureStub(client);
        calls.add(stub.getOnlineFeatures(request(ids).build()));
        for (int small = 0; small < 20; small++) {
          calls.add(stub.getOnlineFeatures(request("u1").addFeatureNames("n").build()));
        }
      }
      for (ListenableFuture<GetOnlineFeaturesResponse> call : calls) {
        assertThat(call.get(60, TimeUnit.SECONDS).getResultsCount()).isPositive();
      }
      assertThat(server.metrics())
          .containsEntry("tarn_redis_reconnects_total", 0.0)
          .containsEntry("tarn_redis_up", 1.0);
    } finally {
      clients.forEach(ManagedChannel::shutdownNow);
    }
  }

  @Test
  void aCallWhoseDeadlineIsOverEndsThereAndHarmsNoOther() {
    redisTimeout(LONG);
    push(1);
    serve();
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
    redisTimeout(LONG);
    push(1);
    serve();
    redis.suspend();
    ListenableFuture<GetOnlineFeaturesResponse> underWay = server.askLater("u1");
    // Redis answers this after the lookup was begun, as both take the same connection.
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    CompletableFuture<Void> stopped = CompletableFuture.runAsync(server::stop);
    soon().until(this::takesNoNewCalls);
    assertThat(underWay).isNotDone();
    redis.resume();

    assertThat(underWay.get(30, TimeUnit.SECONDS).getVersions(0).getVersion()).isEqualTo("v1");
    assertThat(stopped).succeedsWithin(Duration.ofSeconds(30));
  }

  @Test
  void aStoppingServerEndsWhatOutlastsTheDrain() {
    redisTimeout(LONG);
    push(1);
    serve("drain = 100 ms");
    redis.suspend();
    ListenableFuture<GetOnlineFeaturesResponse> underWay = server.askLater("u1");
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    server.close();

    assertThat(underWay).failsWithin(Duration.ofSeconds(30));
  }

  @Test
  void passwordAndDatabaseAreUsed() {
    requirePassword(3);
    push(1);

    serve();

    assertThat(number()).isEqualTo(1);
  }

  @Test
  void aWrongPasswordIsSaidAndNeverShown() {
    requirePassword(0);
    settings = redis.settings(Duration.ofSeconds(2), "hunter3", 0);

    serve();

    assertThat(server.refusal(request("u1")).getDescription())
        .isEqualTo(
            "Redis at %s refuses the password (WRONGPASS invalid username-password pair or user is disabled.): set TARN_REDIS_PASSWORD"
                .formatted(settings.address()));
  }

  @Test
  void aMissingPasswordIsSaid() {
    requirePassword(0);
    settings = redis.settings();

    serve();

    // Lettuce may lose the first answer to a connection that Redis closes.
    soon()
        .untilAsserted(
            () ->
                assertThat(server.refusal(request("u1")).getDescription())
                    .startsWith(
                        "Redis at %s refuses the password (NOAUTH".formatted(settings.address()))
                    .endsWith("): set TARN_REDIS_PASSWORD"));
  }

  private void requirePassword(int database) {
    RedisFixture own = RedisFixture.start("requirepass hunter2");
    useInstead(own, own.settings(Duration.ofSeconds(2), "hunter2", database));
  }

  private boolean takesNoNewCalls() {
    try {
      return server.health("") != ServingStatus.SERVING;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode() == Code.UNAVAILABLE;
    }
  }
}
