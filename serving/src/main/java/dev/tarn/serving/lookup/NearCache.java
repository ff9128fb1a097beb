package dev.tarn.serving.lookup;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Policy;
import com.github.benmanes.caffeine.cache.RemovalCause;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/**
 * Rows of hot entities, in this process, so that Redis need not be asked. The key has the version,
 * and rows of a version never change, so a release needs no word to the cache: its lookups ask for
 * other keys.
 *
 * <p>That an entity has no row is kept as well: hot entities may be unknown, and in an overlay most
 * are.
 */
public final class NearCache {

  /**
   * Which row.
   *
   * <p>Without a record's own methods, which would compare the array by identity.
   */
  static final class Key {

    private final Object redis;
    private final String bucketPrefix;
    private final byte[] entityId;
    private final int hash;

    /**
     * The row of an entity in one layer of a version.
     *
     * @param redis stands for the connection that it is read by: a Redis that comes back may have
     *     other data under the same names
     * @param bucketPrefix has the names of view and version
     */
    Key(Object redis, String bucketPrefix, byte[] entityId) {
      this.redis = redis;
      this.bucketPrefix = bucketPrefix;
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

  /** Stands for no row. Told by identity: an empty row is something else. */
  private static final byte[] ABSENT = new byte[0];

  /** What an entry takes beside the bytes of id and row: key, two arrays, Caffeine's own. */
  private static final int BYTES_AN_ENTRY = 200;

  /**
   * Once the cache is full, one in so many requests tells it what is asked for: enough to say which
   * entities are hot, and most of what a row costs here is the telling.
   */
  private static final int ONE_IN = 8;

  private final Cache<Key, byte[]> rows;
  private final Policy<Key, byte[]> quiet;

  private volatile boolean isFull;

  /**
   * What Caffeine has to do to stay within its bytes, if anything. It asks for it with each row
   * that it is given; once for all rows of a request is cheaper.
   */
  private final AtomicReference<Runnable> upkeep = new AtomicReference<>();

  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder evictions = new LongAdder();

  /** A cache that takes about so many bytes of memory, and no more. */
  public NearCache(long bytes) {
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
   * Fills in what is known of some rows, and notes how many were and were not.
   *
   * @return for each row whether it is known, be it that there is none
   */
  boolean[] fill(Key[] keys, byte[][] into) {
    boolean[] isKnown = new boolean[keys.length];
    boolean isTold = isTold();
    int known = 0;
    for (int i = 0; i < keys.length; i++) {
      byte[] row = isTold ? rows.getIfPresent(keys[i]) : quiet.getIfPresentQuietly(keys[i]);
      if (row != null) {
        isKnown[i] = true;
        known++;
        into[i] = row == ABSENT ? null : row;
      }
      if (isTold) {
        // At once: Caffeine forgets what else is read until then, and with it which rows are hot.
        keepUp();
      }
    }
    hits.add(known);
    misses.add(keys.length - known);
    return isKnown;
  }

  /**
   * Keeps rows that Redis gave, null for none; from when it is full, those of some requests.
   *
   * @param isKnown which rows it had already
   */
  void put(Key[] keys, byte[][] from, boolean[] isKnown) {
    if (!isTold()) {
      return;
    }
    for (int i = 0; i < keys.length; i++) {
      if (!isKnown[i]) {
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

  /** Rows that were here when they were asked for, since the server started. */
  public long hits() {
    return hits.sum();
  }

  /** Rows that Redis was asked for. */
  public long misses() {
    return misses.sum();
  }

  /** Rows that were given up for others. */
  public long evictions() {
    return evictions.sum();
  }

  /** Rows that are kept now, those that stand for none among them. */
  public long entries() {
    rows.cleanUp();
    return rows.estimatedSize();
  }

  /** What they take of {@code serving.near-cache-bytes}. */
  public long bytes() {
    rows.cleanUp();
    return rows.policy().eviction().orElseThrow().weightedSize().orElseThrow();
  }
}
