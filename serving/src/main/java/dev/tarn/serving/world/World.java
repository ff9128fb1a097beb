package dev.tarn.serving.world;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.serving.access.Caller;
import dev.tarn.serving.lookup.Selection;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.lookup.ServedEntity;
import dev.tarn.serving.lookup.VectorPlan;
import dev.tarn.serving.redis.RedisConnection;
import dev.tarn.serving.rpc.Failures;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Vectorizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What lookups answer from: all that is released, as it was read at one moment, and the connection
 * that it was read from. Immutable, and swapped as a whole, so that a lookup which holds one sees
 * no release in between, and no world from before an outage meets rows from after it.
 */
public final class World {

  private final RedisConnection redis;
  private final Map<String, ServedView> views;
  private final Map<String, StoredService> services;
  private final Map<String, ServedEntity> entities = new TreeMap<>();
  private final Map<String, VectorPlan> vectorPlans = new ConcurrentHashMap<>();

  /** The selections of services, by name, from when they are first asked for. */
  private final Map<String, Selection> selections = new ConcurrentHashMap<>();

  /** Whose world it is; empty: the whole one. */
  private final Optional<Caller> caller;

  /** Where the features of services are: in all views, whoever asks. */
  private final Map<String, ServedEntity> ofServices;

  /** The worlds of callers, made when each first asks. */
  private final Map<Caller, World> restricted = new ConcurrentHashMap<>();

  World(RedisConnection redis, Map<String, ServedView> views, Map<String, StoredService> services) {
    this.redis = redis;
    this.views = new TreeMap<>(views);
    this.services = Map.copyOf(services);
    caller = Optional.empty();
    putEntities();
    ofServices = entities;
  }

  private World(World whole, Caller caller) {
    redis = whole.redis;
    views = new TreeMap<>(whole.views);
    views.values().removeIf(view -> !caller.maySee(view));
    Map<String, StoredService> usable = new TreeMap<>(whole.services);
    usable.keySet().removeIf(service -> !caller.mayUse(service));
    services = Map.copyOf(usable);
    this.caller = Optional.of(caller);
    putEntities();
    ofServices = whole.entities;
  }

  /**
   * What a caller may see of it. All else is as if it were not there, so that no name, default,
   * suggestion or ambiguity gives it away; only that asking for what is not there is
   * PERMISSION_DENIED.
   */
  World of(Caller caller) {
    return restricted.computeIfAbsent(caller, asking -> new World(this, asking));
  }

  private void putEntities() {
    Map<String, List<ServedView>> byEntity = new TreeMap<>();
    for (ServedView view : views.values()) {
      byEntity.computeIfAbsent(view.entity(), entity -> new ArrayList<>()).add(view);
    }
    byEntity.forEach(
        (name, ofEntity) -> entities.put(name, new ServedEntity(name, ofEntity, caller)));
  }

  public RedisConnection redis() {
    return redis;
  }

  /** By name, in order of name. */
  public Map<String, ServedView> views() {
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
   *     INVALID_ARGUMENT if there is none of that name, or several and none was named;
   *     PERMISSION_DENIED if its caller sees none of that name
   */
  public ServedEntity entity(String asked, String byDefault) {
    requireReleases();
    if (!asked.isEmpty()) {
      ServedEntity entity = entities.get(asked);
      if (entity == null) {
        refuse("entity", "a feature view of entity " + Failures.quote(asked));
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
        refuse("entity", "a feature view of entity '%s'".formatted(byDefault));
        throw Failures.unavailable(
            "no feature view of '%s' (serving.default-entity) has been released yet: run ./tarn push"
                    .formatted(byDefault)
                + " view=…");
      }
      return entity;
    }
    if (entities.isEmpty()) {
      refuse("feature_names", "any feature view");
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
   *     another entity; FAILED_PRECONDITION if a feature of it is in no released view;
   *     PERMISSION_DENIED if its caller may not use one of that name
   */
  public Selection service(String name, String entity) {
    StoredService service = stored(name);
    if (!entity.isEmpty() && !entity.equals(service.getEntity())) {
      throw Failures.invalid(
          "entity",
          "feature service '%s' is of entity '%s', not %s"
              .formatted(name, service.getEntity(), Failures.quote(entity)));
    }
    return selections.computeIfAbsent(name, unknown -> Selection.of(places(service)));
  }

  /**
   * How to make the vectors of a feature service.
   *
   * @throws io.grpc.StatusRuntimeException INVALID_ARGUMENT if there is no such service;
   *     FAILED_PRECONDITION if it is not fitted, or a feature of it is in no released view or is no
   *     number
   */
  public VectorPlan vectors(String name) {
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
      refuse("feature_service", "feature service " + Failures.quote(name));
      throw Failures.invalid(
          "feature_service",
          "no feature service %s%s"
              .formatted(Failures.quote(name), Failures.suggest(name, services.keySet())));
    }
    return service;
  }

  /** Where the features of a service are, in its order. */
  private Map<String, Place> places(StoredService service) {
    ServedEntity served = ofServices.get(service.getEntity());
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

  /** PERMISSION_DENIED, if this is the world of a caller. */
  private void refuse(String field, String what) {
    if (caller.isPresent()) {
      throw Failures.denied(field, caller.get(), what);
    }
  }

  private void requireReleases() {
    if (ofServices.isEmpty()) {
      throw Failures.unavailable(
          "no feature view has been released yet: run ./tarn push view=… first");
    }
  }
}
