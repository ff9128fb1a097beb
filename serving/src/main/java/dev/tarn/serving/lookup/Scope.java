package dev.tarn.serving.lookup;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.serving.access.Caller;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.redis.RedisConnection;
import dev.tarn.serving.world.ReleasedView;
import dev.tarn.serving.world.World;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Vectorizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Holds what requests may ask for in one {@link World}: its entities, features and services. There
 * is one scope for everyone or, if the server knows its callers, a smaller one for each of them.
 *
 * <p>What is outside a caller's scope is as if it were not there, so that no name, default,
 * suggestion or ambiguity gives it away. Asking for it is PERMISSION_DENIED, whether or not it
 * exists.
 */
final class Scope {

  /** The place of an entity that was first released by a Tarn that did not note it. */
  private static final int UNKNOWN = Integer.MAX_VALUE;

  private final RedisConnection redis;
  private final Map<String, ReleasedView> views;
  private final Map<String, StoredService> services;
  private final Map<String, EntityFeatures> entities;

  /** The caller whose scope this is; empty for the whole one. */
  private final Optional<Caller> caller;

  /** The entity that was released first; several if an earlier Tarn did not note the order. */
  private final List<String> first;

  /** The place of each entity in the order in which entities were first released. */
  private final Map<String, Integer> places;

  /** The entities of all views: a caller may use a service without seeing its views. */
  private final Map<String, EntityFeatures> allEntities;

  // Computed when they are first asked for.
  private final Map<String, Selection> serviceSelections = new ConcurrentHashMap<>();
  private final Map<String, VectorPlan> vectorPlans = new ConcurrentHashMap<>();
  private final Map<Caller, Scope> restricted = new ConcurrentHashMap<>();

  /** Creates the scope of all that is released. */
  Scope(World world) {
    redis = world.redis();
    views = world.views();
    services = world.services();
    caller = Optional.empty();
    entities = entities(views, caller);
    allEntities = entities;
    Set<String> known = new TreeSet<>(entities.keySet());
    known.addAll(world.entities().keySet());
    places = world.entities();
    first = first(known, places);
  }

  private Scope(Scope whole, Caller caller) {
    redis = whole.redis;
    Map<String, ReleasedView> visible = new TreeMap<>(whole.views);
    visible.keySet().removeIf(view -> !caller.maySee(view));
    views = Collections.unmodifiableMap(visible);
    Map<String, StoredService> usable = new TreeMap<>(whole.services);
    usable.keySet().removeIf(service -> !caller.mayUse(service));
    services = Map.copyOf(usable);
    this.caller = Optional.of(caller);
    entities = entities(views, this.caller);
    places = whole.places;
    first = first(entities.keySet(), places);
    allEntities = whole.entities;
  }

  private static Map<String, EntityFeatures> entities(
      Map<String, ReleasedView> views, Optional<Caller> caller) {
    Map<String, List<ReleasedView>> byEntity = new TreeMap<>();
    for (ReleasedView view : views.values()) {
      byEntity.computeIfAbsent(view.entity(), entity -> new ArrayList<>()).add(view);
    }
    Map<String, EntityFeatures> entities = new TreeMap<>();
    byEntity.forEach(
        (name, ofEntity) -> entities.put(name, new EntityFeatures(name, ofEntity, caller)));
    return entities;
  }

  /** Returns the part that a caller may ask for. */
  Scope of(Caller caller) {
    return restricted.computeIfAbsent(caller, asking -> new Scope(this, asking));
  }

  /** Returns the connection to read this scope's rows over. */
  RedisConnection redis() {
    return redis;
  }

  /** Returns the views by name, in order of name. */
  Map<String, ReleasedView> views() {
    return views;
  }

