package dev.tarn.etl.live;

import dev.tarn.etl.redis.LiveStore.Generation;
import dev.tarn.live.Cut;
import dev.tarn.live.LivePlan;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The kept bases of a generation, as live cells need to know them.
 *
 * @param oldest by partition the least cut: what is before it is in all bases
 * @param topicIds Kafka's ids of the topic that they were made from
 */
record KeptBases(Generation generation, LivePlan plan, Cut oldest, Set<String> topicIds) {

  /**
   * The bases among the complete versions of a view.
   *
   * @return empty if none is of the generation
   */
  static Optional<KeptBases> of(
      RedisKeys keys, String view, String generation, Collection<VersionRecord> versions) {
    List<LiveBase> bases =
        versions.stream()
            .filter(VersionRecord::hasLive)
            .map(VersionRecord::getLive)
            .filter(base -> base.getGeneration().equals(generation))
            .toList();
    if (bases.isEmpty()) {
      return Optional.empty();
    }
    Set<Integer> partitions = new TreeSet<>();
    bases.forEach(base -> partitions.addAll(base.getCutMap().keySet()));
    Map<Integer, Long> oldest = new TreeMap<>();
    for (int partition : partitions) {
      oldest.put(
          partition,
          bases.stream().mapToLong(base -> base.getCutOrDefault(partition, 0)).min().orElseThrow());
    }
    LiveBase first = bases.get(0);
    return Optional.of(
        new KeptBases(
            Generation.of(keys, view, generation, first.getLiveBuckets()),
            LivePlan.of(first),
            Cut.of(oldest),
            bases.stream()
                .map(LiveBase::getTopicId)
                .filter(id -> !id.isEmpty())
                .collect(Collectors.toCollection(TreeSet::new))));
  }
}
