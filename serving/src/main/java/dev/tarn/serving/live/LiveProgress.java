package dev.tarn.serving.live;

import dev.tarn.live.Progress;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.redis.RedisUnavailableException;
import dev.tarn.serving.world.LiveView;
import dev.tarn.serving.world.ReleasedView;
import dev.tarn.serving.world.World;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the progress of the live job fresh, for all live views of the latest world. While there are
 * none it asks nothing.
 *
 * <p>What it knows was read before any lookup that asks it sends its read. So the cells that the
 * lookup reads have all that the progress says, and perhaps more.
 */
public final class LiveProgress implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(LiveProgress.class);

  /**
   * What was read.
   *
   * @param redis the identity of the connection: a Redis that comes back may have gone back
   * @param nanos when it was asked, by {@link System#nanoTime}
   */
  private record Known(Object redis, long nanos, Map<String, Applied> byKey) {}

  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread daemon = new Thread(task, "live-progress");
            daemon.setDaemon(true);
            return daemon;
          });

  private volatile Optional<World> world = Optional.empty();
  private volatile Known known = new Known(new Object(), System.nanoTime(), Map.of());

  /** Problems of the last read, by key, so that each is logged once. */
  private Map<String, String> warned = new HashMap<>();

  /** Begins to read every {@code serving.live-poll}, on a thread of its own. */
  public LiveProgress(Duration poll) {
    var unused =
        thread.scheduleWithFixedDelay(
            this::poll, poll.toMillis(), poll.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Continues with the views of another world, of which it knows the progress when it returns. */
  public void use(World next) {
    world = Optional.of(next);
    read(next);
  }

  /** Returns how far a view is known to be complete over a connection. */
  public Completeness of(LiveView view, Object redis) {
    Known now = known;
    Applied applied = now.redis() == redis ? now.byKey().get(view.progressKey()) : null;
    return (applied == null ? Applied.NOTHING : applied).of(view);
  }

  /** Adds the metrics of the live views. */
  public void register(Metrics metrics, InstantSource clock) {
    metrics.gauges(
        "tarn_live_lag_seconds",
        "Now less the time up to which the stream is known to be applied",
        List.of("feature_view"),
        gauge ->
            forEachView(
                (complete, view) ->
                    gauge.set(clock.millis() / 1e3 - complete.throughMicros() / 1e6, view)));
    metrics.gauge(
        "tarn_live_progress_age_seconds",
        "Time since the server last read how far the live job is; 0 without live views",
        () ->
            world.filter(now -> !live(now).isEmpty()).isEmpty()
                ? 0
                : (System.nanoTime() - known.nanos()) / 1e9);
  }

  private void forEachView(BiConsumer<Completeness, String> action) {
    world.ifPresent(
        now ->
            live(now)
                .forEach((name, view) -> action.accept(of(view, now.redis().identity()), name)));
  }

  @Override
  public void close() {
    var unused = thread.shutdownNow();
  }

  private void poll() {
    try {
      world.ifPresent(this::read);
    } catch (RuntimeException e) {
      // An exception that leaves this method would end the polling.
      log.error("reading the progress of live views failed unexpectedly", e);
    }
  }

  private synchronized void read(World now) {
    List<String> keys = live(now).values().stream().map(LiveView::progressKey).distinct().toList();
    if (keys.isEmpty()) {
      return;
    }
    long began = System.nanoTime();
    try {
      List<Map<String, String>> hashes = now.redis().hashes(keys);
      Map<String, Applied> byKey = new HashMap<>();
      Map<String, String> problems = new HashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        String key = keys.get(i);
        try {
          byKey.put(key, new Applied(Progress.parse(hashes.get(i))));
        } catch (IllegalArgumentException e) {
          problems.put(key, e.getMessage());
        }
      }
      tell(problems);
      known = new Known(now.redis().identity(), began, Map.copyOf(byKey));
    } catch (RedisUnavailableException e) {
      // What is known gets older, which answers tell; the world's reader says why in the log.
      log.debug("the progress of live views can't be read: {}", e.getMessage());
    }
  }

  private void tell(Map<String, String> problems) {
    problems.forEach(
        (key, problem) -> {
          if (!problem.equals(warned.get(key))) {
            log.warn(
                "the progress in '{}' can't be read: {}; its view is answered as LAGGING",
                key,
                problem);
          }
        });
    warned = problems;
  }

  private static Map<String, LiveView> live(World world) {
    Map<String, LiveView> live = new HashMap<>();
    for (ReleasedView view : world.views().values()) {
      view.live().ifPresent(cells -> live.put(view.name(), cells));
    }
    return live;
  }
}
