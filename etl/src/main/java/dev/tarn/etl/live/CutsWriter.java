package dev.tarn.etl.live;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.catalog.LiveCuts.LiveCut;
import dev.tarn.etl.redis.LiveStore;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.live.Progress;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Adds to the ledger of cuts how far the views are, once a while. Of several processes the one does
 * it that has the topic's first partition.
 */
final class CutsWriter {

  private final List<Follower> followers;
  private final LiveSettings settings;
  private final RedisServers servers;
  private final LiveCuts ledger;
  private final StopSignal stop;

  CutsWriter(
      List<Follower> followers,
      LiveSettings settings,
      RedisServers servers,
      LiveCuts ledger,
      StopSignal stop) {
    this.followers = followers;
    this.settings = settings;
    this.servers = servers;
    this.ledger = ledger;
    this.stop = stop;
  }

  /** Adds a cut of each view again and again, until it is to stop. */
  void run() {
    while (!stop.isAsked()) {
      stop.await(settings.cutsEvery());
      try {
        write();
      } catch (JedisException | TarnException e) {
        followers.forEach(follower -> follower.metrics().trouble(e.getMessage()));
      }
    }
  }

  /** Adds a cut of each view. */
  void write() {
    List<LiveCut> cuts = new ArrayList<>();
    try (LiveStore store = LiveStore.open(servers)) {
      for (Follower follower : followers) {
        if (!follower.share().contains(0)) {
          continue;
        }
        for (LiveView view : follower.views()) {
          view.bases().flatMap(bases -> cut(store, follower, view, bases)).ifPresent(cuts::add);
        }
      }
    }
    if (!cuts.isEmpty()) {
      ledger.add(cuts);
    }
  }

  private static Optional<LiveCut> cut(
      LiveStore store, Follower follower, LiveView view, KeptBases bases) {
    Instant at = Instant.now();
    Map<Integer, Progress> progress = store.progress(bases.generation());
    if (progress.isEmpty()) {
      return Optional.empty();
    }
    SortedMap<Integer, Long> offsets = new TreeMap<>();
    progress.forEach((partition, there) -> offsets.put(partition, there.next()));
    long through = progress.values().stream().mapToLong(Progress::through).min().orElse(0);
    return Optional.of(
        new LiveCut(
            view.name(),
            at,
            view.generation(),
            new Cut(view.source().stream().orElseThrow().topic(), follower.topicId(), offsets),
            Optional.of(through).filter(t -> t > 0).map(Values::instant)));
  }
}
