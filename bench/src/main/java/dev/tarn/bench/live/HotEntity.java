package dev.tarn.bench.live;

import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.Traffic;
import dev.tarn.bench.testbed.JobProcess;
import dev.tarn.manifest.LiveBase;
import dev.tarn.redis.RedisKeys;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import redis.clients.jedis.Jedis;

/** Sends all events of some seconds to one entity, and watches what its cells take. */
final class HotEntity {

  private static final int USER = 1;

  /**
   * The result.
   *
   * @param wrong sums after all was applied
   */
  record Result(long mostBytes, long lastBytes, long liveMemory, long wrong) {}

  private HotEntity() {}

  static Result measure(
      LivePlace place,
      String view,
      JobProcess live,
      Spending spending,
      Freshness answers,
      LiveSizes sizes) {
    LiveBase base = place.released(view).getLive();
    byte[] id = Integer.toString(USER).getBytes(StandardCharsets.UTF_8);
    byte[] key =
        RedisKeys.bucket(
            place.keys().bucketPrefix(view, RedisKeys.liveVersion(base.getGeneration())),
            RedisKeys.bucketOf(id, base.getLiveBuckets()));
    long most = 0;
    long bytes = 0;
    long memory = 0;
    try (Jedis jedis = place.redis();
        Traffic traffic = Traffic.start(sizes.fasterRate(), () -> spending.send(USER))) {
      while (traffic.count() < (long) sizes.fasterRate() * sizes.seconds()) {
        bytes = Optional.ofNullable(jedis.hget(key, id)).map(entry -> entry.length).orElse(0);
        most = Math.max(most, bytes);
        memory = Math.max(memory, live.memory());
        LivePlace.pause(50);
      }
    }
    place.awaitApplied(view, live, 120);
    return new Result(most, bytes, memory, answers.wrong(List.of(USER)).size());
  }
}
