package dev.tarn.serving.world;

import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.Manifest;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import java.util.List;

/**
 * The buckets of one version, and how the age of their rows is to be read. A full version is one
 * layer; an overlay is its own buckets above those of its base.
 */
public final class Layer {

  private final String version;
  private final String bucketPrefix;
  private final int buckets;
  private final long asOfMicros;
  private final long ageZeroMicros;

  private Layer(
      String version, String bucketPrefix, int buckets, long asOfMicros, long ageZeroMicros) {
    this.version = version;
    this.bucketPrefix = bucketPrefix;
    this.buckets = buckets;
    this.asOfMicros = asOfMicros;
    this.ageZeroMicros = ageZeroMicros;
  }

  /**
   * The layers of a version, the uppermost first: an entity's row is that of the first layer that
   * has an entry for it. At least one; an overlay in which nothing differs has its base alone.
   */
  static List<Layer> of(RedisKeys keys, Manifest manifest) {
    String view = manifest.getFeatureView();
    long asOf = Timestamps.toMicros(manifest.getAsOf());
    Layer own =
        new Layer(
            manifest.getVersion(),
            keys.bucketPrefix(view, manifest.getVersion()),
            manifest.getBuckets(),
            asOf,
            asOf);
    if (!manifest.hasBase()) {
      return List.of(own);
    }
    long baseAsOf = Timestamps.toMicros(manifest.getBase().getAsOf());
    Layer base =
        new Layer(
            manifest.getBase().getVersion(),
            keys.bucketPrefix(view, manifest.getBase().getVersion()),
            manifest.getBase().getBuckets(),
            baseAsOf,
            manifest.getCarriesForward() ? asOf : baseAsOf);
    return manifest.getBuckets() == 0 ? List.of(base) : List.of(own, base);
  }

  public String version() {
    return version;
  }

  /** What the keys of its buckets begin with; no other version has it. */
  public String bucketPrefix() {
    return bucketPrefix;
  }

  public int bucketOf(byte[] entityId) {
    return RedisKeys.bucketOf(entityId, buckets);
  }

  /** The key of the bucket that would hold the entity's row. */
  public byte[] bucket(byte[] entityId) {
    return RedisKeys.bucket(bucketPrefix, bucketOf(entityId));
  }

  /** Reads the event timestamp of a row of this layer, microseconds since 1970 UTC. */
  public long readEventTimestamp(RowReader row) throws CorruptRowException {
    long eventMicros = row.readEventTimestamp(asOfMicros);
    return eventMicros == asOfMicros ? ageZeroMicros : eventMicros;
  }
}
