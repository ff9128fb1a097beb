package dev.tarn.etl.push;

import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Finds out whether Redis accepts packed hashes. An ACL may forbid RESTORE, and a server that only
 * speaks Redis's protocol may not know its formats.
 */
final class RestoreProbe {

  private static final Logger LOG = LoggerFactory.getLogger(RestoreProbe.class);
  private static final byte[] FIELD = ascii("field");
  private static final byte[] VALUE = ascii("value");

  private final RedisServers redis;

  RestoreProbe(RedisServers redis) {
    this.redis = redis;
  }

  boolean isTaken(String bucketPrefix) {
    PackedHash packed = new PackedHash();
    packed.add(FIELD, VALUE);
    byte[] payload = packed.finish();
    byte[] key = ascii(bucketPrefix + "probe");
    boolean[] isSame = {false};
    try (BucketPipeline pipeline = new BucketPipeline(redis)) {
      pipeline.send(
          key,
          Protocol.Command.RESTORE,
          payload.length,
          answer -> {},
          key,
          ascii("10000"),
          payload,
          ascii("REPLACE"));
      pipeline.send(
          key,
          Protocol.Command.HGET,
          key.length,
          answer -> isSame[0] = java.util.Arrays.equals(VALUE, (byte[]) answer),
          key,
          FIELD);
      pipeline.send(key, Protocol.Command.UNLINK, key.length, answer -> {}, key);
      pipeline.flush();
    } catch (JedisDataException e) {
      if (String.valueOf(e.getMessage()).startsWith("OOM")) {
        throw e;
      }
      LOG.warn("Redis refuses RESTORE, so rows are written by HSET, which is slower", e);
      return false;
    }
    return isSame[0];
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
