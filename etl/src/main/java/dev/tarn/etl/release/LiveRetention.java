package dev.tarn.etl.release;

import dev.tarn.etl.catalog.Base;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.iceberg.Snapshot;

/** Removes the live cells of generations that nothing is answered from any more. */
public final class LiveRetention {

  private final VersionStore versions;

  public LiveRetention(VersionStore versions) {
    this.versions = versions;
  }

  /**
   * The generations of a view that are in Redis, with the buckets of their live cells.
   *
   * @param records all complete versions of the view
   * @param table of its bases
   */
  public Map<String, Integer> generations(
      String view, List<VersionRecord> records, Optional<FeatureTable> table) {
    Map<String, Integer> buckets = new HashMap<>();
    for (Snapshot snapshot : table.map(found -> found.iceberg().snapshots()).orElse(List.of())) {
      Base.of(snapshot).ifPresent(base -> buckets.put(base.generation(), base.liveBuckets()));
    }
    for (VersionRecord record : records) {
      if (record.hasLive()) {
        buckets.put(record.getLive().getGeneration(), record.getLive().getLiveBuckets());
      }
    }
    Set<String> all = new TreeSet<>(buckets.keySet());
    table.ifPresent(found -> all.addAll(BaseTable.generations(found)));
    Map<String, Integer> there = new HashMap<>();
    for (String generation : all) {
      if (!versions.progress(view, generation).isEmpty()) {
        there.put(generation, buckets.getOrDefault(generation, 0));
      }
    }
    return there;
  }

  /**
   * Removes the versions and live cells of all generations but that of the released version: a
   * rollback to such a version would lack the events since.
   *
   * @param grace the time for which lookups that are under way may still read them
   * @return the generations that were removed
   */
  public List<String> removeOthers(String view, Optional<FeatureTable> table, Duration grace) {
    Optional<VersionRecord> released = versions.releasedRecord(view);
    if (released.isEmpty()) {
      return List.of();
    }
    String generation = released.get().getLive().getGeneration();
    List<VersionRecord> records = versions.records(view);
    Map<String, Integer> there = generations(view, records, table);
    there.remove(generation);
    List<VersionRecord> old = new ArrayList<>();
    for (VersionRecord record : records) {
      if (record.hasLive() && !record.getLive().getGeneration().equals(generation)) {
        old.add(record);
      }
    }
    if (table.isPresent()) {
      new Retention(versions).prune(view, table.get(), old, grace);
    }
    there.forEach((other, buckets) -> versions.removeLive(view, other, buckets, grace));
    return there.keySet().stream().sorted().toList();
  }
}
