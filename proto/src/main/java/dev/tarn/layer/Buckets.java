package dev.tarn.layer;

import dev.tarn.redis.RedisKeys;
import java.io.Serializable;

/**
 * The Redis hashes that hold the rows which one push wrote: their keys, and which of them an entity
 * falls into. Immutable.
 *
 * <p>Buckets are in the order of the ids' checksums, however many there are. So the entities of
 * neighbouring buckets of one layer are in neighbouring buckets of another as well.
 */
public final class Buckets implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String keyPrefix;
  private final int count;

  /**
   * The buckets of a version's own rows.
   *
   * @throws IllegalArgumentException if the count is negative
   */
  public Buckets(RedisKeys keys, String view, String version, int count) {
    if (count < 0) {
      throw new IllegalArgumentException("a version with %d buckets".formatted(count));
    }
    this.keyPrefix = keys.bucketPrefix(view, version);
    this.count = count;
  }

  /** The beginning of all their keys. No other version has it. */
  public String keyPrefix() {
    return keyPrefix;
  }

  /** The number of buckets; 0 only in an overlay in which nothing differs from its base. */
  public int count() {
    return count;
  }

  /** The key of a bucket. */
  public byte[] key(int bucket) {
    return RedisKeys.bucket(keyPrefix, bucket);
  }

  /** The key of the bucket that an entity falls into. */
  public byte[] keyOf(byte[] entityId) {
    return key(of(entityId));
  }

  /** The bucket that an entity falls into. */
  public int of(byte[] entityId) {
    return RedisKeys.bucketOf(entityId, count);
  }

  /** The bucket that the entities with a checksum fall into; see {@link RedisKeys#checksum}. */
  public int of(long checksum) {
    return RedisKeys.bucketOf(checksum, count);
  }

  /** The first checksum that falls into a bucket; 2^32 for the bucket after the last. */
  public long firstChecksum(int bucket) {
    // Rounded up: the smallest checksum for which "of" gives the bucket.
    return -Math.floorDiv(-((long) bucket << 32), (long) count);
  }
}
