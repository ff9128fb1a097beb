package dev.tarn.etl.release;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Removes the live cells of generations that nothing is answered from any more. */
public final class LiveRetention {

  private final VersionStore versions;

  public LiveRetention(VersionStore versions) {
    this.versions = versions;
  }

  /**
   * Removes the versions and live cells of all generations but that of the released version: a
   * rollback to such a version would lack the events since.
   *
   * @param table of the view's bases
   * @param grace the time for which lookups that are under way may still read them
   * @return the generations that were removed
   */
  public List<String> removeOthers(String view, FeatureTable table, Duration grace) {
    Optional<VersionRecord> released = versions.releasedRecord(view);
    if (released.isEmpty()) {
      return List.of();
    }
    String generation = released.get().getLive().getGeneration();
    List<VersionRecord> others =
        versions.records(view).stream()
            .filter(VersionRecord::hasLive)
            .filter(record -> !record.getLive().getGeneration().equals(generation))
            .toList();
    new Retention(versions).prune(view, table, others, grace);
    Map<String, String> live = new TreeMap<>(versions.liveGenerations(view));
    live.remove(generation);
    remove(view, live, grace);
    return List.copyOf(live.keySet());
  }

  /** Removes all live cells of a view. */
  void removeAll(String view, Duration grace) {
    remove(view, versions.liveGenerations(view), grace);
  }

  private void remove(String view, Map<String, String> generations, Duration grace) {
    generations.forEach(
        (generation, buckets) ->
            versions.removeLive(view, generation, Integer.parseInt(buckets), grace));
  }
}
