package dev.tarn.serving.world;

import com.google.protobuf.Duration;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.layer.Layer;
import dev.tarn.live.Cut;
import dev.tarn.live.LivePlan;
import dev.tarn.live.LiveRow;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.util.List;

/**
 * What a released version of a live view is the base of: its cut, and the live cells that are
 * merged with it. It is immutable and computed once per release.
 */
public final class LiveView {

  private final LiveBase base;
  private final LivePlan plan;
  private final Cut cut;
  private final Layer layer;
  private final String progressKey;
  private final long baseMicros;
  private final long maxLagMicros;

  /**
   * Creates it from the version record of a live view.
   *
   * @throws IllegalArgumentException if this server can't serve it; the message says why
   */
  LiveView(RedisKeys keys, VersionRecord record) {
    base = record.getLive();
    plan = LivePlan.of(base);
    check(record);
    cut = Cut.of(base.getCutMap());
    layer = Layer.live(keys, record.getFeatureView(), base);
    progressKey = keys.applied(record.getFeatureView(), base.getGeneration());
    baseMicros = Timestamps.toMicros(record.getAsOf());
    maxLagMicros = Durations.toMicros(base.getMaxLag());
  }

  private void check(VersionRecord record) {
    List<StoredFeature> stored = record.getFeaturesList();
    if (stored.size() != 1 || stored.get(0).getType().getKind() != FeatureType.Kind.KIND_BINARY) {
      throw new IllegalArgumentException("its version record has features beside the live cells");
    }
    if (base.getGeneration().isEmpty() || base.getLiveBuckets() < 1 || !base.hasMaxLag()) {
      throw new IllegalArgumentException(
          "the base in its version record lacks generation, live_buckets or max_lag");
    }
    if (base.getFeaturesCount() != plan.features()) {
      throw new IllegalArgumentException(
          "its version record has %d windows of %d features"
              .formatted(plan.features(), base.getFeaturesCount()));
    }
    for (int i = 0; i < plan.features(); i++) {
      StoredFeature feature = base.getFeatures(i);
      if (!LiveRow.isKnown(feature.getType())
          || !plan.aggregate(i).resultType().equals(feature.getType())) {
        throw new IllegalArgumentException(
            "feature '%s' is of another type than its window".formatted(feature.getName()));
      }
    }
  }

  public LivePlan plan() {
    return plan;
  }

  /** Returns the features that are answered. */
  public List<StoredFeature> features() {
    return base.getFeaturesList();
  }

  public String generation() {
    return base.getGeneration();
  }

  /** Returns the cut of the base: live cells count from there on. */
  public Cut cut() {
    return cut;
  }

  /** Returns the layer of the live cells, which changes while it is read. */
  public Layer layer() {
    return layer;
  }

  /** Returns the key in which the live job notes how far it has come. */
  public String progressKey() {
    return progressKey;
  }

  /** Returns the moment of the base, microseconds since 1970 UTC. */
  public long baseMicros() {
    return baseMicros;
  }

  /** Returns the lag beyond which the view is not answered. */
  public Duration maxLag() {
    return base.getMaxLag();
  }

  public long maxLagMicros() {
    return maxLagMicros;
  }
}
