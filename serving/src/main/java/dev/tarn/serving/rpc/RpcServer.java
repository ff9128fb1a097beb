package dev.tarn.serving.rpc;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.cli.TarnException;
import dev.tarn.serving.access.Access;
import dev.tarn.serving.lookup.Lookup;
import dev.tarn.serving.ops.CallRecords;
import dev.tarn.serving.redis.NetworkThreads;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerTransportFilter;
import io.grpc.ServiceDescriptor;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import java.util.stream.Stream;

/** The gRPC server: the two lookup services, health and reflection on one port. */
public final class RpcServer {

  /**
   * The silence after which the server asks whether a client is still there, and how long it waits
   * for the answer. The lookups of one that is gone keep their memory until then.
   */
  private static final long KEEPALIVE_SECONDS = 30;

  private static final long KEEPALIVE_TIMEOUT_SECONDS = 10;

  /** What gRPC would log as a warning, with its trace, for a client's doing. */
  private static final Set<String> CLIENTS_DOING =
      Set.of(
          // It has closed its stream.
          "Stream Error",
          // Its request is too large, or can't be unpacked.
          "Exception processing message");

  /** Held here because the JDK forgets what is set on a logger that nobody holds. */
  private static final List<Logger> STREAMS =
      Stream.of("NettyServerHandler", "NettyServerStream")
          .map(name -> Logger.getLogger("io.grpc.netty." + name))
          .toList();

  static {
    STREAMS.forEach(logger -> logger.setFilter(line -> !CLIENTS_DOING.contains(line.getMessage())));
  }

  private final RpcSettings settings;
  private final Health health;
  private final Server server;

  /**
   * Builds the server, which does not listen yet.
   *
   * @param network the threads that run all calls; they outlive the server
   * @param connections notes which call comes over which connection
   * @param marksStale whether answers may be stale and then say so in their headers
   */
  public RpcServer(
      RpcSettings settings,
      NetworkThreads network,
      Access access,
      CallRecords calls,
      ServerTransportFilter connections,
      Lookup lookup,
      Health health,
      boolean marksStale) {
    this.settings = settings;
    this.health = health;
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(settings.host(), settings.port()), access.credentials())
            .bossEventLoopGroup(network.group())
            .workerEventLoopGroup(network.group())
            .channelType(network.serverChannel())
            // No call waits for anything, so the network threads run the calls themselves.
            .directExecutor()
            .maxInboundMessageSize(settings.maxMessageBytes())
            .maxConcurrentCallsPerConnection(settings.maxConcurrentCalls())
            .permitKeepAliveTime(settings.permitKeepalive().toNanos(), TimeUnit.NANOSECONDS)
            // An idle client, too, wants to know whether its connection is dead.
            .permitKeepAliveWithoutCalls(true)
            .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
            .addTransportFilter(connections)
            .addStreamTracerFactory(calls)
            .addService(Requests.checked(new FeatureStoreService(lookup)))
            .addService(Requests.checked(new LegacyFeatureStore(lookup)))
            .addService(Requests.checked(health.service()))
            .addService(Requests.checked(ProtoReflectionServiceV1.newInstance()))
            .addService(Requests.checked(olderReflection()));
    // gRPC asks the interceptor that is added last first.
    builder.intercept(new Requests());
    if (marksStale) {
      builder.intercept(new StaleHeader());
    }
    access.guard(builder);
    server = builder.intercept(new Shedding(settings.maxInFlight())).build();
  }

  /** Returns the services whose calls are lookups. */
  public static List<ServiceDescriptor> lookupServices() {
    return List.of(
        FeatureStoreServiceGrpc.getServiceDescriptor(), FeatureStoreGrpc.getServiceDescriptor());
  }

  /**
   * Begins to listen.
   *
   * @throws TarnException if the address can't be used
   */
  public void start() {
    try {
      server.start();
    } catch (IOException e) {
      throw cannotListen(e);
    }
  }

  /** Returns the port that it listens on: that of the settings, or a free one. */
  public int port() {
    return server.getPort();
  }

  /**
   * Takes no new calls, gives those under way {@code serving.drain}, and cancels the others then.
   */
  public void stop() throws InterruptedException {
    health.stopping();
    server.shutdown();
    if (!server.awaitTermination(settings.drain().toMillis(), TimeUnit.MILLISECONDS)) {
      server.shutdownNow();
    }
  }

  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /** Returns the reflection service for clients that do not know version 1 yet. */
  @SuppressWarnings("deprecation")
  private static BindableService olderReflection() {
    return ProtoReflectionService.newInstance();
  }

  private TarnException cannotListen(IOException e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String why = String.valueOf(root.getMessage());
    // Only the text tells this reason from others, both with the JDK's sockets and with epoll.
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
