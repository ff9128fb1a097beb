package dev.tarn.serving.world;

import dev.tarn.manifest.StoredService;
import dev.tarn.serving.redis.RedisConnection;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * All that is released, as it was read at one moment, and the connection that it was read from.
 *
 * <p>A world is immutable and is replaced as a whole. A lookup that holds one sees no release in
 * between, and never reads rows over a later connection, whose Redis may have other data.
 *
 * @param views the released views by name, in order of name
 * @param services the feature services by name
 */
public record World(
    RedisConnection redis, Map<String, ReleasedView> views, Map<String, StoredService> services) {

  /** Copies the maps. */
  public World {
    views = Collections.unmodifiableMap(new TreeMap<>(views));
    services = Map.copyOf(services);
  }
}
