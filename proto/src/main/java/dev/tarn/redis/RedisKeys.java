package dev.tarn.redis;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * Makes every key that Tarn has in Redis. With {@code tarn} as the namespace they are:
 *
 * <pre>
 * {tarn}:release             hash    feature view → {@link Release}: what lookups answer from
 * {tarn}:released            channel a notice after each release
 * {tarn}:pinned              hash    feature view → {@link Release} that a rollback pinned it to
 * {tarn}:entities            hash    entity → its place in the order in which entities were first
 *                                    released: the first one is that of requests that name none
 * {tarn}:sequence            counter of minted versions
 * {tarn}:services            hash    feature service → StoredService, JSON
 * {tarn}:events              list    releases, JSON, that the history in Iceberg does not have yet
 * {tarn}:manifests:VIEW      hash    version → VersionRecord, JSON: the versions that are complete
 * {tarn}:writing:VIEW        hash    version → BUCKETS@LEASE, the number of buckets and the moment
 *                                    until which the version is its push's (Unix milliseconds; 0:
 *                                    it is being removed): the versions without a record
 * {tarn}:applied:VIEW:GEN    hash    partition → {@link dev.tarn.live.Progress} of the live job
 * {tarn}:runs:VIEW:GEN       hash    partition → the runs of the Redis servers that the live job has
 *                                    written under: an older job's progress counts no more
 * {tarn}:generations:VIEW    hash    generation → number of its buckets: those that have live cells
 * tarn:VIEW:VERSION:BUCKET   hash    entity id → row; in an overlay, empty for an entity of the
 *                                    base that is no longer there; in the base of a live view, cells
 * tarn:VIEW:live-GEN:BUCKET  hash    entity id → {@link dev.tarn.live.Token} and live cells
 * </pre>
 *
 * <p>The braces are a hash tag: in Redis Cluster the control keys share one slot, so one script can
 * change several of them at once, while the buckets spread over all slots.
 *
 * <p>An entity id is a hash field and never part of a key, so no id can reach another view's or
 * version's rows. Rows are grouped into buckets because a small hash takes half the memory that as
 * many keys would, and because bucket names can be enumerated: nothing here needs SCAN or KEYS.
 */
public final class RedisKeys implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final Pattern NAMESPACE = Pattern.compile("[A-Za-z0-9_.-]{1,64}");

  private final String namespace;

  /**
   * The keys of one namespace.
   *
   * @throws IllegalArgumentException if the namespace is not 1 to 64 letters, digits, {@code _},
   *     {@code .} or {@code -}
   */
  public RedisKeys(String namespace) {
    if (!NAMESPACE.matcher(namespace).matches()) {
      throw new IllegalArgumentException(
          "'%s' is not a namespace: use 1 to 64 letters, digits, '_', '.' or '-'"
              .formatted(namespace));
    }
    this.namespace = namespace;
  }

  public String release() {
    return control("release");
  }

  public String releasedChannel() {
    return control("released");
  }

  public String pinned() {
    return control("pinned");
  }

  public String entities() {
    return control("entities");
  }

  public String sequence() {
    return control("sequence");
  }

  public String services() {
    return control("services");
  }

  public String events() {
    return control("events");
  }

  public String manifests(String view) {
    return control("manifests:" + view);
  }

  public String writing(String view) {
    return control("writing:" + view);
  }

  /** The progress of a generation of live cells. */
  public String applied(String view, String generation) {
    return control("applied:" + view + ":" + generation);
  }

  /** The runs of the servers under which a generation's progress was made. */
  public String runs(String view, String generation) {
    return control("runs:" + view + ":" + generation);
  }

  /** The generations of a view that have live cells. */
  public String generations(String view) {
    return control("generations:" + view);
  }

  /** The name that a generation's live cells have in the place of a version. */
  public static String liveVersion(String generation) {
    return "live-" + generation;
  }

  /**
   * The beginning of the keys of a version's buckets; {@link #bucket(String, int)} completes it.
   */
  public String bucketPrefix(String view, String version) {
    return namespace + ":" + view + ":" + version + ":";
  }

  public static byte[] bucket(String prefix, int bucket) {
    return (prefix + bucket).getBytes(StandardCharsets.ISO_8859_1);
  }

  /** The bucket of an entity, of {@code buckets}: that of the id's checksum. */
  public static int bucketOf(byte[] entityId, int buckets) {
    return bucketOf(checksum(entityId), buckets);
  }

  /** The bucket of a checksum: the checksum scaled down to {@code buckets}. */
  public static int bucketOf(long checksum, int buckets) {
    return (int) ((checksum * buckets) >>> 32);
  }

  /**
   * The CRC-32C of an id's UTF-8 bytes, 0 to 2^32 - 1. Buckets are in its order, however many there
   * are. The JDK computes it in hardware, and both sides of Tarn run on the JDK.
   */
  public static long checksum(byte[] entityId) {
    CRC32C crc = new CRC32C();
    crc.update(entityId, 0, entityId.length);
    return crc.getValue();
  }

  private String control(String name) {
    return "{" + namespace + "}:" + name;
  }
}
