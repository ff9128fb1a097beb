package dev.tarn.serving.world;

import dev.tarn.redis.RedisKeys;
import dev.tarn.serving.access.Caller;
import dev.tarn.serving.redis.RedisConnection;
import dev.tarn.serving.redis.RedisConnector;
import dev.tarn.serving.redis.RedisUnavailableException;
import dev.tarn.serving.rpc.Failures;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the {@link World} up to date: reads it anew at once when a release is announced, and every
 * {@code serving.poll} in case an announcement was lost. Redis's outages end here too: as long as
 * it is away, each poll tries to connect.
 *
 * <p>The last world stays while Redis is away, with a connection that refuses its lookups.
 */
public final class Releases implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Releases.class);

  private final RedisConnector connector;
  private final Duration poll;
  private final WorldReader reader;
  private final boolean hasCallers;
  private final Runnable onFirstWorld;
  private final AtomicBoolean isAnnounced = new AtomicBoolean();
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread daemon = new Thread(task, "releases");
            daemon.setDaemon(true);
            return daemon;
          });

  private volatile Optional<World> world = Optional.empty();
  private volatile Optional<String> trouble = Optional.empty();
  private volatile Instant lastRead = Instant.EPOCH;
  private final AtomicLong connects = new AtomicLong();
  private final FutureTask<Void> firstTry = new FutureTask<>(this::refresh, null);

  /** Of {@link #thread} alone. */
  private Optional<RedisConnection> connection = Optional.empty();

  /**
   * Reads nothing yet.
   *
   * @param hasCallers whether each request sees only what its caller may
   * @param onFirstWorld run once, when lookups can be answered for the first time
   */
  public Releases(
      RedisConnector connector,
      RedisKeys keys,
      Duration poll,
      boolean hasCallers,
      Runnable onFirstWorld) {
    this.connector = connector;
    this.poll = poll;
    this.hasCallers = hasCallers;
    this.onFirstWorld = onFirstWorld;
    reader = new WorldReader(keys);
  }

  /** Begins to read, on a thread of its own. */
  public void start() {
    thread.execute(firstTry);
    var unused =
        thread.scheduleWithFixedDelay(
            this::refresh, poll.toMillis(), poll.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Waits for the first try, whether or not Redis was there. */
  public void awaitFirstTry() throws InterruptedException {
    try {
      firstTry.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  /**
   * The world to answer one request from, to be asked once a request: what the caller of this
   * thread's call may see, if there are callers.
   *
   * @throws io.grpc.StatusRuntimeException UNAVAILABLE before the first world; UNAUTHENTICATED if
   *     there are callers and this thread has none
   */
  public World world() {
    World whole =
        world.orElseThrow(
            () ->
                Failures.unavailable(
                    trouble.orElse("the server has not yet read what is released")));
    return hasCallers ? whole.of(Caller.current()) : whole;
  }

  /** The last world that was read, whole: for the server's own use, not for answers. */
  public Optional<World> latest() {
    return world;
  }

  /** How many connections replaced a lost one. */
  public long reconnects() {
    return Math.max(0, connects.get() - 1);
  }

  /** What keeps the server from reading what is released, if anything does. */
  public Optional<String> trouble() {
    return trouble;
  }

  /** While {@link #trouble} keeps it from reading: when it last could. */
  public Optional<Instant> staleSince() {
    return trouble.isEmpty() ? Optional.empty() : Optional.of(lastRead);
  }

  @Override
  public void close() {
    var unused = thread.shutdownNow();
  }

  private void announced() {
    // Of many announcements in a row, one read sees them all.
    if (isAnnounced.compareAndSet(false, true) && !thread.isShutdown()) {
      thread.execute(this::refresh);
    }
  }

  private void refresh() {
    isAnnounced.set(false);
    try {
      if (connection.isEmpty() || !connection.get().isOpen()) {
        disconnect();
        connection = Optional.of(connector.connect(this::announced));
        connects.incrementAndGet();
      }
      Instant began = Instant.now();
      World read = reader.read(connection.get());
      lastRead = began;
      boolean isFirst = world.isEmpty();
      world = Optional.of(read);
      trouble.ifPresent(ended -> log.info("reading what is released again"));
      trouble = Optional.empty();
      if (isFirst) {
        onFirstWorld.run();
      }
    } catch (RedisUnavailableException e) {
      disconnect();
      if (!Optional.of(e.getMessage()).equals(trouble)) {
        log.warn("{}; trying again every {} ms", e.getMessage(), poll.toMillis());
      }
      trouble = Optional.of(e.getMessage());
    } catch (RuntimeException e) {
      // Out of here it would end the polling, and with it every later release.
      log.error("reading what is released failed unexpectedly", e);
      trouble = Optional.of("the server can't read what is released; its log has more");
    }
  }

  /** Also of a connection that is open but mute: what is under way on it fails now, not later. */
  private void disconnect() {
    connection.ifPresent(RedisConnection::close);
    connection = Optional.empty();
  }
}
