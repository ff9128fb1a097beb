package dev.tarn.serving.rpc;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.common.util.concurrent.ListenableFuture;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Checks more calls than can be answered, because Redis hangs or clients ask for too much. */
class TestOverload extends ServingTest {

  private static final String TOO_MANY =
      "the server has 5 calls under way and takes no more (serving.max-in-flight): try again later";

  TestOverload() {
    super(RedisFixture.start());
  }

  @Test
  void callsBeyondTheLimitAreRefusedAtOnceAndThoseWithinItAreAnswered() throws Exception {
    start(LONG, "max-in-flight = 5");
    redis.suspend();
    List<ListenableFuture<GetOnlineFeaturesResponse>> calls = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      calls.add(server.askLater("u1"));
    }
    for (ListenableFuture<GetOnlineFeaturesResponse> shed : calls.subList(5, 20)) {
      Status status = statusOf(shed);
      assertThat(status.getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED);
      assertThat(status.getDescription()).isEqualTo(TOO_MANY);
    }
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);

    redis.resume();

    for (ListenableFuture<GetOnlineFeaturesResponse> answered : calls.subList(0, 5)) {
      assertThat(answered.get(30, TimeUnit.SECONDS).getResultsCount()).isEqualTo(1);
    }
    soon().untilAsserted(() -> assertThat(number()).isEqualTo(1));
  }

  @Test
  void aClientThatIsCutOffCountsAsOneThatGaveUp() {
    start(LONG, "max-in-flight = 5");
    redis.suspend();
    AtomicReference<Channel> connection = new AtomicReference<>();
    EventLoopGroup thread = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    ManagedChannel client =
        NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
            .usePlaintext()
            .eventLoopGroup(thread)
            .channelFactory(
                () -> {
                  Channel made = new NioSocketChannel();
                  connection.set(made);
                  return made;
                })
            .build();
    try {
      var cutOff =
          FeatureStoreServiceGrpc.newFutureStub(client).getOnlineFeatures(request("u1").build());
      soon()
          .untilAsserted(
              () -> assertThat(server.metrics()).containsEntry("tarn_in_flight_calls", 1.0));

      // This closes the connection below HTTP/2, which would wait for the call.
      var unusedClosed = connection.get().pipeline().firstContext().close();

      assertThat(statusOf(cutOff).getCode()).isEqualTo(Code.UNAVAILABLE);
      String calls =
          "tarn_requests_total{method=\"feature_store.v1.FeatureStoreService/GetOnlineFeatures\",status=\"%s\"}";
      soon()
          .untilAsserted(
              () ->
                  assertThat(server.metrics())
                      .containsEntry(calls.formatted("CANCELLED"), 1.0)
                      .doesNotContainKey(calls.formatted("UNAVAILABLE")));
    } finally {
      client.shutdownNow();
      var unusedEnded = thread.shutdownGracefully();
      redis.resume();
    }
  }

  @Test
  void callsThatTheirClientsGaveUpDoNotPileUpBeforeARedisThatHangs() {
    start(LONG, "max-in-flight = 5");
    redis.suspend();
    for (int i = 0; i < 5; i++) {
      assertThat(askWithin(Duration.ofMillis(200)).getCode()).isEqualTo(Code.DEADLINE_EXCEEDED);
    }

    Status status = askWithin(LONG);

    assertThat(status.getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED);
    assertThat(status.getDescription()).isEqualTo(TOO_MANY);
    redis.resume();
    soon().untilAsserted(() -> assertThat(number()).isEqualTo(1));
  }

  @Test
  void aRedisThatIsPausedIsUnavailableAndItsReturnNeedsNoRestart() {
    start(Duration.ofMillis(200), "");

    pushes.redis().clientPause(3_000);

    for (int i = 0; i < 5; i++) {
      assertThat(server.refusal(request("u1")).getCode()).isEqualTo(Code.UNAVAILABLE);
    }
    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);
    soon().untilAsserted(() -> assertThat(number()).isEqualTo(1));
  }

  @Test
  void aDeadlineEndsACallToAPausedRedisBeforeTheTimeoutOfRedisDoes() {
    start(LONG, "");

    pushes.redis().clientPause(2_000);

    assertThat(askWithin(Duration.ofMillis(100)).getCode()).isEqualTo(Code.DEADLINE_EXCEEDED);
    assertThat(number()).isEqualTo(1);
  }

  @Test
  void aCallWhoseDeadlineIsOverIsNotSentToRedis() {
    start(LONG, "");
    long before = hgets();
    Metadata noTime = new Metadata();
    noTime.put(Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER), "1n");

    for (int i = 0; i < 50; i++) {
      StatusRuntimeException late =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () -> {
                var unused =
                    server
                        .stub()
                        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(noTime))
                        .getOnlineFeatures(request("u1").build());
              });
      assertThat(late.getStatus().getCode()).isIn(Code.DEADLINE_EXCEEDED, Code.CANCELLED);
    }

    assertThat(hgets()).isEqualTo(before);
    assertThat(number()).isEqualTo(1);
    assertThat(hgets()).isNotEqualTo(before);
  }

  @Test
  void aConnectionHoldsBackWhatIsBeyondItsLimit() throws Exception {
    start(LONG, "max-concurrent-calls = 1, max-in-flight = 1");
    redis.suspend();
    ListenableFuture<GetOnlineFeaturesResponse> first = server.askLater("u1");
    // If the client sent it at once, the server would refuse it.
    ListenableFuture<GetOnlineFeaturesResponse> second = server.askLater("u1");

    redis.resume();

    assertThat(first.get(30, TimeUnit.SECONDS).getResultsCount()).isEqualTo(1);
    assertThat(second.get(30, TimeUnit.SECONDS).getResultsCount()).isEqualTo(1);
  }

  @Test
  void aRequestThatIsTooLargeIsRefusedAndHarmsNoOther() {
    start(Duration.ofSeconds(2), "max-message-bytes = 100");

    assertThat(server.refusal(request("x".repeat(200))).getCode())
        .isEqualTo(Code.RESOURCE_EXHAUSTED);
    assertThat(number()).isEqualTo(1);
  }

  private void start(Duration timeout, String changes) {
    push(1);
    redisTimeout(timeout);
    serve(changes);
    assertThat(number()).isEqualTo(1);
  }

  private Status askWithin(Duration deadline) {
    return catchThrowableOfType(
            StatusRuntimeException.class,
            () -> {
              var unused =
                  server
                      .stub()
                      .withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS)
                      .getOnlineFeatures(request("u1").build());
            })
        .getStatus();
  }

  private static Status statusOf(ListenableFuture<?> call) {
    return Status.fromThrowable(
        catchThrowableOfType(ExecutionException.class, () -> call.get(30, TimeUnit.SECONDS)));
  }
}
