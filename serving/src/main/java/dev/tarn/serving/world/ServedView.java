package dev.tarn.serving.world;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.Feature;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.Base;
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
 * A feature view in its released version, with all that finding and decoding a row needs worked out
 * once. Immutable.
 */
public final class ServedView {

  private static final long NO_LIMIT = -1;

  private final RedisKeys keys;
  private final Manifest manifest;
  private final Release release;
  private final ViewVersion viewVersion;
  private final List<Layer> layers;
  private final long maxAgeMicros;
  private final List<FeatureType> types;

  /**
   * A view as its manifest describes it.
   *
   * @throws IllegalArgumentException if this server can't serve it; the message says why
   */
  public ServedView(RedisKeys keys, Manifest manifest, Release release) {
    check(manifest);
    this.keys = keys;
    this.manifest = manifest;
    this.release = release;
    layers = Layer.of(keys, manifest);
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

  /** The same version, released anew. */
  ServedView with(Release release) {
    return new ServedView(keys, manifest, release);
  }

  public String name() {
    return manifest.getFeatureView();
  }

  String entity() {
    return manifest.getEntity();
  }

  public List<StoredFeature> features() {
    return manifest.getFeaturesList();
  }

  /** The types of {@link #features()}, in the order in which a row has its values. */
  public List<FeatureType> types() {
    return types;
  }

  Release release() {
    return release;
  }

  public ViewVersion viewVersion() {
    return viewVersion;
  }

  /** Where its rows are: see {@link Layer#of}. */
  public List<Layer> layers() {
    return layers;
  }

  public boolean isTooOld(long eventMicros, long nowMicros) {
    return maxAgeMicros != NO_LIMIT && eventMicros < nowMicros - maxAgeMicros;
  }

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
    // An overlay in which nothing differs from its base has no buckets.
    if (manifest.getBuckets() < (manifest.hasBase() ? 0 : 1)
        || manifest.getEntity().isEmpty()
        || !manifest.hasAsOf()) {
      throw new IllegalArgumentException("its manifest lacks buckets, entity or as_of");
    }
    Base base = manifest.getBase();
    if (manifest.hasBase()
        && (base.getBuckets() < 1 || base.getVersion().isEmpty() || !base.hasAsOf())) {
      throw new IllegalArgumentException("its manifest's base lacks buckets, version or as_of");
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
          type.getFieldsList().stream().map(StructField::getType).allMatch(ServedView::isKnown);
      default -> true;
    };
  }
}
