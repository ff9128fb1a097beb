package dev.tarn.serving.world;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.Feature;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.layer.Layers;
import dev.tarn.live.LivePlan;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.StructField;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.RowWriter;
import java.util.List;
import java.util.Optional;

/**
 * A feature view in its released version, with all that is needed to find and decode a row. It is
 * immutable and computed once per release.
 */
public final class ReleasedView {

  private static final long NO_LIMIT = -1;

  private final RedisKeys keys;
  private final VersionRecord record;
  private final Release release;
  private final ViewVersion viewVersion;
  private final Layers layers;
  private final long maxAgeMicros;
  private final Optional<LiveView> live;
  private final List<StoredFeature> features;
  private final List<FeatureType> types;

  /**
   * Creates the view from its version record.
   *
   * @throws IllegalArgumentException if this server can't serve it; the message says why
   */
  public ReleasedView(RedisKeys keys, VersionRecord record, Release release) {
    check(record);
    this.keys = keys;
    this.record = record;
    this.release = release;
    layers = Layers.of(keys, record);
    maxAgeMicros = record.hasMaxAge() ? Durations.toMicros(record.getMaxAge()) : NO_LIMIT;
    live = record.hasLive() ? Optional.of(new LiveView(keys, record)) : Optional.empty();
    features = live.map(LiveView::features).orElseGet(record::getFeaturesList);
    types = features.stream().map(StoredFeature::getType).toList();
    viewVersion =
        ViewVersion.newBuilder()
            .setFeatureView(record.getFeatureView())
            .setVersion(record.getVersion())
            .setSnapshotId(record.getSnapshotId())
            .setAsOf(record.getAsOf())
            .setReleasedAt(Timestamps.fromMillis(release.releasedAt().toEpochMilli()))
            .build();
  }

  /** Returns the same version with another release. */
  ReleasedView with(Release release) {
    return new ReleasedView(keys, record, release);
  }

  public String name() {
    return record.getFeatureView();
  }

  public String entity() {
    return record.getEntity();
  }

  /** Returns the features that are answered. */
  public List<StoredFeature> features() {
    return features;
  }

  /** Returns what the view is merged with, if it is live: its rows in Redis are cells then. */
  public Optional<LiveView> live() {
    return live;
  }

  /** Returns the types of {@link #features()}, in the order of the values in a row. */
  public List<FeatureType> types() {
    return types;
  }

  Release release() {
    return release;
  }

  public ViewVersion viewVersion() {
    return viewVersion;
  }

  /** Returns the layers that its rows lie in. */
  public Layers layers() {
    return layers;
  }

  /** Returns whether a row of this event time is older than the view's maximum age. */
  public boolean isTooOld(long eventMicros, long nowMicros) {
    return maxAgeMicros != NO_LIMIT && eventMicros < nowMicros - maxAgeMicros;
  }

  /** Describes the view as {@code ListFeatureViews} answers it. */
  public FeatureView describe() {
    FeatureView.Builder view =
        FeatureView.newBuilder()
            .setName(name())
            .setEntity(entity())
            .addAllEntityKeys(record.getEntityKeysList())
            .setDescription(record.getDescription())
            .setOwner(record.getOwner())
            .addAllTags(record.getTagsList())
            .setReleased(viewVersion)
            .setRows(record.getRows());
    if (record.hasMaxAge()) {
      view.setMaxAge(record.getMaxAge());
    }
    live.ifPresent(cells -> view.setMaxLag(cells.maxLag()));
    features().forEach(feature -> view.addFeatures(describe(feature)));
    return view.build();
  }

  private static Feature describe(StoredFeature stored) {
    Feature.Builder feature =
        Feature.newBuilder()
            .setName(stored.getName())
            .setType(FeatureTypes.name(stored.getType()))
            .setDescription(stored.getDescription())
            .setOwner(stored.getOwner())
            .addAllTags(stored.getTagsList());
    if (stored.hasDefaultValue()) {
      feature.setDefaultValue(stored.getDefaultValue());
    }
    return feature.build();
  }

  private static void check(VersionRecord record) {
    int format = record.hasLive() ? LivePlan.FORMAT : RowWriter.FORMAT;
    if (record.getRowFormat() != format) {
      throw new IllegalArgumentException(
          "its rows are in format %d and this server reads %d: update the server"
              .formatted(record.getRowFormat(), format));
    }
    if (record.getEntity().isEmpty()) {
      throw new IllegalArgumentException("its version record lacks an entity");
    }
    for (StoredFeature feature : record.getFeaturesList()) {
      if (!isKnown(feature.getType())) {
        throw new IllegalArgumentException(
            "feature '%s' is of a type that this server does not know: update the server"
                .formatted(feature.getName()));
      }
    }
  }

  private static boolean isKnown(FeatureType type) {
    return switch (type.getKind()) {
      case KIND_UNSPECIFIED, UNRECOGNIZED -> false;
      case KIND_ARRAY -> isKnown(type.getElement());
      case KIND_STRUCT ->
          type.getFieldsList().stream().map(StructField::getType).allMatch(ReleasedView::isKnown);
      default -> true;
    };
  }
}
