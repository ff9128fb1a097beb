package dev.tarn.serving.lookup;

import com.google.protobuf.Timestamp;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.ServingSettings;
import dev.tarn.serving.ops.CallRecord;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.rpc.Failures;
import dev.tarn.serving.world.Releases;
import dev.tarn.serving.world.World;
import dev.tarn.transform.Vectorizer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;

/**
 * One lookup: check the request, take one world, fetch all rows in one round trip, answer. No
 * thread waits for Redis.
 */
public final class Lookup {

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

  /** The entity ids of a request, where one may come several times. */
  static final class AskedIds {

    private final List<AskedId> distinct;
    private final int[] places;

    /**
     * The ids of a request.
     *
     * @param places for each id of the request, which of the distinct ones it is
     */
    AskedIds(List<AskedId> distinct, int[] places) {
      this.distinct = distinct;
      this.places = places;
    }

    List<AskedId> distinct() {
      return distinct;
    }

    int[] places() {
      return places;
    }
  }

  /** Bytes of one answer's matrix: no request may ask for more than the memory has. */
  private static final long MAX_MATRIX_BYTES = 256 << 20;

  /**
   * So many rows with so many values make an answer at once, by the thread of the network that has
   * them: to wake another costs every lookup more. With more, the other lookups of that thread
   * would wait too long.
   */
  private static final int FEW_ROWS = 128;

  private static final int FEW_VALUES = 2_048;

  private final Releases releases;
  private final Answers answers;
  private final Vectors vectors;
  private final Optional<NearCache> nearCache;
  private final ServingSettings settings;
  private final Metrics metrics;
  private final InstantSource clock;
  private final Executor executor;

  /**
   * A lookup of these parts.
   *
   * @param executor builds the large answers, so that the threads that talk to Redis and to clients
   *     don't
   */
  public Lookup(
      Releases releases,
      Answers answers,
      Vectors vectors,
      Optional<NearCache> nearCache,
      ServingSettings settings,
      Metrics metrics,
      InstantSource clock,
      Executor executor) {
    this.nearCache = nearCache;
    this.releases = releases;
    this.answers = answers;
    this.vectors = vectors;
    this.settings = settings;
    this.metrics = metrics;
    this.clock = clock;
    this.executor = executor;
  }

  /**
   * Answers a request, with the bytes of a GetOnlineFeaturesResponse. Any failure ends in the
   * future; {@link Failures#of} has its gRPC status.
   *
   * @throws io.grpc.StatusRuntimeException if it fails before Redis is asked
   */
  public CompletableFuture<WireBuffer> answer(GetOnlineFeaturesRequest request) {
    return answer(request, Selection::parts);
  }

  /** As {@link #answer}, with the bytes that the older service answers. */
  public CompletableFuture<WireBuffer> legacyAnswer(GetOnlineFeaturesRequest request) {
    return answer(request, Selection::legacyParts);
  }

  private CompletableFuture<WireBuffer> answer(
      GetOnlineFeaturesRequest request, Function<Selection, AnswerParts> toParts) {
    List<AskedId> ids = asked(request.getEntityIdsList()).distinct();
    World world = releases.world();
    Selection selection = select(world, request);
    AnswerParts parts = toParts.apply(selection);
    boolean withEventTimestamps = request.getIncludeEventTimestamps();
    return fetch(world, selection, ids)
        .thenApply(rows -> marked(answers.of(parts, ids, rows, withEventTimestamps), parts, rows));
  }

  /**
   * The vectors of a feature service; fails as {@link #answer} does.
   *
   * @throws io.grpc.StatusRuntimeException if it fails before Redis is asked
   */
  public CompletableFuture<GetFeatureVectorsResponse> vectors(GetFeatureVectorsRequest request) {
    AskedIds asked = asked(request.getEntityIdsList());
    World world = releases.world();
    VectorPlan plan = world.vectors(request.getFeatureService());
    requireBounded(asked.places().length, plan.vectorizer().width());
    return fetch(world, plan.selection(), asked.distinct())
        .thenApply(rows -> marked(vectors.of(plan, asked, rows), rows));
  }

  private CompletableFuture<FetchedRows> fetch(
      World world, Selection selection, List<AskedId> ids) {
    Optional<CallRecord> call = CallRecord.current();
    call.ifPresent(record -> record.asks(ids.size()));
    FetchedRows rows = FetchedRows.toFetch(selection, ids);
    boolean isLarge = rows.size() > FEW_ROWS || (long) ids.size() * selection.width() > FEW_VALUES;
    // While Redis is away, a release could pass unseen.
    Optional<Instant> staleSince = releases.staleSince();
    boolean isTooStale =
        staleSince.isPresent()
            && (settings.serveStale().isZero()
                || staleSince.get().plus(settings.serveStale()).isBefore(clock.instant()));
    Optional<NearCache> near = isTooStale ? Optional.empty() : nearCache;
    near.ifPresent(cache -> rows.takeFrom(cache, world.redis().identity()));
    if (rows.isComplete()) {
      rows.count(metrics);
      staleSince.ifPresent(
          since -> {
            rows.areStaleSince(since);
            call.ifPresent(record -> record.isStaleSince(since));
            metrics.staleAnswer();
          });
      return isLarge
          ? CompletableFuture.supplyAsync(() -> rows, executor)
          : CompletableFuture.completedFuture(rows);
    }
    CompletableFuture<Void> batch = world.redis().fill(rows.batch());
    return call.map(record -> record.fetching(rows.missing(), batch))
        .orElse(batch)
        .thenApplyAsync(
            filled -> {
              rows.count(metrics);
              near.ifPresent(rows::giveTo);
              return rows;
            },
            isLarge ? executor : Runnable::run);
  }

  /** With the mark of a stale answer, where it is one; the older service has no field for it. */
  private static WireBuffer marked(WireBuffer answer, AnswerParts parts, FetchedRows rows) {
    if (rows.staleSince().isPresent() && parts.withStatuses()) {
      answer.putBytes(
          GetOnlineFeaturesResponse.newBuilder()
              .setStaleSince(timestamp(rows.staleSince().get()))
              .build()
              .toByteArray());
    }
    return answer;
  }

  private static GetFeatureVectorsResponse marked(
      GetFeatureVectorsResponse answer, FetchedRows rows) {
    return rows.staleSince()
        .map(since -> answer.toBuilder().setStaleSince(timestamp(since)).build())
        .orElse(answer);
  }

  private static Timestamp timestamp(Instant instant) {
    return Timestamp.newBuilder()
        .setSeconds(instant.getEpochSecond())
        .setNanos(instant.getNano())
        .build();
  }

  private static void requireBounded(long rows, long width) {
    long bytes = rows * width * Vectorizer.FLOAT_BYTES;
    if (bytes > MAX_MATRIX_BYTES) {
      throw Failures.invalid(
          "entity_ids",
          "has %d ids, whose vectors of %d floats are %d bytes, and the server answers %d at the most: ask for fewer at once"
              .formatted(rows, width, bytes, MAX_MATRIX_BYTES));
    }
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

  private AskedIds asked(List<String> asked) {
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
    int[] places = new int[asked.size()];
    Map<String, Integer> placeById = new HashMap<>(asked.size() * 2);
    for (int i = 0; i < places.length; i++) {
      String id = asked.get(i);
      Integer place = placeById.putIfAbsent(id, distinct.size());
      if (place == null) {
        places[i] = distinct.size();
        distinct.add(new AskedId(id, checked(id, i)));
      } else {
        places[i] = place;
      }
    }
    return new AskedIds(distinct, places);
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