  /**
   * Finds the entity that a request means. If it names none and the setting neither, that is the
   * entity that was released first, so that the release of another one changes no answer.
   *
   * @param asked the request's {@code entity}, which may be empty
   * @param byDefault {@code serving.default-entity}, which may be empty
   * @throws LookupRefusedException UNAVAILABLE if nothing of the entity is released; INVALID if
   *     there is none of that name, or none was named and nothing says which was released first;
   *     DENIED if the caller sees none of that name
   */
  EntityFeatures entity(String asked, String byDefault) {
    requireReleases();
    if (!asked.isEmpty()) {
      EntityFeatures entity = entities.get(asked);
      if (entity == null) {
        denyCaller("entity", "a feature view of entity " + LookupRefusedException.quote(asked));
        throw LookupRefusedException.invalid(
            "entity",
            "no feature view of entity %s is released%s"
                .formatted(
                    LookupRefusedException.quote(asked),
                    LookupRefusedException.suggest(asked, entities.keySet())));
      }
      return entity;
    }
    if (!byDefault.isEmpty()) {
      EntityFeatures entity = entities.get(byDefault);
      if (entity == null) {
        denyCaller("entity", "a feature view of entity '%s'".formatted(byDefault));
        throw LookupRefusedException.unavailable(
            "no feature view of '%s' (serving.default-entity) has been released yet: run ./tarn push"
                    .formatted(byDefault)
                + " view=…");
      }
      return entity;
    }
    if (entities.isEmpty()) {
      denyCaller("feature_names", "any feature view");
    }
    if (first.size() > 1) {
      throw LookupRefusedException.invalid(
          "entity", "is empty; there are: " + String.join(", ", entities.keySet()));
    }
    EntityFeatures entity = entities.get(first.get(0));
    if (entity == null) {
      throw LookupRefusedException.unavailable(
          "no feature view of '%s', the entity of requests that name none, can be served now: name another entity, or set serving.default-entity"
              .formatted(first.get(0)));
    }
    return entity;
  }

  private static List<String> first(Set<String> entities, Map<String, Integer> places) {
    int least =
        entities.stream()
            .mapToInt(entity -> places.getOrDefault(entity, UNKNOWN))
            .min()
            .orElse(UNKNOWN);
    return entities.stream()
        .filter(entity -> places.getOrDefault(entity, UNKNOWN) == least)
        .toList();
  }

  /**
   * Selects the features of a feature service, under the names that its definition has.
   *
   * @param entity the request's {@code entity}, which may be empty
   * @throws LookupRefusedException INVALID if there is no such service or it is of another entity;
   *     NOT_READY if a feature of it is in no released view; DENIED if the caller may not use a
   *     service of that name
   */
  Selection service(String name, String entity) {
    StoredService service = stored(name);
    if (!entity.isEmpty() && !entity.equals(service.getEntity())) {
      throw LookupRefusedException.invalid(
          "entity",
          "feature service '%s' is of entity '%s', not %s"
              .formatted(name, service.getEntity(), LookupRefusedException.quote(entity)));
    }
    return serviceSelections.computeIfAbsent(name, unknown -> Selection.of(places(service)));
  }

  /**
   * Plans the vectors of a feature service.
   *
   * @throws LookupRefusedException as {@link #service}; also NOT_READY if the service is not fitted
   *     or a feature of it is no number
   */
  VectorPlan vectors(String name) {
    return vectorPlans.computeIfAbsent(name, this::planVectors);
  }

  private VectorPlan planVectors(String name) {
    if (name.isEmpty()) {
      throw LookupRefusedException.invalid(
          "feature_service", "is empty: vectors are those of a feature service");
    }
    StoredService service = stored(name);
    Map<String, Place> places = places(service);
    List<Place> inOrder = List.copyOf(places.values());
    List<FeatureType> types =
        inOrder.stream().map(place -> place.view().types().get(place.index())).toList();
    try {
      return new VectorPlan(Selection.of(places), inOrder, Vectorizer.of(service, types));
    } catch (TransformException e) {
      throw LookupRefusedException.notReady(e.getMessage());
    }
  }

  private StoredService stored(String name) {
    requireReleases();
    StoredService service = services.get(name);
    if (service == null) {
      denyCaller("feature_service", "feature service " + LookupRefusedException.quote(name));
      throw LookupRefusedException.invalid(
          "feature_service",
          "no feature service %s%s"
              .formatted(
                  LookupRefusedException.quote(name),
                  LookupRefusedException.suggest(name, services.keySet())));
    }
    return service;
  }

  /** Finds the features of a service, in its order. */
  private Map<String, Place> places(StoredService service) {
    EntityFeatures entity = allEntities.get(service.getEntity());
    Map<String, Place> chosen = new LinkedHashMap<>();
    for (String feature : service.getFeatureNamesList()) {
      Place place = entity == null ? null : entity.place(feature).orElse(null);
      if (place == null) {
        throw LookupRefusedException.notReady(
            "feature service '%s' has the feature '%s', which is in no released view of entity '%s'"
                    .formatted(service.getName(), feature, service.getEntity())
                + ": push its view, or take it out of the service");
      }
      chosen.put(feature, place);
    }
    return chosen;
  }

  /** Refuses with DENIED, if this is the scope of a caller. */
  private void denyCaller(String field, String what) {
    if (caller.isPresent()) {
      throw LookupRefusedException.denied(field, caller.get(), what);
    }
  }

  private void requireReleases() {
    if (allEntities.isEmpty()) {
      throw LookupRefusedException.unavailable(
          "no feature view has been released yet: run ./tarn push view=… first");
    }
  }
}
