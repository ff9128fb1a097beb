package dev.tarn.serving;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** {@code ./tarn get}: asks a server as any client would. */
final class Get {

  private static final long DEADLINE_SECONDS = 5;
  private static final int MAX_ANSWER_BYTES = 256 << 20;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final String target;
  private final Optional<Path> ca;
  private final Metadata headers = new Metadata();

  /**
   * A client of one server.
   *
   * @param target {@code host:port}
   * @param ca the certificates to trust; empty for a server without TLS
   * @param token of the caller; empty for a server without callers
   */
  Get(String target, Optional<Path> ca, String token) {
    this.target = target;
    this.ca = ca;
    if (!token.isEmpty()) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
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
    // Not an argument: others could see it on the command line.
    String token = Optional.ofNullable(System.getenv("TARN_TOKEN")).orElse("");
    GetOnlineFeaturesResponse answer =
        new Get(target, line.optional("ca").map(Path::of), token).ask(request);
    return isJson
        ? AnswerPrinter.json(answer, ids)
        : AnswerPrinter.table(answer, ids, Instant.now());
  }

  GetOnlineFeaturesResponse ask(GetOnlineFeaturesRequest request) throws InterruptedException {
    ManagedChannel channel =
        Grpc.newChannelBuilder(target, credentials())
            .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
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

  private ChannelCredentials credentials() {
    if (ca.isEmpty()) {
      return InsecureChannelCredentials.create();
    }
    try {
      return TlsChannelCredentials.newBuilder().trustManager(ca.get().toFile()).build();
    } catch (IOException e) {
      throw new TarnException("ca = '%s': it can't be read: %s".formatted(ca.get(), e), e);
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
