package dev.tarn.serving;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisSettings;
import dev.tarn.serving.access.Authentication;
import dev.tarn.serving.access.CallerFile;
import dev.tarn.serving.access.CertificateNames;
import dev.tarn.serving.access.FileWatch;
import dev.tarn.serving.access.ServerTls;
import dev.tarn.serving.lookup.Answers;
import dev.tarn.serving.lookup.CorruptRows;
import dev.tarn.serving.lookup.Lookup;
import dev.tarn.serving.lookup.NearCache;
import dev.tarn.serving.lookup.Vectors;
import dev.tarn.serving.ops.AccessLog;
import dev.tarn.serving.ops.CallRecords;
import dev.tarn.serving.ops.HttpEndpoints;
import dev.tarn.serving.ops.InFlight;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.ops.Tracing;
import dev.tarn.serving.redis.NetworkThreads;
import dev.tarn.serving.redis.RedisConnector;
import dev.tarn.serving.rpc.FeatureStoreService;
import dev.tarn.serving.rpc.LegacyFeatureStore;
import dev.tarn.serving.rpc.Shedding;
import dev.tarn.serving.rpc.StaleHeader;
import dev.tarn.serving.world.Releases;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The server with all its parts: started once, stopped once.
 *
 * <p>Health is NOT_SERVING until what is released was read for the first time, and again while it
 * drains. An outage of Redis later on leaves it SERVING: it strikes all servers alike, and clients
 * that are told so by each lookup fare better than clients that are left with no server at all.
 */
public final class LookupServer {

  /** The services whose health is reported; the empty name is the server as a whole. */
  private static final List<String> HEALTH_NAMES =
      List.of(
          HealthStatusManager.SERVICE_NAME_ALL_SERVICES,
          FeatureStoreServiceGrpc.SERVICE_NAME,
          FeatureStoreGrpc.SERVICE_NAME);

  private final ServingSettings settings;
  private final HealthStatusManager health = new HealthStatusManager();
  private final ExecutorService executor =
      Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
  private final Optional<NearCache> nearCache;
  private final FileWatch watch;
  private final NetworkThreads network =
      new NetworkThreads(Runtime.getRuntime().availableProcessors());
  private final RedisConnector redis;
  private final Metrics metrics;
  private final Optional<Tracing> tracing;
  private final Releases releases;
  private final Server server;
  private Optional<HttpEndpoints> http = Optional.empty();
  private volatile boolean isStopping;

