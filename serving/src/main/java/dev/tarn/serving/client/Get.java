package dev.tarn.serving.client;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

/** Runs {@code ./tarn get}, which asks a server as any client would. */
public final class Get {

  private static final long DEADLINE_SECONDS = 5;
  private static final int MAX_ANSWER_BYTES = 256 << 20;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /**
   * The files of {@code ca=}, {@code cert=} and {@code key=}.
   *
   * @param ca the certificates to trust; empty for a server without TLS
   * @param certificate the client's certificate, if it shows one
   * @param key the key of that certificate
   */
  public record TlsFiles(Optional<Path> ca, Optional<Path> certificate, Optional<Path> key) {

    public TlsFiles {
      if (certificate.isPresent() != key.isPresent()) {
        throw new UsageException("cert= and key= go together: give both or none");
      }
      if (certificate.isPresent() && ca.isEmpty()) {
        throw new UsageException("cert= and key= are for a server with TLS: give its ca= too");
      }
    }

    private ChannelCredentials credentials() {
      if (ca.isEmpty()) {
        return InsecureChannelCredentials.create();
      }
      TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
      try (InputStream trusted = open("ca", ca.get())) {
        tls.trustManager(trusted);
        if (certificate.isPresent()) {
          try (InputStream chain = open("cert", certificate.get());
              InputStream secret = open("key", key.get())) {
            tls.keyManager(chain, secret);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return tls.build();
    }

    private static InputStream open(String word, Path file) {
      try {
        return new ByteArrayInputStream(Files.readAllBytes(file));
      } catch (IOException e) {
        throw new TarnException("%s = '%s': it can't be read: %s".formatted(word, file, e), e);
      }
    }
  }

  private final String target;
  private final TlsFiles files;
  private final Metadata headers = new Metadata();

  /**
   * Creates a client of one server.
   *
   * @param target {@code host:port}
   * @param token the caller's token; empty for a server without callers
   */
  public Get(String target, TlsFiles files, String token) {
    this.target = target;
    this.files = files;
    if (!token.isEmpty()) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
  }

  /**
   * Reads the arguments, asks the server and prints its answer: once, or with {@code every} until
   * the process ends.
   *
   * @param defaultPort the port on this machine to ask if no {@code target} is given
   * @throws TarnException if the server refuses or is not there
   */
  public static void run(CommandLine line, int defaultPort, Consumer<String> print)
      throws InterruptedException {
    if (line.has("snapshot") || line.has("stamp")) {
      throw new UsageException(
          "get with snapshot= or stamp= reads Iceberg, which belongs to the etl jar: run it as ./tarn get …");
    }
    if (line.has("view")) {
      throw new UsageException(
          "view= goes with snapshot=; a server is asked for features=VIEW.FEATURE");
    }
    boolean isJson = line.isJson();
    Duration every = line.duration("every", Duration.ZERO);
    List<String> ids = line.list("ids").stream().distinct().toList();
    GetOnlineFeaturesRequest request =
        GetOnlineFeaturesRequest.newBuilder()
            .addAllEntityIds(ids)
            .addAllFeatureNames(line.list("features"))
            .setEntity(line.optional("entity").orElse(""))
            .setIncludeEventTimestamps(true)
            .setIncludeStamps(true)
            .build();
    String target = line.optional("target").orElse("127.0.0.1:" + defaultPort);
    // The token is no argument, because others could see it on the command line.
    String token = Optional.ofNullable(System.getenv("TARN_TOKEN")).orElse("");
    Get get = new Get(target, files(line), token);
    while (true) {
      GetOnlineFeaturesResponse answer = get.ask(request);
      print.accept(
          isJson
              ? AnswerPrinter.json(answer, ids)
              : AnswerPrinter.table(answer, ids, Instant.now(), get.viewsOf(answer)));
      if (every.isZero()) {
        return;
      }
      TimeUnit.MILLISECONDS.sleep(every.toMillis());
    }
  }

  public GetOnlineFeaturesResponse ask(GetOnlineFeaturesRequest request)
      throws InterruptedException {
    return call(stub -> stub.getOnlineFeatures(request));
  }

  /** The view of each feature by plain name, as an answer has only names that are asked for. */
  private Map<String, String> viewsOf(GetOnlineFeaturesResponse answer)
      throws InterruptedException {
    Map<String, String> viewsOf = new HashMap<>();
    if (answer.getVersionsCount() < 2) {
      return viewsOf;
    }
    List<String> answering =
        answer.getVersionsList().stream().map(ViewVersion::getFeatureView).toList();
    for (FeatureView view :
        call(stub -> stub.listFeatureViews(ListFeatureViewsRequest.getDefaultInstance()))
            .getFeatureViewsList()) {
      if (answering.contains(view.getName())) {
        view.getFeaturesList().forEach(feature -> viewsOf.put(feature.getName(), view.getName()));
      }
    }
    return viewsOf;
  }

  private <T> T call(Function<FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub, T> call)
      throws InterruptedException {
    ManagedChannel channel =
        newChannel()
            .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
            .maxInboundMessageSize(MAX_ANSWER_BYTES)
            .build();
    try {
      return call.apply(
          FeatureStoreServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS));
    } catch (StatusRuntimeException e) {
      throw failure(e);
    } finally {
      channel.shutdownNow().awaitTermination(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }
  }

  private ManagedChannelBuilder<?> newChannel() {
    try {
      return Grpc.newChannelBuilder(target, files.credentials());
    } catch (IllegalArgumentException e) {
      throw new TarnException(
          "ca=, cert= and key= can't be used: they are PEM files, the key in PKCS#8 (%s)"
              .formatted(e.getMessage()),
          e);
    }
  }

  private static TlsFiles files(CommandLine line) {
    return new TlsFiles(
        line.optional("ca").map(Path::of),
        line.optional("cert").map(Path::of),
        line.optional("key").map(Path::of));
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
