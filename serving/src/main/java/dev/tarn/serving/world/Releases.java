package dev.tarn.serving.world;

import dev.tarn.redis.RedisKeys;
import dev.tarn.serving.redis.RedisConnection;
import dev.tarn.serving.redis.RedisConnector;
import dev.tarn.serving.redis.RedisUnavailableException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the {@link World} up to date. It reads the world at once when a release is announced, and
 * every {@code serving.poll} in case an announcement was lost. It also reconnects: while Redis is
 * away, each poll tries to connect.
 *
 * <p>While Redis is away the last world stays, with a lost connection that fails its lookups.
 */
public final class Releases implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Releases.class);

  private final RedisConnector connector;
  private final Duration poll;
  private final WorldReader reader;
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
  private volatile List<String> warnings = List.of();
  private volatile Instant lastRead = Instant.EPOCH;
  private final AtomicLong connects = new AtomicLong();
  private final FutureTask<Void> firstTry = new FutureTask<>(this::refresh, null);

  // Only the thread above uses these two once it runs.
  private Optional<RedisConnection> connection = Optional.empty();
  private Consumer<World> onWorld = ignored -> {};

  /** Reads nothing until {@link #start}. */
  public Releases(RedisConnector connector, RedisKeys keys, Duration poll) {
    this.connector = connector;
    this.poll = poll;
    reader = new WorldReader(keys);
  }

  /**
   * Begins to read, on a thread of its own.
   *
   * @param onWorld gets each new world, on that thread, before {@link #latest} returns it
   */
  public void start(Consumer<World> onWorld) {
    this.onWorld = onWorld;
    thread.execute(firstTry);
    var unused =
        thread.scheduleWithFixedDelay(
            this::refresh, poll.toMillis(), poll.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Waits for the first try, whether or not Redis answered it. */
  public void awaitFirstTry() throws InterruptedException {
    try {
      firstTry.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  /** Returns the last world that was read; empty before the first. */
  public Optional<World> latest() {
    return world;
  }

  /** Counts the connections that replaced a lost one. */
  long reconnects() {
    return Math.max(0, connects.get() - 1);
  }

  /** Says why the server can't read what is released; empty while it can. */
  public Optional<String> trouble() {
    return trouble;
  }

  /** Says what the user should change about Redis; empty if nothing is known. */
  public List<String> warnings() {
    return warnings;
  }

  /** Says when the server last could read what is released; empty while it can. */
  public Optional<Instant> staleSince() {
    return trouble.isEmpty() ? Optional.empty() : Optional.of(lastRead);
  }

  @Override
  public void close() {
    var unused = thread.shutdownNow();
  }

  private void announced() {
    // One read is enough for many announcements in a row.
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
        List<String> before = warnings;
        warnings = connection.get().warnings();
        warnings.stream().filter(warning -> !before.contains(warning)).forEach(log::warn);
      }
      Instant began = Instant.now();
      World read = reader.read(connection.get());
      lastRead = began;
      if (!world.equals(Optional.of(read))) {
        onWorld.accept(read);
        world = Optional.of(read);
      }
      trouble.ifPresent(ended -> log.info("reading what is released again"));
      trouble = Optional.empty();
    } catch (RedisUnavailableException e) {
      disconnect();
      if (!Optional.of(e.getMessage()).equals(trouble)) {
        log.warn("{}; trying again every {} ms", e.getMessage(), poll.toMillis());
      }
      trouble = Optional.of(e.getMessage());
    } catch (RuntimeException e) {
      // An exception that leaves this method would end the polling, and every later release with
      // it.
      log.error("reading what is released failed unexpectedly", e);
      trouble = Optional.of("the server can't read what is released; its log has more");
    }
  }

  /** Closes the connection, also one that is open but mute, so that its lookups fail now. */
  private void disconnect() {
    connection.ifPresent(RedisConnection::close);
    connection = Optional.empty();
  }
}
