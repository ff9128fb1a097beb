package dev.tarn.layer;

import dev.tarn.manifest.LiveBase;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import java.io.Serializable;

/**
 * One layer of a version: where its entries are, and what an entry says. An entry is the field of a
 * bucket that an entity's id names. Immutable.
 */
public final class Layer implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Entry of an overlay for an entity of its base that the version no longer has. */
  private static final byte[] REMOVED = {};

  /** The kinds of layers. */
  enum Kind {
    /** All rows of a full push. */
    BASE,
    /** The entries in which a delta push differs from its base. */
    OVERLAY,
    /** The live cells of a generation, which the live job writes beside its versions. */
    LIVE
  }

  private final Kind kind;
  private final String version;
  private final Buckets buckets;
  private final long asOfMicros;
  private final long ageZeroMicros;

  /**
   * A layer of a version.
   *
   * @param version that wrote the layer
   * @param asOfMicros moment from which its rows count their age
   * @param ageZeroMicros event timestamp of a row of age 0
   */
  Layer(Kind kind, String version, Buckets buckets, long asOfMicros, long ageZeroMicros) {
    this.kind = kind;
    this.version = version;
    this.buckets = buckets;
    this.asOfMicros = asOfMicros;
    this.ageZeroMicros = ageZeroMicros;
  }

  /** The live cells of the generation that a base is of; their rows are as of the question. */
  public static Layer live(RedisKeys keys, String view, LiveBase base) {
    String version = RedisKeys.liveVersion(base.getGeneration());
    return new Layer(
        Kind.LIVE, version, new Buckets(keys, view, version, base.getLiveBuckets()), 0, 0);
  }

  /** The version that wrote the layer: that of an overlay's base is another than the overlay's. */
  public String version() {
    return version;
  }

  public Buckets buckets() {
    return buckets;
  }

  /** The entry by which an overlay says that an entity has no row. */
  public static byte[] removed() {
    return REMOVED;
  }

  /**
   * Whether an entry of this layer is a row. If not, it says that the entity has none.
   *
   * <p>Only an overlay takes rows away. No push writes an empty row, so one in a base is damage: a
   * row, and one that can't be read.
   */
  public boolean isRow(byte[] entry) {
    return entry.length > 0 || kind != Kind.OVERLAY;
  }

  /**
   * Whether its entries stay as they are for as long as the version is complete. Only then may a
   * reader keep an entry, or the fact that there is none, for a later question.
   */
  public boolean isImmutable() {
    // No default: a new kind has to be thought about here.
    return switch (kind) {
      case BASE, OVERLAY -> true;
      case LIVE -> false;
    };
  }

  /** Reads the event timestamp of a row of this layer, microseconds since 1970 UTC. */
  public long readEventTimestamp(RowReader row) throws CorruptRowException {
    long eventMicros = row.readEventTimestamp(asOfMicros);
    return eventMicros == asOfMicros ? ageZeroMicros : eventMicros;
  }
}
