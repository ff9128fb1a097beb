package dev.tarn.etl.push;

import dev.tarn.etl.Workbench;
import dev.tarn.redis.RedisSettings;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.JedisPool;
import redis.clients.jedis.exceptions.JedisException;

/** Lists the keys in a workbench's Redis, be it one server or a cluster. */
final class StoredKeys implements AutoCloseable {

  private final Jedis single;

  /** Null: one server. */
  private final JedisCluster cluster;

  StoredKeys(Workbench bench) {
    RedisSettings redis = bench.settings().read(RedisSettings::of);
    single = OnlineCopy.jedis(bench);
    cluster =
        single.info("cluster").contains("cluster_enabled:1")
            ? new JedisCluster(new HostAndPort(redis.host(), redis.port()), 10_000)
            : null;
  }

  Map<byte[], byte[]> hash(byte[] key) {
    return cluster == null ? single.hgetAll(key) : cluster.hgetAll(key);
  }

  Map<String, String> hash(String key) {
    return cluster == null ? single.hgetAll(key) : cluster.hgetAll(key);
  }

  /** Seconds; -1 for a key that stays. */
  long ttl(byte[] key) {
    return cluster == null ? single.ttl(key) : cluster.ttl(key);
  }

  void put(String hash, String field, String value) {
    if (cluster == null) {
      single.hset(hash, field, value);
    } else {
      cluster.hset(hash, field, value);
    }
  }

  Set<String> like(String pattern) {
    if (cluster == null) {
      return single.keys(pattern);
    }
    Set<String> keys = new TreeSet<>();
    for (JedisPool node : cluster.getClusterNodes().values()) {
      try (Jedis jedis = node.getResource()) {
        keys.addAll(jedis.keys(pattern));
      } catch (JedisException e) {
        // A test has killed it; its replica has what it had.
      }
    }
    return keys;
  }

  @Override
  public void close() {
    single.close();
    if (cluster != null) {
      cluster.close();
    }
  }
}
