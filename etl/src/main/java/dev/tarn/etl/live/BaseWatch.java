package dev.tarn.etl.live;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.redis.LiveStore;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches in Redis which bases the live views have, and which runs of which servers have the keys.
 * Removes live cells that no kept version goes with.
 */
final class BaseWatch {

  private static final Logger LOG = LoggerFactory.getLogger(BaseWatch.class);

  /**
   * The time after which cells without a version go; a process that still writes them has stopped.
   */
  private static final Duration GRACE = Duration.ofMinutes(1);

  private final List<LiveView> views;
  private final LiveSettings settings;
  private final RedisServers servers;
  private final VersionStore versions;
  private final StopSignal stop;

  /** By view and generation: since when no version goes with it. */
  private final Map<String, Instant> abandoned = new HashMap<>();

  private volatile String runs = "";

  BaseWatch(List<LiveView> views, LiveSettings settings, RedisServers servers, StopSignal stop) {
    this.views = views;
    this.settings = settings;
    this.servers = servers;
    this.stop = stop;
    versions = new VersionStore(servers);
  }

  /** The runs of the servers as they were a moment ago; empty: not known. */
  String runs() {
    return runs;
  }

  /**
   * Looks once.
   *
   * @throws TarnException if Redis is away, or refuses
   */
  void look() {
    runs = LiveStore.runs(servers);
    for (LiveView view : views) {
      List<VersionRecord> kept = versions.records(view.name());
      view.setBases(KeptBases.of(keys(), view.name(), view.generation(), kept));
      removeAbandoned(view, kept);
    }
  }

  /** Looks again and again, until it is to stop. */
  void run() {
    while (!stop.isAsked()) {
      stop.await(settings.poll());
      try {
        look();
      } catch (TarnException e) {
        LOG.warn("can't look for versions", e);
      }
    }
  }

  private void removeAbandoned(LiveView view, List<VersionRecord> kept) {
    Set<String> used =
        kept.stream()
            .filter(VersionRecord::hasLive)
            .map(record -> record.getLive().getGeneration())
            .collect(Collectors.toSet());
    Map<String, String> there = versions.liveGenerations(view.name());
    there.forEach(
        (generation, buckets) -> {
          String name = view.name() + " " + generation;
          if (used.contains(generation)) {
            abandoned.remove(name);
            return;
          }
          Instant since = abandoned.computeIfAbsent(name, n -> Instant.now());
          if (since.plus(GRACE).isBefore(Instant.now())) {
            versions.removeLive(view.name(), generation, Integer.parseInt(buckets), Duration.ZERO);
            abandoned.remove(name);
            LOG.info("removed the live cells of {}, generation {}", view.name(), generation);
          }
        });
  }

  private RedisKeys keys() {
    return servers.settings().keys();
  }

  /** The views that have no base. */
  List<LiveView> waiting() {
    return views.stream().filter(view -> view.bases().isEmpty()).toList();
  }
}
