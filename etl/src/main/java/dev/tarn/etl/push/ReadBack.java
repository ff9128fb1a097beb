package dev.tarn.etl.push;

import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.manifest.Base;
import dev.tarn.redis.RedisKeys;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;
import redis.clients.jedis.Protocol;

/**
 * Reads every row that was written back from Redis, after the last one was, and compares. So
 * whatever went wrong since (a server that lost its last second in a restart, an eviction, somebody
 * else's DEL) is found before anyone is answered from it.
 */
final class ReadBack implements FlatMapFunction<Iterator<WrittenBuckets>, ReadBack.Result> {
  private static final long serialVersionUID = 1L;

  /**
   * What was found.
   *
   * @param differing buckets whose rows are not those that were written
   * @param added of an overlay: entities that its base does not have
   * @param removed of an overlay: entities of its base that are no longer there
   */
  record Result(long rows, ArrayList<Integer> differing, long added, long removed)
      implements Serializable {

    static final Result NONE = new Result(0, new ArrayList<>(), 0, 0);

    Result plus(Result other) {
      ArrayList<Integer> both = new ArrayList<>(differing);
      both.addAll(other.differing);
      return new Result(rows + other.rows, both, added + other.added, removed + other.removed);
    }
  }

  private final RedisServers servers;
  private final String bucketPrefix;

  /** Empty: there is no base. */
  private final String basePrefix;

  private final int baseBuckets;

  ReadBack(RedisServers servers, String bucketPrefix, String basePrefix, Base base) {
    this.servers = servers;
    this.bucketPrefix = bucketPrefix;
    this.basePrefix = basePrefix;
    this.baseBuckets = base.getBuckets();
  }

  @Override
  public Iterator<Result> call(Iterator<WrittenBuckets> parts) {
    Result result = Result.NONE;
    while (parts.hasNext()) {
      result = result.plus(read(parts.next()));
    }
    return List.of(result).iterator();
  }

  private Result read(WrittenBuckets written) {
    ArrayList<Integer> differing = new ArrayList<>();
    long[] rows = {0};
    List<byte[]> ids = new ArrayList<>();
    List<Boolean> isRemoval = new ArrayList<>();
    long[] addedAndRemoved = {0, 0};
    try (BucketPipeline pipeline = new BucketPipeline(servers)) {
      for (int i = 0; i < written.size(); i++) {
        int at = i;
        byte[] key = RedisKeys.bucket(bucketPrefix, written.bucket(i));
        pipeline.send(
            key,
            Protocol.Command.HGETALL,
            written.bytes(i),
            answer -> {
              List<?> fields = (List<?>) answer;
              long fingerprint = 0;
              for (int f = 0; f < fields.size(); f += 2) {
                byte[] id = (byte[]) fields.get(f);
                byte[] row = (byte[]) fields.get(f + 1);
                fingerprint += WrittenBuckets.fingerprint(id, row);
                if (!basePrefix.isEmpty()) {
                  ids.add(id);
                  isRemoval.add(row.length == 0);
                }
              }
              rows[0] += fields.size() / 2;
              if (fields.size() != 2 * written.count(at)
                  || fingerprint != written.fingerprint(at)) {
                differing.add(written.bucket(at));
              }
            },
            key);
        if (ids.size() > 10_000) {
          lookUp(pipeline, ids, isRemoval, addedAndRemoved);
        }
      }
      lookUp(pipeline, ids, isRemoval, addedAndRemoved);
    }
    return new Result(rows[0], differing, addedAndRemoved[0], addedAndRemoved[1]);
  }

  /** Which of an overlay's entities the base has. */
  private void lookUp(
      BucketPipeline pipeline, List<byte[]> ids, List<Boolean> isRemoval, long[] addedAndRemoved) {
    pipeline.flush();
    List<byte[]> asked = List.copyOf(ids);
    List<Boolean> removals = List.copyOf(isRemoval);
    ids.clear();
    isRemoval.clear();
    for (int i = 0; i < asked.size(); i++) {
      boolean removal = removals.get(i);
      byte[] id = asked.get(i);
      byte[] key = RedisKeys.bucket(basePrefix, RedisKeys.bucketOf(id, baseBuckets));
      pipeline.send(
          key,
          Protocol.Command.HEXISTS,
          key.length + id.length,
          answer -> {
            boolean isInBase = Long.valueOf(1).equals(answer);
            if (removal && isInBase) {
              addedAndRemoved[1]++;
            } else if (!removal && !isInBase) {
              addedAndRemoved[0]++;
            }
          },
          key,
          id);
    }
    pipeline.flush();
  }
}
