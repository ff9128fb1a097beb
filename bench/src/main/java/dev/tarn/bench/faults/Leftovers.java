package dev.tarn.bench.faults;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.ScanParams;
import redis.clients.jedis.ScanResult;

/**
 * Counts of what is there and belongs to no complete version of the view.
 *
 * @param keys in Redis; keys of complete versions that are going to vanish count, too
 * @param leases of versions that are being written
 * @param tags in Iceberg without a version, and versions without their tag
 */
record Leftovers(int keys, int leases, int tags) {

  static final Leftovers NONE = new Leftovers(0, 0, 0);

  /** Counts with SCAN, which Tarn itself never needs. */
  static Leftovers count(Lake lake, RedisServers redis, FaultsRedis server, String view) {
    RedisKeys names = redis.settings().keys();
    Map<String, Integer> complete = new HashMap<>();
    Set<String> tags = new HashSet<>();
    for (VersionRecord record : new VersionStore(redis).records(view)) {
      complete.put(names.bucketPrefix(view, record.getVersion()), record.getBuckets());
      tags.add("tarn-" + record.getVersion());
    }
    int keys = 0;
    int leases;
    try (Jedis jedis = server.connect()) {
      String all = names.bucketPrefix(view, "*") + "*";
      String cursor = ScanParams.SCAN_POINTER_START;
      do {
        ScanResult<String> found = jedis.scan(cursor, new ScanParams().match(all).count(1_000));
        for (String key : found.getResult()) {
          int end = key.lastIndexOf(':') + 1;
          Integer buckets = complete.get(key.substring(0, end));
          boolean isOwn =
              buckets != null
                  && Integer.parseInt(key.substring(end)) < buckets
                  && jedis.ttl(key) == -1;
          keys += isOwn ? 0 : 1;
        }
        cursor = found.getCursor();
      } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
      leases = Math.toIntExact(jedis.hlen(names.writing(view)));
    }
    Set<String> refs =
        new HashSet<>(
            FeatureTable.find(lake.catalog(), view).orElseThrow().iceberg().refs().keySet());
    refs.remove("main");
    Set<String> both = new HashSet<>(refs);
    both.retainAll(tags);
    return new Leftovers(keys, leases, refs.size() + tags.size() - 2 * both.size());
  }

  @Override
  public String toString() {
    return "%d keys, %d leases, %d tags".formatted(keys, leases, tags);
  }
}
