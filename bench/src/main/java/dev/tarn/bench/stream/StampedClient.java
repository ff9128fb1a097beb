package dev.tarn.bench.stream;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Asks a server for the features of {@link LiveViews#LAWS} with their stamps. Thread-safe. */
public final class StampedClient implements AutoCloseable {

  private final ManagedChannel channel;

  /** Connects to the server of a port, which may come later. */
  public StampedClient(int port) {
    channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port)
            .usePlaintext()
            .maxInboundMessageSize(64 << 20)
            .build();
  }

  /** Asks; a call that fails throws what gRPC throws. */
  public List<StampedAnswer> ask(List<Integer> users) {
    GetOnlineFeaturesResponse answer =
        FeatureStoreServiceGrpc.newBlockingStub(channel)
            .withDeadlineAfter(60, TimeUnit.SECONDS)
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .setEntity("user")
                    .addAllEntityIds(users.stream().map(user -> Integer.toString(user)).toList())
                    .addAllFeatureNames(Oracle.FEATURES)
                    .setIncludeStamps(true)
                    .build());
    return users.stream()
        .map(user -> StampedAnswer.of(user, answer.getResultsMap().get(Integer.toString(user))))
        .toList();
  }

  /** Connects again at once, where the channel would wait because the server was away. */
  public void reconnect() {
    channel.resetConnectBackoff();
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
