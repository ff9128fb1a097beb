package dev.tarn.layer;

import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.Base;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.io.Serializable;

/**
 * The layers of one version, from the top, and the rule by which they are merged: the first layer
 * that has an entry for an entity decides. A full version is its base alone. A version that a delta
 * push made is its overlay above its base; the overlay falls away if nothing differs. Immutable.
 *
 * <p>Readers ask all layers at once, so that a question takes one round trip, and then apply the
 * rule. They keep entries in arrays of their own: an entity's entry in the first layer is at {@code
 * first}, in the next one at {@code first + step}, and so on; null where the layer has none.
 */
public final class Layers implements Serializable {
  private static final long serialVersionUID = 1L;

  private final Layer[] fromTop;

  private Layers(Layer... fromTop) {
    this.fromTop = fromTop;
  }

  /**
   * The layers of a version.
   *
   * @throws IllegalArgumentException if its record can't say where the rows are; the message says
   *     what it lacks
   */
  public static Layers of(RedisKeys keys, VersionRecord version) {
    if (version.getBuckets() < (version.hasBase() ? 0 : 1) || !version.hasAsOf()) {
      throw new IllegalArgumentException("its version record lacks buckets or as_of");
    }
    Buckets own = ownBuckets(keys, version);
    long asOf = Timestamps.toMicros(version.getAsOf());
    if (!version.hasBase()) {
      return new Layers(new Layer(Layer.Kind.BASE, version.getVersion(), own, asOf, asOf));
    }
    Base below = version.getBase();
    if (below.getBuckets() < 1 || below.getVersion().isEmpty() || !below.hasAsOf()) {
      throw new IllegalArgumentException(
          "the base in its version record lacks buckets, version or as_of");
    }
    long baseAsOf = Timestamps.toMicros(below.getAsOf());
    Layer base =
        new Layer(
            Layer.Kind.BASE,
            below.getVersion(),
            new Buckets(keys, version.getFeatureView(), below.getVersion(), below.getBuckets()),
            baseAsOf,
            // A row that the view carries forward was given at the version's as-of once more.
            version.getCarriesForward() ? asOf : baseAsOf);
    return own.count() == 0
        ? new Layers(base)
        : new Layers(new Layer(Layer.Kind.OVERLAY, version.getVersion(), own, asOf, asOf), base);
  }

  /** The buckets that the push of a version writes, and that go when the version goes. */
  public static Buckets ownBuckets(RedisKeys keys, VersionRecord version) {
    return new Buckets(keys, version.getFeatureView(), version.getVersion(), version.getBuckets());
  }

  /** Makes the part of an overlay's record that describes its base. */
  public static Base asBase(VersionRecord full) {
    if (full.hasBase()) {
      throw new IllegalArgumentException(
          "version %s is an overlay, and only a full version can be a base"
              .formatted(full.getVersion()));
    }
    return Base.newBuilder()
        .setVersion(full.getVersion())
        .setBuckets(full.getBuckets())
        .setAsOf(full.getAsOf())
        .build();
  }

  /** The number of layers, 1 at least. */
  public int count() {
    return fromTop.length;
  }

  /** A layer, 0 being the top. */
  public Layer get(int index) {
    return fromTop[index];
  }

  /** The lowest layer, which has all entities but those that a layer above adds. */
  public Layer base() {
    return fromTop[fromTop.length - 1];
  }

  /** The index of the layer that decides about an entity: the first with an entry; -1 if none. */
  public int deciding(byte[][] entries, int first, int step) {
    int at = first;
    for (int i = 0; i < fromTop.length; i++) {
      if (entries[at] != null) {
        return i;
      }
      at += step;
    }
    return -1;
  }

  /** The row of an entity: the entry that decides, null if there is none or it is no row. */
  public byte[] row(byte[][] entries, int first, int step) {
    int layer = deciding(entries, first, step);
    if (layer < 0) {
      return null;
    }
    byte[] entry = entries[first + layer * step];
    return fromTop[layer].isRow(entry) ? entry : null;
  }
}
