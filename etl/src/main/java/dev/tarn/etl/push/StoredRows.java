package dev.tarn.etl.push;

import dev.tarn.cli.Plural;
import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.Refusals;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.VersionRecord;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Counts rows of versions in Redis, to notice those that are no longer whole: Redis may have
 * evicted buckets, or somebody may have removed them.
 *
 * <p>Of a large version a sample of the buckets is counted, another one each time. Bucket {@code b}
 * is in the sample {@code b % samples}, and the version record has the rows of each sample.
 */
public final class StoredRows {

  /** The number of buckets in a sample, about. A version that has fewer is one sample. */
  static final int SAMPLE = 4_096;

  private static final int MAX_SAMPLES = 256;

  private static final Logger LOG = LoggerFactory.getLogger(StoredRows.class);

  private final RedisServers redis;
  private final VersionStore versions;

  public StoredRows(RedisServers redis, VersionStore versions) {
    this.redis = redis;
    this.versions = versions;
  }

  /** The rows of each sample of what was written; none if all buckets are one sample. */
  static List<Integer> samples(List<WrittenBuckets> written, int buckets) {
    int samples = Math.min(MAX_SAMPLES, (buckets + SAMPLE - 1) / SAMPLE);
    if (samples <= 1) {
      return List.of();
    }
    int[] rows = new int[samples];
    for (WrittenBuckets part : written) {
      for (int i = 0; i < part.size(); i++) {
        rows[part.bucket(i) % samples] += part.count(i);
      }
    }
    return IntStream.of(rows).boxed().toList();
  }

  /**
   * Counts a sample of a version's rows, and of those of its base.
   *
   * @return what is missing; empty: nothing of what was counted, or the user may not read rows
   */
  public Optional<String> loss(VersionRecord version) {
    Optional<String> own = lossOfOwn(version);
    if (own.isPresent() || !version.hasBase()) {
      return own;
    }
    String base = version.getBase().getVersion();
    Optional<VersionRecord> record = versions.record(version.getFeatureView(), base);
    return record.isPresent()
        ? lossOfOwn(record.get())
        : Optional.of("the record of its base %s is gone".formatted(base));
  }

  /** Counts all rows that a version has itself. */
  long count(VersionRecord version) {
    return count(version, 0, 1);
  }

  private Optional<String> lossOfOwn(VersionRecord version) {
    int samples = Math.max(1, version.getSampleRowsCount());
    int sample = ThreadLocalRandom.current().nextInt(samples);
    long written = samples == 1 ? ownRows(version) : version.getSampleRows(sample);
    long found;
    try {
      found = count(version, sample, samples);
    } catch (JedisDataException e) {
      if (!Refusals.isForbidden(e)) {
        throw e;
      }
      LOG.warn("Redis lets this user read no rows, so none are counted", e);
      return Optional.empty();
    }
    return found == written
        ? Optional.empty()
        : Optional.of(
            "of %s of %s %s %,d %s there"
                .formatted(
                    Plural.of(written, "row"),
                    version.getVersion(),
                    samples == 1 ? "in Redis" : "in a sample of its buckets",
                    found,
                    Plural.choose(found, "is", "are")));
  }

  /** A full version's record may be older than the number of its own rows. */
  private static long ownRows(VersionRecord version) {
    return version.hasBase() ? version.getOwnRows() : version.getRows();
  }

  private long count(VersionRecord version, int sample, int samples) {
    try {
      return count(version, sample, samples, Protocol.Command.HLEN);
    } catch (JedisDataException e) {
      if (!Refusals.isForbidden(e)) {
        throw e;
      }
      LOG.warn("Redis refuses HLEN, so rows are read to count them, which is slower", e);
      return count(version, sample, samples, Protocol.Command.HGETALL);
    }
  }

  private long count(VersionRecord version, int sample, int samples, Protocol.Command command) {
    Buckets own = Layers.ownBuckets(redis.settings().keys(), version);
    AtomicLong rows = new AtomicLong();
    try (BucketPipeline pipeline = new BucketPipeline(redis)) {
      for (int bucket = sample; bucket < version.getBuckets(); bucket += samples) {
        byte[] key = own.key(bucket);
        pipeline.send(
            key,
            command,
            command == Protocol.Command.HLEN ? key.length : VersionWriter.BYTES_PER_BUCKET,
            answer ->
                rows.addAndGet(
                    answer instanceof List<?> fields ? fields.size() / 2 : (Long) answer),
            key);
      }
      pipeline.flush();
    }
    return rows.get();
  }
}
