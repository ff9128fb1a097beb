package dev.tarn.serving;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.Value;
import com.typesafe.config.ConfigFactory;
import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.redis.RedisSettings;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/**
 * A server on a free port, in this JVM, over real sockets, and a client of it.
 *
 * <p>A release is seen within milliseconds by its announcement, and within {@code serving.poll},
 * 500 ms, without. {@link #soon} waits longer, so that a slow machine fails no test.
 */
public final class ServerFixture implements AutoCloseable {

  public static final ServingSettings SETTINGS = settings("");

  static {
    // Sends the lines of grpc-java to the log, as the server itself does.
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
  }

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final LookupServer server;
  private final ManagedChannel channel;
  private boolean isStopped;

  public ServerFixture(RedisSettings redis) {
    this(redis, SETTINGS);
  }

  public ServerFixture(RedisSettings redis, ServingSettings settings) {
    try {
      server = LookupServer.start(settings, redis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    channel =
        NettyChannelBuilder.forAddress("127.0.0.1", server.port())
            .usePlaintext()
            .maxInboundMessageSize(64 << 20)
            .build();
  }

  /** Returns the defaults on free ports, changed by HOCON below {@code serving}. */
  public static ServingSettings settings(String changes) {
    return ServingSettings.of(
        ConfigFactory.parseString(changes)
            .atPath("serving")
            .withFallback(ConfigFactory.parseString("serving { port = 0, http-port = 0 }"))
            .withFallback(
                ConfigFactory.parseResources("reference.conf").resolve().getConfig("tarn")));
  }

  public static ServingSettings withPoll(Duration poll) {
    return settings("poll = %d ms".formatted(poll.toMillis()));
  }

  public LookupServer server() {
    return server;
  }

  public ManagedChannel channel() {
    return channel;
  }

  public FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub stub() {
    return FeatureStoreServiceGrpc.newBlockingStub(channel);
  }

  public FeatureStoreGrpc.FeatureStoreBlockingStub legacy() {
    return FeatureStoreGrpc.newBlockingStub(channel);
  }

  public ServingStatus health(String service) {
    return HealthGrpc.newBlockingStub(channel)
        .check(HealthCheckRequest.newBuilder().setService(service).build())
        .getStatus();
  }

  public URI uri(String path) {
    return URI.create("http://127.0.0.1:%d%s".formatted(server.httpPort().orElseThrow(), path));
  }

  public HttpResponse<String> http(String path) {
    try {
      return HTTP.send(HttpRequest.newBuilder(uri(path)).build(), BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Returns the metrics by name with labels. */
  public Map<String, Double> metrics() {
    return http("/metrics")
        .body()
        .lines()
        .filter(line -> !line.startsWith("#"))
        .collect(
            Collectors.toMap(
                line -> line.substring(0, line.lastIndexOf(' ')),
                line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1))));
  }

  public GetOnlineFeaturesResponse ask(GetOnlineFeaturesRequest.Builder request) {
    return stub().getOnlineFeatures(request.build());
  }

  /** Asks for all features of entities. */
  public GetOnlineFeaturesResponse ask(String... ids) {
    return ask(request(ids));
  }

  /** Asks for some features of one entity. */
  public FeatureSet ask(String id, List<String> features) {
    return ask(request(id).addAllFeatureNames(features)).getResultsOrThrow(id);
  }

  public static GetOnlineFeaturesRequest.Builder request(String... ids) {
    return GetOnlineFeaturesRequest.newBuilder().addAllEntityIds(List.of(ids));
  }

  /** Asks without waiting for the answer. */
  public ListenableFuture<GetOnlineFeaturesResponse> askLater(String... ids) {
    return FeatureStoreServiceGrpc.newFutureStub(channel).getOnlineFeatures(request(ids).build());
  }

  /** Asks over a connection of its own. */
  public GetOnlineFeaturesResponse askOver(ChannelCredentials credentials, String... ids) {
    ManagedChannel own = Grpc.newChannelBuilder("127.0.0.1:" + server.port(), credentials).build();
    try {
      return FeatureStoreServiceGrpc.newBlockingStub(own).getOnlineFeatures(request(ids).build());
    } finally {
      own.shutdownNow();
    }
  }

  /** Asks for the names of all services, with some headers. */
  public CompletableFuture<ServerReflectionResponse> reflection(Metadata headers) {
    CompletableFuture<ServerReflectionResponse> answer = new CompletableFuture<>();
    ServerReflectionGrpc.newStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        .serverReflectionInfo(
            new StreamObserver<>() {
              @Override
              public void onNext(ServerReflectionResponse message) {
                answer.complete(message);
              }

              @Override
              public void onError(Throwable failure) {
                answer.completeExceptionally(failure);
              }

              @Override
              public void onCompleted() {}
            })
        .onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    return answer;
  }

  /** Returns the status with which a request fails. */
  public Status refusal(GetOnlineFeaturesRequest.Builder request) {
    return refusal(() -> ask(request));
  }

  public static Status refusal(ThrowingCallable call) {
    StatusRuntimeException refused =
        Assertions.catchThrowableOfType(StatusRuntimeException.class, call);
    assertThat(refused).isNotNull();
    return refused.getStatus();
  }

  public void assertRefused(
      GetOnlineFeaturesRequest.Builder request, Status.Code code, String description) {
    Status status = refusal(request);
    assertThat(status.getDescription()).isEqualTo(description);
    assertThat(status.getCode()).isEqualTo(code);
  }

  /** Returns values as Java objects: numbers, texts, flags; null for a null_value. */
  public static Map<String, Object> values(FeatureSet set) {
    Map<String, Object> values = new HashMap<>();
    set.getFeaturesMap().forEach((name, value) -> values.put(name, java(value)));
    return values;
  }

  /** Returns statuses without their prefix. */
  public static Map<String, String> statuses(FeatureSet set) {
    return set.getStatusesMap().entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> word(entry.getValue())));
  }

  /** Waits for what must happen. The time is a limit for a broken server, not a promise. */
  public static ConditionFactory soon() {
    return Awaitility.await()
        .atMost(Duration.ofSeconds(30))
        .pollInterval(Duration.ofMillis(10))
        .ignoreExceptionsInstanceOf(StatusRuntimeException.class);
  }

  /** Returns the lines of the log that have a text. */
  public static List<String> logged(String text) {
    try {
      return Files.readAllLines(Path.of(System.getProperty("tarn.test.log", "target/test.log")))
          .stream()
          .filter(line -> line.contains(text))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
    stop();
  }

  /** Stops the server once; the client stays. */
  public synchronized void stop() {
    if (!isStopped) {
      isStopped = true;
      try {
        server.stop();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private static Object java(Value value) {
    return switch (value.getKindCase()) {
      case NUMBER_VALUE -> value.getNumberValue();
      case STRING_VALUE -> value.getStringValue();
      case BOOL_VALUE -> value.getBoolValue();
      case NULL_VALUE -> null;
      default -> value;
    };
  }

  private static String word(FeatureStatus status) {
    return status.name().substring("FEATURE_STATUS_".length());
  }
}
