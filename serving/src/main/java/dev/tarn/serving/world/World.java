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
 * between, and never reads rows over a later connection, whose Redis may have other data. Worlds
 * are compared by identity.
 */
public final class World {

  private final RedisConnection redis;
  private final Map<String, ReleasedView> views;
  private final Map<String, StoredService> services;
  private final Map<String, Integer> entities;

  World(
      RedisConnection redis,
      Map<String, ReleasedView> views,
      Map<String, StoredService> services,
      Map<String, Integer> entities) {
    this.redis = redis;
    this.entities = Map.copyOf(entities);
    this.views = Collections.unmodifiableMap(new TreeMap<>(views));
    this.services = Map.copyOf(services);
  }

  /** Returns the connection to read the rows of these views over. */
  public RedisConnection redis() {
    return redis;
  }

  /** Returns the released views by name, in order of name. */
  public Map<String, ReleasedView> views() {
    return views;
  }

  /** Returns the feature services by name. */
  public Map<String, StoredService> services() {
    return services;
  }

  /** Returns the place of each entity in the order in which entities were first released. */
  public Map<String, Integer> entities() {
    return entities;
  }
}
