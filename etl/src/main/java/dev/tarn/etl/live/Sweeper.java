package dev.tarn.etl.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.redis.LiveStore;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.live.EntityCells;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Goes through the live cells in Redis, at a bounded rate and in the background. It removes entries
 * in which nothing counts any more, since all kept bases have it or all windows are over, and makes
 * those smaller that have much of that.
 *
 * <p>Processes share the buckets as they share the partitions.
 */
final class Sweeper {

  private static final Logger LOG = LoggerFactory.getLogger(Sweeper.class);
  private static final int AT_ONCE = 100;
  private static final Duration LEAST_PASS = Duration.ofMinutes(1);
  private static final byte[] START = "0".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] REMOVED = new byte[0];

  private final Follower follower;
  private final List<LiveView> views;
  private final LiveSettings settings;
  private final RedisServers servers;
  private final StopSignal stop;

  Sweeper(
      Follower follower,
      List<LiveView> views,
      LiveSettings settings,
      RedisServers servers,
      StopSignal stop) {
    this.follower = follower;
    this.views = views;
    this.settings = settings;
    this.servers = servers;
    this.stop = stop;
  }

  /** Goes through them again and again, until it is to stop. */
  void run() {
    while (!stop.isAsked()) {
      if (follower.share().isEmpty()) {
        stop.await(Duration.ofMillis(100));
        continue;
      }
      Instant next = Instant.now().plus(LEAST_PASS);
      try (LiveStore store = LiveStore.open(servers)) {
        for (LiveView view : views) {
          view.bases().ifPresent(bases -> sweep(store, view, bases));
        }
      } catch (JedisException | TarnException e) {
        LOG.warn("can't go through live cells", e);
      }
      Duration rest = Duration.between(Instant.now(), next);
      stop.await(rest.isNegative() ? Duration.ZERO : rest);
    }
  }

  /** Goes once through the entries of a view that are this process's to look at. */
  void sweep(LiveStore store, LiveView view, KeptBases bases) {
    int buckets = bases.generation().buckets().count();
    for (int bucket = 0; bucket < buckets && !stop.isAsked(); bucket++) {
      int partitions = follower.partitions();
      Set<Integer> share = follower.share();
      if (partitions == 0 || !share.contains(bucket % partitions)) {
        continue;
      }
      Map<Integer, Progress> progress = store.progress(bases.generation());
      byte[] cursor = START;
      do {
        int[] seen = new int[1];
        cursor =
            store.scan(
                bases.generation(),
                bucket,
                cursor,
                AT_ONCE,
                (id, entry) -> {
                  seen[0]++;
                  look(store, view, bases, progress, id, entry);
                });
        store.flush();
        stop.await(
            Duration.ofNanos(
                TimeUnit.SECONDS.toNanos(1) * Math.max(1, seen[0]) / settings.sweepRate()));
      } while (!Arrays.equals(cursor, START) && !stop.isAsked());
    }
  }

  private void look(
      LiveStore store,
      LiveView view,
      KeptBases bases,
      Map<Integer, Progress> progress,
      byte[] id,
      byte[] entry) {
    EntityCells cells;
    try {
      cells = EntityCells.readLive(bases.plan(), Token.cells(entry));
    } catch (CorruptStateException e) {
      LOG.warn("live cells of view {} can't be read: {}", view.name(), e.getMessage());
      return;
    }
    long bound =
        Values.micros(Instant.now())
            - TimeUnit.NANOSECONDS.toMicros(settings.clockSkew().toNanos());
    cells.settle(bound);
    cells.trim(bound, Optional.of(bases.oldest()));
    byte[] smaller;
    if (!cells.isEmpty()) {
      smaller = Token.entry(cells.toBytes());
      if (smaller.length > entry.length * 3L / 4) {
        return;
      }
    } else if (isKnown(cells, progress)) {
      smaller = REMOVED;
    } else {
      return;
    }
    store.replace(bases.generation(), id, LiveStore.tokenOf(entry), smaller, other -> {});
    follower.metrics().view(view.name()).swept();
  }

  /** Whether progress says of all that was applied to an entity that it was applied. */
  private boolean isKnown(EntityCells cells, Map<Integer, Progress> progress) {
    for (int partition = 0; partition < follower.partitions(); partition++) {
      Progress there = progress.get(partition);
      if (cells.applied(partition) > (there == null ? 0 : there.next())) {
        return false;
      }
    }
    return true;
  }
}