  private LookupServer(ServingSettings settings, RedisSettings redisSettings) {
    this.settings = settings;
    nearCache =
        settings.nearCacheBytes() == 0
            ? Optional.empty()
            : Optional.of(new NearCache(settings.nearCacheBytes()));
    Optional<ServerTls> tls = ServerTls.of(settings.tls());
    Optional<CallerFile> callers = CallerFile.of(settings);
    watch =
        new FileWatch(
            Stream.concat(
                    tls.map(ServerTls::files).stream(), callers.map(CallerFile::files).stream())
                .toList(),
            settings.reload());
    redis = new RedisConnector(redisSettings, network);
    // Not by a method of its own, which would load OpenTelemetry to do nothing.
    tracing =
        settings.tracing().isOn()
            ? Optional.of(new Tracing(settings.tracing(), redisSettings))
            : Optional.empty();
    releases =
        new Releases(
            redis,
            redisSettings.keys(),
            settings.poll(),
            callers.isPresent(),
            () -> setHealth(ServingStatus.SERVING));
    setHealth(ServingStatus.NOT_SERVING);
    // While the rest of the server is made: to connect takes as long as that.
    releases.start();
    metrics = new Metrics();
    InstantSource clock = InstantSource.system();
    CorruptRows corruptRows = new CorruptRows();
    InFlight inFlight = new InFlight(settings.maxInFlight());
    metrics.watch(inFlight);
    metrics.watch(releases, clock);
    metrics.watch(corruptRows);
    nearCache.ifPresent(metrics::watch);
    Lookup lookup =
        new Lookup(
            releases,
            new Answers(clock, corruptRows),
            new Vectors(clock, corruptRows),
            nearCache,
            settings,
            metrics,
            clock,
            executor);
    List<ServerServiceDefinition> lookups =
        List.of(
            new FeatureStoreService(releases, lookup).bindService(),
            new LegacyFeatureStore(lookup).bindService());
    AccessLog accessLog = new AccessLog(settings.accessLogSample(), clock);
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(settings.host(), settings.port()), ServerTls.credentials(tls))
            // Nothing that a call does waits, so no thread need be woken for it.
            .directExecutor()
            .maxInboundMessageSize(settings.maxMessageBytes())
            .maxConcurrentCallsPerConnection(settings.maxConcurrentCalls())
            .addStreamTracerFactory(new CallRecords(lookups, metrics, inFlight, accessLog, tracing))
            .addTransportFilter(new CertificateNames())
            .addServices(lookups)
            .addService(health.getHealthService())
            .addService(ProtoReflectionServiceV1.newInstance())
            .addService(olderReflection());
    network.serve(builder);
    if (!settings.serveStale().isZero()) {
      builder.intercept(new StaleHeader());
    }
    callers.ifPresent(file -> builder.intercept(new Authentication(file::callers)));
    // The one that is added last is asked first.
    server = builder.intercept(new Shedding(inFlight)).build();
  }

  /**
   * Starts to listen, then reads what is released. Without Redis it starts as well, and answers as
   * soon as Redis does.
   *
   * @throws TarnException if it can't listen where it should
   */
  public static LookupServer start(ServingSettings settings, RedisSettings redis)
      throws InterruptedException {
    LookupServer server = new LookupServer(settings, redis);
    try {
      server.server.start();
    } catch (IOException e) {
      server.stop();
      throw cannotListen(settings, e);
    }
    if (settings.httpPort() >= 0) {
      try {
        server.http =
            Optional.of(HttpEndpoints.start(settings, server.metrics, server::whyNotReady));
      } catch (TarnException e) {
        server.stop();
        throw e;
      }
    }
    server.releases.awaitFirstTry();
    return server;
  }

  /** The port it listens on: the one of the settings, or the one that was free. */
  public int port() {
    return server.getPort();
  }

  /** Empty if {@code serving.near-cache-bytes} is 0. */
  public Optional<NearCache> nearCache() {
    return nearCache;
  }

  /** Where /metrics is; empty if it is nowhere. */
  public Optional<Integer> httpPort() {
    return http.map(HttpEndpoints::port);
  }

  /** What keeps it from answering, if anything does. */
  public Optional<String> trouble() {
    return releases.trouble();
  }

  /**
   * Drains, then stops: takes no new calls, gives those under way {@code serving.drain}, cancels
   * what is left then.
   */
  void stop() throws InterruptedException {
    isStopping = true;
    health.enterTerminalState();
    server.shutdown();
    if (!server.awaitTermination(settings.drain().toMillis(), TimeUnit.MILLISECONDS)) {
      server.shutdownNow();
    }
    watch.close();
    releases.close();
    redis.close();
    network.close();
    executor.shutdown();
    http.ifPresent(HttpEndpoints::close);
    if (tracing.isPresent()) {
      tracing.get().close();
    }
  }

  void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /** As its health is: an outage of Redis later on leaves it ready. */
  private Optional<String> whyNotReady() {
    if (isStopping) {
      return Optional.of("the server is stopping");
    }
    return releases.latest().isPresent()
        ? Optional.empty()
        : Optional.of(trouble().orElse("the server has not yet read what is released"));
  }

  /** The reflection that clients ask which do not know version 1 yet. */
  @SuppressWarnings("deprecation")
  private static BindableService olderReflection() {
    return ProtoReflectionService.newInstance();
  }

  private void setHealth(ServingStatus status) {
    HEALTH_NAMES.forEach(name -> health.setStatus(name, status));
  }

  private static TarnException cannotListen(ServingSettings settings, IOException e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String why = String.valueOf(root.getMessage());
    // All that tells it from the other reasons, whether it is the JDK that binds or epoll.
    if (why.contains("Address already in use")) {
      return new TarnException(
          "port %d of %s is in use: stop what uses it or set serving.port"
              .formatted(settings.port(), settings.host()),
          e);
    }
    return new TarnException(
        "can't listen on %s:%d (%s): set serving.host and serving.port"
            .formatted(settings.host(), settings.port(), why),
        e);
  }
}
