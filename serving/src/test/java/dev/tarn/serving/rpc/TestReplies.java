package dev.tarn.serving.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.serving.ServerFixture;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Checks calls whose time is over when a thread begins them; over a network that takes luck. */
class TestReplies {

  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final AtomicInteger begun = new AtomicInteger();

  @AfterEach
  void stop() {
    timer.shutdownNow();
  }

  @Test
  void aCallWhoseDeadlineIsOverIsNotBegun() throws IOException {
    Context late = Context.ROOT.withDeadline(Deadline.after(-1, TimeUnit.SECONDS), timer);

    Status status = callIn(late);

    assertThat(status.getCode()).isEqualTo(Code.DEADLINE_EXCEEDED);
    assertThat(status.getDescription())
        .isEqualTo("the deadline was over before the server could begin");
    assertThat(begun).hasValue(0);
  }

  @Test
  void aCallThatItsClientGaveUpIsNotBegun() throws IOException {
    Context.CancellableContext given = Context.ROOT.withCancellation();
    given.cancel(null);

    assertThat(callIn(given).getCode()).isEqualTo(Code.CANCELLED);
    assertThat(begun).hasValue(0);
  }

  @Test
  void aCallWithTimeIsBegun() throws IOException {
    Context inTime = Context.ROOT.withDeadline(Deadline.after(1, TimeUnit.HOURS), timer);

    assertThat(callIn(inTime).getCode()).isEqualTo(Code.INTERNAL);
    assertThat(begun).hasValue(1);
  }

  /** Returns the status of a call that the server begins in a context. */
  private Status callIn(Context context) throws IOException {
    ServerInterceptor inContext =
        new ServerInterceptor() {
          @Override
          public <Q, A> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            return Contexts.interceptCall(context, call, headers, next);
          }
        };
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .intercept(inContext)
            .addService(
                ServerServiceDefinition.builder(FeatureStoreServiceGrpc.SERVICE_NAME)
                    .addMethod(
                        FeatureStoreServiceGrpc.getGetOnlineFeaturesMethod(),
                        ServerCalls.asyncUnaryCall(
                            (request, observer) ->
                                Replies.send(
                                    observer,
                                    () -> {
                                      begun.incrementAndGet();
                                      return CompletableFuture.failedFuture(
                                          Status.INTERNAL.asRuntimeException());
                                    })))
                    .build())
            .build()
            .start();
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
    try {
      return ServerFixture.refusal(
          () ->
              FeatureStoreServiceGrpc.newBlockingStub(channel)
                  .getOnlineFeatures(ServerFixture.request("u1").build()));
    } finally {
      channel.shutdownNow();
      server.shutdownNow();
    }
  }
}
