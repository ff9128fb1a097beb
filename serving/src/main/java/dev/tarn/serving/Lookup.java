package dev.tarn.serving;

import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * One lookup: check the request, take one world, fetch all rows in one round trip, answer. No
 * thread waits for Redis.
 */
final class Lookup {

  /** An entity id of a request, and its bytes as Redis has them. */
  static final class AskedId {

    private final String text;
    private final byte[] utf8;

    AskedId(String text, byte[] utf8) {
      this.text = text;
      this.utf8 = utf8;
    }

    String text() {
      return text;
    }

    byte[] utf8() {
      return utf8;
    }
  }

  private final Releases releases;
  private final Answers answers;
  private final ServingSettings settings;
  private final Metrics metrics;
  private final Executor executor;

  /**
   * A lookup that does its own work on {@code executor}.
   *
   * @param executor so that answers are not built on the one thread that talks to Redis
   */
  Lookup(
      Releases releases,
      Answers answers,
      ServingSettings settings,
      Metrics metrics,
      Executor executor) {
    this.releases = releases;
    this.answers = answers;
    this.settings = settings;
    this.metrics = metrics;
    this.executor = executor;
  }

  /**
   * Answers a request. Any failure ends in the future; {@link Failures#of} has its gRPC status.
   *
   * @throws io.grpc.StatusRuntimeException if it fails before Redis is asked
   */
  CompletableFuture<GetOnlineFeaturesResponse> answer(GetOnlineFeaturesRequest request) {
    List<AskedId> ids = distinctIds(request.getEntityIdsList());
    World world = releases.world();
    Selection selection = select(world, request);
    FetchedRows rows = FetchedRows.toFetch(selection, ids);
    if (rows.isEmpty()) {
      // Views without features: there is nothing to fetch.
      return CompletableFuture.completedFuture(
          answers.of(selection, ids, rows, request.getIncludeEventTimestamps()));
    }
    return fetch(world, rows, ids.size())
        .thenApplyAsync(
            filled -> {
              rows.count(metrics);
              return answers.of(selection, ids, rows, request.getIncludeEventTimestamps());
            },
            executor);
  }

  private static CompletableFuture<Void> fetch(World world, FetchedRows rows, int entities) {
    CompletableFuture<Void> batch = world.redis().fill(rows.batch());
    return CallRecord.current().map(call -> call.fetching(entities, batch)).orElse(batch);
  }

  private Selection select(World world, GetOnlineFeaturesRequest request) {
    String service = request.getFeatureService();
    if (!service.isEmpty()) {
      if (request.getFeatureNamesCount() > 0) {
        throw Failures.invalid(
            "feature_names", "excludes feature_service: ask for the one or the other");
      }
      return world.service(service, request.getEntity());
    }
    ServedEntity entity = world.entity(request.getEntity(), settings.defaultEntity());
    return request.getFeatureNamesCount() == 0
        ? entity.all()
        : entity.select(request.getFeatureNamesList());
  }

  private List<AskedId> distinctIds(List<String> asked) {
    if (asked.isEmpty()) {
      throw Failures.invalid(
          "entity_ids", "is empty: ask for 1 to %d".formatted(settings.maxEntities()));
    }
    if (asked.size() > settings.maxEntities()) {
      throw Failures.invalid(
          "entity_ids",
          "has %d ids and the server answers %d at the most (serving.max-entities)"
              .formatted(asked.size(), settings.maxEntities()));
    }
    List<AskedId> distinct = new ArrayList<>(asked.size());
    Set<String> seen = new HashSet<>(asked.size() * 2);
    for (int i = 0; i < asked.size(); i++) {
      String id = asked.get(i);
      if (seen.add(id)) {
        distinct.add(new AskedId(id, checked(id, i)));
      }
    }
    return distinct;
  }

  private byte[] checked(String id, int index) {
    byte[] utf8 = id.getBytes(StandardCharsets.UTF_8);
    if (utf8.length == 0) {
      throw Failures.invalid("entity_ids[%d]".formatted(index), "is empty");
    }
    if (utf8.length > settings.maxIdBytes()) {
      throw Failures.invalid(
          "entity_ids[%d]".formatted(index),
          "has %d bytes and the server takes %d at the most (serving.max-id-bytes)"
              .formatted(utf8.length, settings.maxIdBytes()));
    }
    return utf8;
  }
}
