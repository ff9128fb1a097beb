package dev.tarn.serving;

import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisSettings;
import dev.tarn.serving.access.Access;
import dev.tarn.serving.live.LiveProgress;
import dev.tarn.serving.lookup.CorruptRows;
import dev.tarn.serving.lookup.Lookup;
import dev.tarn.serving.lookup.NearCache;
import dev.tarn.serving.lookup.Scopes;
import dev.tarn.serving.ops.AccessLog;
import dev.tarn.serving.ops.CallRecords;
import dev.tarn.serving.ops.HttpEndpoints;
import dev.tarn.serving.ops.InFlight;
import dev.tarn.serving.ops.InFlightBytes;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.ops.Tracing;
import dev.tarn.serving.redis.NetworkThreads;
import dev.tarn.serving.redis.RedisConnector;
import dev.tarn.serving.rpc.Health;
import dev.tarn.serving.rpc.RpcServer;
import dev.tarn.serving.world.ReleaseMetrics;
import dev.tarn.serving.world.Releases;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The server with all its parts. It is started once and stopped once. */
public final class LookupServer {

  private static final int CORES = Runtime.getRuntime().availableProcessors();

  private final ServingSettings settings;
  private final InstantSource clock = InstantSource.system();
  private final Metrics metrics = new Metrics();
  private final Health health = new Health();
  private final ExecutorService executor = Executors.newFixedThreadPool(CORES);
  private final NetworkThreads network = new NetworkThreads(CORES);
  private final Access access;
  private final RedisConnector redis;
  private final Releases releases;
  private final LiveProgress progress;
  private final Optional<NearCache> nearCache;
  private final Optional<Tracing> tracing;
  private final RpcServer rpc;
  private Optional<HttpEndpoints> http = Optional.empty();
  private volatile boolean isStopping;

  private LookupServer(ServingSettings settings, RedisSettings redisSettings) {
    this.settings = settings;
    access = Access.of(settings.tls(), settings.callers(), settings.reload());
    redis = new RedisConnector(redisSettings, network);
    releases = new Releases(redis, redisSettings.keys(), settings.poll());
    progress = new LiveProgress(settings.livePoll());
    Scopes scopes = new Scopes(releases, access.hasCallers());
    startReading(scopes);
    nearCache = NearCache.of(settings.lookup().nearCacheBytes());
    // A method of its own would load OpenTelemetry even where tracing is off.
    tracing =
        settings.tracing().isOn()
            ? Optional.of(new Tracing(settings.tracing(), redisSettings))
            : Optional.empty();
    CorruptRows corruptRows = new CorruptRows();
    InFlight inFlight = new InFlight(settings.rpc().maxInFlight());
    InFlightBytes inFlightBytes = newInFlightBytes(settings);
    registerMetrics(inFlight, inFlightBytes, corruptRows);
    rpc =
        new RpcServer(
            settings.rpc(),
            network,
            access,
            newCallRecords(inFlight, inFlightBytes),
            inFlightBytes.connections(),
            newLookup(scopes, corruptRows),
            health,
            settings.lookup().servesStale());
  }

  /** Connects while the rest of the server is made, which takes as long. */
  private void startReading(Scopes scopes) {
    releases.start(
        world -> {
          progress.use(world);
          scopes.use(world);
          health.serving();
        });
  }

  /** Gives the lookups under way their share of the heap beside the near cache. */
  private static InFlightBytes newInFlightBytes(ServingSettings settings) {
    return new InFlightBytes(
        settings
            .rpc()
            .maxInFlightBytes()
            .of(Runtime.getRuntime().maxMemory() - settings.lookup().nearCacheBytes()));
  }

  private void registerMetrics(
      InFlight inFlight, InFlightBytes inFlightBytes, CorruptRows corruptRows) {
    inFlight.register(metrics);
    inFlightBytes.register(metrics);
    ReleaseMetrics.register(releases, clock, metrics);
    progress.register(metrics, clock);
    corruptRows.register(metrics);
    nearCache.ifPresent(cache -> cache.register(metrics));
  }

  private CallRecords newCallRecords(InFlight inFlight, InFlightBytes inFlightBytes) {
    return new CallRecords(
        RpcServer.lookupServices(),
        metrics,
        inFlight,
        inFlightBytes,
        new AccessLog(settings.accessLogSample(), clock),
        tracing);
  }

  private Lookup newLookup(Scopes scopes, CorruptRows corruptRows) {
    return new Lookup(
        scopes,
        releases,
        progress,
        corruptRows,
        nearCache,
        settings.lookup(),
        metrics,
        clock,
        executor);
  }

  /**
   * Starts to listen, then reads what is released. The server starts without Redis as well, and
   * answers lookups as soon as Redis does.
   *
   * @throws TarnException if it can't listen on the address of the settings, or the heap is too
   *     small for the near cache
   */
  public static LookupServer start(ServingSettings settings, RedisSettings redis)
      throws InterruptedException {
    requireHeap(settings.lookup().nearCacheBytes(), Runtime.getRuntime().maxMemory());
    LookupServer server = new LookupServer(settings, redis);
    try {
      server.rpc.start();
      server.startHttp();
    } catch (TarnException e) {
      server.stop();
      throw e;
    }
    server.releases.awaitFirstTry();
    return server;
  }

  /** Refuses a near cache that leaves no heap for lookups: the server would end when it is full. */
  private static void requireHeap(long nearCache, long heap) {
    if (nearCache > heap / 4 * 3) {
      throw new TarnException(
          "serving.near-cache-bytes = %d, and the heap has %d bytes, of which lookups need a quarter: set a larger heap, e.g. TARN_SERVING_OPTS=-Xmx%dm, or a smaller cache"
              .formatted(nearCache, heap, 512 + 2 * (nearCache >> 20)));
    }
  }

  private void startHttp() {
    if (settings.httpPort() >= 0) {
      http =
          Optional.of(
              HttpEndpoints.start(
                  settings.rpc().host(), settings.httpPort(), metrics, this::whyNotReady));
    }
  }

  /** Returns the port of the gRPC services. */
  public int port() {
    return rpc.port();
  }

  /** Returns the near cache; empty if {@code serving.near-cache-bytes} is 0. */
  public Optional<NearCache> nearCache() {
    return nearCache;
  }

  /** Returns the port of /metrics; empty if there is none. */
  public Optional<Integer> httpPort() {
    return http.map(HttpEndpoints::port);
  }

  /** Says why lookups can't be answered; empty if they can. */
  public Optional<String> trouble() {
    return releases.trouble();
  }

  /** Says what the user should change about Redis. */
  public List<String> warnings() {
    return releases.warnings();
  }

  /** Drains the calls under way, then stops all parts. */
  void stop() throws InterruptedException {
    isStopping = true;
    rpc.stop();
    access.close();
    releases.close();
    progress.close();
    redis.close();
    network.close();
    executor.shutdown();
    http.ifPresent(HttpEndpoints::close);
    if (tracing.isPresent()) {
      tracing.get().close();
    }
  }

  void awaitTermination() throws InterruptedException {
    rpc.awaitTermination();
  }

  /** Agrees with {@link Health}: a later outage of Redis leaves the server ready. */
  private Optional<String> whyNotReady() {
    if (isStopping) {
      return Optional.of("the server is stopping");
    }
    return releases.latest().isPresent()
        ? Optional.empty()
        : Optional.of(trouble().orElse("the server has not yet read what is released"));
  }
}
