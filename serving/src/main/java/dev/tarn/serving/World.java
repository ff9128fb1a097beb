package dev.tarn.serving;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.serving.Selection.Place;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Vectorizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What lookups answer from: all that is released, as it was read at one moment, and the connection
 * that it was read from. Immutable, and swapped as a whole, so that a lookup which holds one sees
 * no release in between, and no world from before an outage meets rows from after it.
 */
final class World {

  private final RedisConnection redis;
  private final Map<String, ServedView> views;
  private final Map<String, StoredService> services;
  private final Map<String, ServedEntity> entities = new TreeMap<>();
  private final Map<String, VectorPlan> vectorPlans = new ConcurrentHashMap<>();

  /** The selections of services, by name, from when they are first asked for. */
  private final Map<String, Selection> ofServices = new ConcurrentHashMap<>();

  World(RedisConnection redis, Map<String, ServedView> views, Map<String, StoredService> services) {
    this.redis = redis;
    this.views = new TreeMap<>(views);
    this.services = Map.copyOf(services);
    Map<String, List<ServedView>> byEntity = new TreeMap<>();
    for (ServedView view : this.views.values()) {
      byEntity.computeIfAbsent(view.entity(), entity -> new ArrayList<>()).add(view);
    }
    byEntity.forEach((name, ofEntity) -> entities.put(name, new ServedEntity(name, ofEntity)));
  }

  RedisConnection redis() {
    return redis;
  }

  /** By name, in order of name. */
  Map<String, ServedView> views() {
    return views;
  }

  Map<String, StoredService> services() {
    return services;
  }

  /**
   * The entity that a request means.
   *
   * @param asked the request's {@code entity}, which may be empty
   * @param byDefault {@code serving.default-entity}, which may be empty
   * @throws io.grpc.StatusRuntimeException UNAVAILABLE if nothing of it has been released yet;
   *     INVALID_ARGUMENT if there is none of that name, or several and none was named
   */
  ServedEntity entity(String asked, String byDefault) {
    requireReleases();
    if (!asked.isEmpty()) {
      ServedEntity entity = entities.get(asked);
      if (entity == null) {
        throw Failures.invalid(
            "entity",
            "no feature view of entity %s is released%s"
                .formatted(Failures.quote(asked), Failures.suggest(asked, entities.keySet())));
      }
      return entity;
    }
    if (!byDefault.isEmpty()) {
      ServedEntity entity = entities.get(byDefault);
      if (entity == null) {
        throw Failures.unavailable(
            "no feature view of '%s' (serving.default-entity) has been released yet: run ./tarn push"
                    .formatted(byDefault)
                + " view=…");
      }
      return entity;
    }
    if (entities.size() > 1) {
      throw Failures.invalid(
          "entity", "is empty; there are: " + String.join(", ", entities.keySet()));
    }
    return entities.values().iterator().next();
  }

  /**
   * The features of a feature service, by the names that its definition has.
   *
   * @param entity the request's {@code entity}, which may be empty
   * @throws io.grpc.StatusRuntimeException INVALID_ARGUMENT if there is no such service or it is of
   *     another entity; FAILED_PRECONDITION if a feature of it is in no released view
   */
  Selection service(String name, String entity) {
    StoredService service = stored(name);
    if (!entity.isEmpty() && !entity.equals(service.getEntity())) {
      throw Failures.invalid(
          "entity",
          "feature service '%s' is of entity '%s', not %s"
              .formatted(name, service.getEntity(), Failures.quote(entity)));
    }
    return ofServices.computeIfAbsent(name, unknown -> Selection.of(places(service)));
  }

  /**
   * How to make the vectors of a feature service.
   *
   * @throws io.grpc.StatusRuntimeException INVALID_ARGUMENT if there is no such service;
   *     FAILED_PRECONDITION if it is not fitted, or a feature of it is in no released view or is no
   *     number
   */
  VectorPlan vectors(String name) {
    // Worked out with the first request: of most services nobody asks vectors.
    return vectorPlans.computeIfAbsent(name, this::planVectors);
  }

  private VectorPlan planVectors(String name) {
    if (name.isEmpty()) {
      throw Failures.invalid("feature_service", "is empty: vectors are those of a feature service");
    }
    StoredService service = stored(name);
    Map<String, Place> places = places(service);
    List<Place> inOrder = List.copyOf(places.values());
    List<FeatureType> types =
        inOrder.stream().map(place -> place.view().types().get(place.index())).toList();
    try {
      return new VectorPlan(Selection.of(places), inOrder, Vectorizer.of(service, types));
    } catch (TransformException e) {
      throw Failures.failedPrecondition(e.getMessage());
    }
  }

  private StoredService stored(String name) {
    requireReleases();
    StoredService service = services.get(name);
    if (service == null) {
      throw Failures.invalid(
          "feature_service",
          "no feature service %s%s"
              .formatted(Failures.quote(name), Failures.suggest(name, services.keySet())));
    }
    return service;
  }

  /** Where the features of a service are, in its order. */
  private Map<String, Place> places(StoredService service) {
    ServedEntity served = entities.get(service.getEntity());
    Map<String, Place> chosen = new LinkedHashMap<>();
    for (String feature : service.getFeatureNamesList()) {
      Place place = served == null ? null : served.place(feature).orElse(null);
      if (place == null) {
        throw Failures.failedPrecondition(
            "feature service '%s' has the feature '%s', which is in no released view of entity '%s'"
                    .formatted(service.getName(), feature, service.getEntity())
                + ": push its view, or take it out of the service");
      }
      chosen.put(feature, place);
    }
    return chosen;
  }

  private void requireReleases() {
    if (views.isEmpty()) {
      throw Failures.unavailable(
          "no feature view has been released yet: run ./tarn push view=… first");
    }
  }
}
