package dev.tarn.serving.world;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.Feature;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.StructField;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.RowWriter;
import java.util.List;

/**
 * A feature view in its released version, with all that is needed to find and decode a row. It is
 * immutable and computed once per release.
 */
public final class ReleasedView {

  private static final long NO_LIMIT = -1;

  private final RedisKeys keys;
  private final Manifest manifest;
  private final Release release;
  private final ViewVersion viewVersion;
  private final Layers layers;
  private final long maxAgeMicros;
  private final List<FeatureType> types;

  /**
   * Creates the view from its version record.
   *
   * @throws IllegalArgumentException if this server can't serve it; the message says why
   */
  public ReleasedView(RedisKeys keys, Manifest manifest, Release release) {
    check(manifest);
    this.keys = keys;
    this.manifest = manifest;
    this.release = release;
    layers = Layers.of(keys, manifest);
    maxAgeMicros = manifest.hasMaxAge() ? Durations.toMicros(manifest.getMaxAge()) : NO_LIMIT;
    types = manifest.getFeaturesList().stream().map(StoredFeature::getType).toList();
    viewVersion =
        ViewVersion.newBuilder()
            .setFeatureView(manifest.getFeatureView())
            .setVersion(manifest.getVersion())
            .setSnapshotId(manifest.getSnapshotId())
            .setAsOf(manifest.getAsOf())
            .setReleasedAt(Timestamps.fromMillis(release.releasedAt().toEpochMilli()))
            .build();
  }

  /** Returns the same version with another release. */
  ReleasedView with(Release release) {
    return new ReleasedView(keys, manifest, release);
  }

  public String name() {
    return manifest.getFeatureView();
  }

  public String entity() {
    return manifest.getEntity();
  }

  public List<StoredFeature> features() {
    return manifest.getFeaturesList();
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
            .addAllEntityKeys(manifest.getEntityKeysList())
            .setDescription(manifest.getDescription())
            .setOwner(manifest.getOwner())
            .addAllTags(manifest.getTagsList())
            .setReleased(viewVersion)
            .setRows(manifest.getRows());
    if (manifest.hasMaxAge()) {
      view.setMaxAge(manifest.getMaxAge());
    }
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

  private static void check(Manifest manifest) {
    if (manifest.getRowFormat() != RowWriter.FORMAT) {
      throw new IllegalArgumentException(
          "its rows are in format %d and this server reads %d: update the server"
              .formatted(manifest.getRowFormat(), RowWriter.FORMAT));
    }
    if (manifest.getEntity().isEmpty()) {
      throw new IllegalArgumentException("its version record lacks an entity");
    }
    for (StoredFeature feature : manifest.getFeaturesList()) {
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
