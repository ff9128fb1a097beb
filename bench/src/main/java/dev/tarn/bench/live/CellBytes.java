package dev.tarn.bench.live;

import dev.tarn.live.Token;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import redis.clients.jedis.Jedis;

/**
 * What an entity's cells take in Redis, in bytes, on average over all entities of a version.
 *
 * @param inRedis all, as Redis counts it
 * @param own what is neither token nor cells nor id
 */
record CellBytes(double inRedis, double token, double cells, double id, double own) {

  /**
   * Measures all buckets of a version, or of live cells.
   *
   * @param prefix of the buckets' keys
   * @param isLive whether each entry begins with a token
   */
  static CellBytes of(Jedis jedis, String prefix, int buckets, boolean isLive) {
    long memory = 0;
    long ids = 0;
    long values = 0;
    long entities = 0;
    for (int bucket = 0; bucket < buckets; bucket++) {
      byte[] key = (prefix + bucket).getBytes(StandardCharsets.ISO_8859_1);
      Long used = jedis.memoryUsage(key, 0);
      memory += used == null ? 0 : used;
      for (Map.Entry<byte[], byte[]> entry : jedis.hgetAll(key).entrySet()) {
        entities++;
        ids += entry.getKey().length;
        values += entry.getValue().length;
      }
    }
    double count = Math.max(1, entities);
    double token = isLive ? Token.BYTES : 0;
    return new CellBytes(
        memory / count,
        token,
        values / count - token,
        ids / count,
        (memory - ids - values) / count);
  }
}
