package dev.tarn.serving;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.net.ConnectException;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** {@code ./tarn get}: asks a server as any client would. */
final class Get {

  private static final long DEADLINE_SECONDS = 5;
  private static final int MAX_ANSWER_BYTES = 256 << 20;

  private final String target;

  /**
   * A client of one server.
   *
   * @param target {@code host:port}
   */
  Get(String target) {
    this.target = target;
  }

  /**
   * Reads the arguments, asks, and returns the answer as it is to be printed.
   *
   * @param defaultPort where the server is if no {@code target} was given
   * @throws TarnException if the server refuses or is not there
   */
  static String run(CommandLine line, int defaultPort) throws InterruptedException {
    if (line.has("snapshot")) {
      throw new UsageException(
          "get with snapshot= reads Iceberg, which belongs to the etl jar: run it as ./tarn get …");
    }
    if (line.has("view")) {
      throw new UsageException(
          "view= goes with snapshot=; a server is asked for features=VIEW.FEATURE");
    }
    boolean isJson = line.isJson();
    List<String> ids = line.list("ids").stream().distinct().toList();
    GetOnlineFeaturesRequest request =
        GetOnlineFeaturesRequest.newBuilder()
            .addAllEntityIds(ids)
            .addAllFeatureNames(line.list("features"))
            .setEntity(line.optional("entity").orElse(""))
            .setIncludeEventTimestamps(true)
            .build();
    String target = line.optional("target").orElse("127.0.0.1:" + defaultPort);
    GetOnlineFeaturesResponse answer = new Get(target).ask(request);
    return isJson
        ? AnswerPrinter.json(answer, ids)
        : AnswerPrinter.table(answer, ids, Instant.now());
  }

  GetOnlineFeaturesResponse ask(GetOnlineFeaturesRequest request) throws InterruptedException {
    ManagedChannel channel =
        Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
            .maxInboundMessageSize(MAX_ANSWER_BYTES)
            .build();
    try {
      return FeatureStoreServiceGrpc.newBlockingStub(channel)
          .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
          .getOnlineFeatures(request);
    } catch (StatusRuntimeException e) {
      throw failure(e);
    } finally {
      channel.shutdownNow().awaitTermination(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }
  }

  private TarnException failure(StatusRuntimeException e) {
    Status status = e.getStatus();
    for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
      if (cause instanceof ConnectException) {
        return new TarnException(
            "no server at %s: start one with ./tarn serve".formatted(target), e);
      }
    }
    if (status.getCode() == Status.Code.DEADLINE_EXCEEDED) {
      return new TarnException(
          "DEADLINE_EXCEEDED: no answer from %s within %d s".formatted(target, DEADLINE_SECONDS),
          e);
    }
    return new TarnException("%s: %s".formatted(status.getCode(), status.getDescription()), e);
  }
}
