package dev.tarn.serving;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisSettings;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
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

/**
 * The server with all its parts: started once, stopped once.
 *
 * <p>Health is NOT_SERVING until what is released was read for the first time, and again while it
 * drains. An outage of Redis later on leaves it SERVING: it strikes all servers alike, and clients
 * that are told so by each lookup fare better than clients that are left with no server at all.
 */
final class LookupServer {

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
  private final RedisConnector redis;
  private final Releases releases;
  private final Server server;

  private LookupServer(ServingSettings settings, RedisSettings redisSettings) {
    this.settings = settings;
    nearCache =
        settings.nearCacheBytes() == 0
            ? Optional.empty()
            : Optional.of(new NearCache(settings.nearCacheBytes()));
    redis = new RedisConnector(redisSettings);
    releases =
        new Releases(
            redis, redisSettings.keys(), settings.poll(), () -> setHealth(ServingStatus.SERVING));
    CorruptRows corruptRows = new CorruptRows();
    Lookup lookup =
        new Lookup(
            releases,
            new Answers(InstantSource.system(), corruptRows),
            new Vectors(InstantSource.system(), corruptRows),
            nearCache,
            settings,
            executor);
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(settings.host(), settings.port()))
            .executor(executor)
            .addService(new FeatureStoreService(releases, lookup))
            .addService(new LegacyFeatureStore(lookup))
            .addService(health.getHealthService())
            .addService(ProtoReflectionServiceV1.newInstance())
            .addService(olderReflection())
            .build();
  }

  /**
   * Starts to listen, then reads what is released. Without Redis it starts as well, and answers as
   * soon as Redis does.
   *
   * @throws TarnException if it can't listen where it should
   */
  static LookupServer start(ServingSettings settings, RedisSettings redis)
      throws InterruptedException {
    LookupServer server = new LookupServer(settings, redis);
    server.setHealth(ServingStatus.NOT_SERVING);
    try {
      server.server.start();
    } catch (IOException e) {
      server.stop();
      throw cannotListen(settings, e);
    }
    server.releases.start();
    return server;
  }

  /** The port it listens on: the one of the settings, or the one that was free. */
  int port() {
    return server.getPort();
  }

  /** Empty if {@code serving.near-cache-bytes} is 0. */
  Optional<NearCache> nearCache() {
    return nearCache;
  }

  /** What keeps it from answering, if anything does. */
  Optional<String> trouble() {
    return releases.trouble();
  }

  /**
   * Drains, then stops: takes no new calls, gives those under way {@code serving.drain}, cancels
   * what is left then.
   */
  void stop() throws InterruptedException {
    health.enterTerminalState();
    server.shutdown();
    if (!server.awaitTermination(settings.drain().toMillis(), TimeUnit.MILLISECONDS)) {
      server.shutdownNow();
    }
    releases.close();
    redis.close();
    executor.shutdown();
  }

  void awaitTermination() throws InterruptedException {
    server.awaitTermination();
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
