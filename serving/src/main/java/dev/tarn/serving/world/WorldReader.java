package dev.tarn.serving.world;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.serving.redis.RedisConnection;
import dev.tarn.serving.redis.RedisUnavailableException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what is released. One bad view or service stops no other: it stays as it was before, or is
 * left out if it was not there, and is tried again with each read.
 *
 * <p>Not safe for use by several threads.
 */
final class WorldReader {

  private static final Logger log = LoggerFactory.getLogger(WorldReader.class);

  /** Reads of releases that change meanwhile; after these, the last one counts. */
  private static final int MAX_READS = 10;

  private final RedisKeys keys;

  /** Problems of the last read, by view or service, so that each is logged once. */
  private final Map<String, String> warned = new HashMap<>();

  private World last;
  private Control lastControl = new Control(Map.of(), Map.of(), Map.of());

  /**
   * The released versions by view, the services by name and the places of entities, as Redis has
   * them.
   */
  private record Control(
      Map<String, String> released, Map<String, String> services, Map<String, String> entities) {}

  WorldReader(RedisKeys keys) {
    this.keys = keys;
  }

  /** Reads the world; returns the same object as before if nothing has changed. */
  World read(RedisConnection redis) throws RedisUnavailableException {
    Control control = control(redis);
    boolean isSameRedis = last != null && last.redis() == redis;
    if (isSameRedis && warned.isEmpty() && control.equals(lastControl)) {
      return last;
    }
    // After an outage, Redis may have other data under the same names.
    Map<String, ReleasedView> known = isSameRedis ? last.views() : Map.of();
    Map<String, ReleasedView> before = last == null ? Map.of() : last.views();
    Map<String, String> warnedBefore = Map.copyOf(warned);
    warned.clear();
    Map<String, ReleasedView> views = views(redis, control.released(), known, before);
    for (int reads = 1; reads < MAX_READS; reads++) {
      // A version that was replaced meanwhile may be pruned before its record was read.
      Control again = control(redis);
      if (again.released().equals(control.released())) {
        break;
      }
      control = again;
      warned.clear();
      views = views(redis, control.released(), views, before);
    }
    last = new World(redis, views, services(control.services()), places(control.entities()));
    lastControl = control;
    warned.forEach(
        (what, message) -> {
          if (!message.equals(warnedBefore.get(what))) {
            log.warn(message);
          }
        });
    return last;
  }

  /**
   * Reads releases, services and entities in one step: one release may change all of them, and a
   * newer service may have features that an older view lacks.
   */
  private Control control(RedisConnection redis) throws RedisUnavailableException {
    List<Map<String, String>> hashes =
        redis.hashes(List.of(keys.release(), keys.services(), keys.entities()));
    return new Control(hashes.get(0), hashes.get(1), hashes.get(2));
  }

  private Map<String, ReleasedView> views(
      RedisConnection redis,
      Map<String, String> released,
      Map<String, ReleasedView> known,
      Map<String, ReleasedView> before)
      throws RedisUnavailableException {
    Map<String, ReleasedView> views = new HashMap<>();
    for (Map.Entry<String, String> entry : released.entrySet()) {
      String name = entry.getKey();
      try {
        views.put(name, view(redis, name, Release.parse(entry.getValue()), known));
      } catch (IllegalArgumentException | InvalidProtocolBufferException e) {
        ReleasedView old = before.get(name);
        String instead =
            old == null
                ? "it is left out"
                : "answering from '%s'".formatted(old.release().version());
        warned.put(
            "view " + name,
            "feature view '%s', released as '%s', can't be served: %s; %s"
                .formatted(name, entry.getValue(), e.getMessage(), instead));
        if (old != null) {
          views.put(name, old);
        }
      }
    }
    return views;
  }

  private ReleasedView view(
      RedisConnection redis, String name, Release release, Map<String, ReleasedView> known)
      throws RedisUnavailableException, InvalidProtocolBufferException {
    ReleasedView same = known.get(name);
    if (same != null && same.release().version().equals(release.version())) {
      return same.release().equals(release) ? same : same.with(release);
    }
    String json =
        redis
            .field(keys.manifests(name), release.version())
            .orElseThrow(() -> new IllegalArgumentException("it has no version record"));
    VersionRecord record = ControlJson.parse(json, VersionRecord.newBuilder()).build();
    if (!record.getFeatureView().equals(name) || !record.getVersion().equals(release.version())) {
      throw new IllegalArgumentException(
          "its version record is that of '%s', version '%s'"
              .formatted(record.getFeatureView(), record.getVersion()));
    }
    return new ReleasedView(keys, record, release);
  }

  private Map<String, Integer> places(Map<String, String> texts) {
    Map<String, Integer> places = new HashMap<>();
    texts.forEach(
        (entity, place) -> {
          try {
            places.put(entity, Integer.parseInt(place));
          } catch (NumberFormatException e) {
            warned.put(
                "entity " + entity,
                "the place of entity '%s' can't be read: '%s' is no number"
                    .formatted(entity, place));
          }
        });
    return places;
  }

  private Map<String, StoredService> services(Map<String, String> texts) {
    Map<String, StoredService> services = new HashMap<>();
    texts.forEach(
        (name, json) -> {
          try {
            services.put(name, ControlJson.parse(json, StoredService.newBuilder()).build());
          } catch (InvalidProtocolBufferException e) {
            warned.put(
                "service " + name,
                "feature service '%s' can't be read: %s".formatted(name, e.getMessage()));
            StoredService old = last == null ? null : last.services().get(name);
            if (old != null) {
              services.put(name, old);
            }
          }
        });
    return services;
  }
}
