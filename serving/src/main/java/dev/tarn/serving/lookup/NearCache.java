package dev.tarn.serving.lookup;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Policy;
import com.github.benmanes.caffeine.cache.RemovalCause;
import dev.tarn.layer.Layer;
import dev.tarn.serving.ops.Metrics;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/**
 * Keeps the rows of hot entities in this process, so that Redis need not be asked. A key has the
 * version, and the rows of a version never change. So a release needs no invalidation: its lookups
 * ask for other keys.
 *
 * <p>The cache also keeps that an entity has no row: hot entities may be unknown, and most entities
 * have no row in an overlay.
 */
public final class NearCache {

  /**
   * The key of a row.
   *
   * <p>It is no record, because a record would compare the array by identity.
   */
  static final class Key {

    private final Object redis;
    private final String bucketPrefix;
    private final byte[] entityId;
    private final int hash;

    /**
     * Names the row of an entity in one layer of a version.
     *
     * @param redis the identity of the connection: a Redis that comes back may have other data
     *     under the same names
     * @throws IllegalArgumentException if the layer may change: then its entries must not be kept
     */
    Key(Object redis, Layer layer, byte[] entityId) {
      if (!layer.isImmutable()) {
        throw new IllegalArgumentException(
            "the rows of %s may change and must not be kept"
                .formatted(layer.buckets().keyPrefix()));
      }
      this.redis = redis;
      this.bucketPrefix = layer.buckets().keyPrefix();
      this.entityId = entityId;
      hash = 31 * bucketPrefix.hashCode() + Arrays.hashCode(entityId);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Key key
          && hash == key.hash
          && redis == key.redis
          && Arrays.equals(entityId, key.entityId)
          && bucketPrefix.equals(key.bucketPrefix);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  /** Stands for no row, and is compared by identity: an empty row is something else. */
  private static final byte[] ABSENT = new byte[0];

  /** The bytes of an entry beside those of id and row: the key, two arrays, Caffeine's node. */
  private static final int BYTES_AN_ENTRY = 200;

  /**
   * The share of requests, one in eight, that a full cache records. That is enough to learn which
   * entities are hot, and recording is most of what a row costs here.
   */
  private static final int ONE_IN = 8;

  private final Cache<Key, byte[]> rows;
  private final Policy<Key, byte[]> quiet;

  private volatile boolean isFull;

  /**
   * The work that Caffeine must do to stay within its bytes, if any. Caffeine asks for it with each
   * row; doing it once for all rows of a request is cheaper.
   */
  private final AtomicReference<Runnable> upkeep = new AtomicReference<>();

  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder evictions = new LongAdder();

  /** Creates a cache that takes at most about this many bytes of memory; none for 0. */
  public static Optional<NearCache> of(long bytes) {
    return bytes == 0 ? Optional.empty() : Optional.of(new NearCache(bytes));
  }

  NearCache(long bytes) {
    rows =
        Caffeine.newBuilder()
            .maximumWeight(bytes)
            .weigher((Key key, byte[] row) -> BYTES_AN_ENTRY + key.entityId.length + row.length)
            .evictionListener(
                (Key key, byte[] row, RemovalCause cause) -> {
                  isFull = true;
                  evictions.increment();
                })
            .executor(upkeep::set)
            .build();
    quiet = rows.policy();
  }

  /**
   * Fills in the rows that the cache has, and counts hits and misses.
   *
   * @param keys null for a row that is not to be kept
   * @return whether the cache knew each row, or knew that there is none
   */
  boolean[] fill(Key[] keys, byte[][] into) {
    boolean[] isKnown = new boolean[keys.length];
    boolean isTold = isTold();
    int asked = 0;
    int known = 0;
    for (int i = 0; i < keys.length; i++) {
      if (keys[i] == null) {
        continue;
      }
      asked++;
      byte[] row = isTold ? rows.getIfPresent(keys[i]) : quiet.getIfPresentQuietly(keys[i]);
      if (row != null) {
        isKnown[i] = true;
        known++;
        into[i] = row == ABSENT ? null : row;
      }
      if (isTold) {
        // At once, because Caffeine ignores further reads until then and would not see what is hot.
        keepUp();
      }
    }
    hits.add(known);
    misses.add(asked - known);
    return isKnown;
  }

  /**
   * Keeps rows that Redis answered, null for none. A full cache keeps those of some requests only.
   *
   * @param isKnown whether the cache had each row already
   */
  void put(Key[] keys, byte[][] from, boolean[] isKnown) {
    if (!isTold()) {
      return;
    }
    for (int i = 0; i < keys.length; i++) {
      if (!isKnown[i] && keys[i] != null) {
        rows.put(keys[i], from[i] == null ? ABSENT : from[i]);
      }
    }
    keepUp();
  }

  private boolean isTold() {
    return !isFull || ThreadLocalRandom.current().nextInt(ONE_IN) == 0;
  }

  private void keepUp() {
    if (upkeep.get() != null) {
      Runnable due = upkeep.getAndSet(null);
      if (due != null) {
        due.run();
      }
    }
  }

  /** Adds the metrics of this cache. */
  public void register(Metrics metrics) {
    metrics.counter("tarn_near_cache_hits_total", "Rows that were in the near cache", this::hits);
    metrics.counter(
        "tarn_near_cache_misses_total",
        "Rows that were not in the near cache and were asked of Redis",
        this::misses);
    metrics.counter(
        "tarn_near_cache_evictions_total",
        "Rows that the near cache gave up for others",
        this::evictions);
    metrics.gauge("tarn_near_cache_rows", "Rows in the near cache", this::entries);
    metrics.gauge(
        "tarn_near_cache_bytes",
        "What the near cache takes of serving.near-cache-bytes",
        this::bytes);
  }

  /** Counts the rows that were in the cache when they were asked for. */
  long hits() {
    return hits.sum();
  }

  /** Counts the rows that were not in the cache. */
  long misses() {
    return misses.sum();
  }

  /** Counts the rows that were evicted for others. */
  long evictions() {
    return evictions.sum();
  }

  /** Counts the entries now, with those that stand for no row. */
  long entries() {
    rows.cleanUp();
    return rows.estimatedSize();
  }

  /** Returns the bytes used of {@code serving.near-cache-bytes}. */
  long bytes() {
    rows.cleanUp();
    return rows.policy().eviction().orElseThrow().weightedSize().orElseThrow();
  }
}
