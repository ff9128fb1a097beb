package dev.tarn.serving.lookup;

import com.google.protobuf.Timestamp;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsResponse;
import dev.tarn.cli.Plural;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.live.LiveProgress;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.ops.CallRecord;
import dev.tarn.serving.ops.InFlightBytes.RefusedException;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.redis.RowBatch;
import dev.tarn.serving.world.ReleasedView;
import dev.tarn.serving.world.Releases;
import dev.tarn.transform.Vectorizer;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.LongBinaryOperator;

/**
 * Answers requests: checks the request, takes one scope, fetches all rows in one round trip and
 * writes the answer. No thread waits for Redis.
 */
public final class Lookup {

  /** The memory of reading one row, beside the row: the command, its bytes and the bucket's key. */
  private static final int BYTES_A_READ = 200;

  /**
   * The rows, and values, up to which the network thread that has the rows makes the answer by
   * itself, because waking another thread costs every lookup more. A larger answer would make the
   * other lookups of that thread wait too long.
   */
  private static final int FEW_ROWS = 128;

  private static final int FEW_VALUES = 2_048;

  private final Scopes scopes;
  private final Releases releases;
  private final LiveProgress progress;
  private final Answers answers;
  private final Vectors vectors;
  private final Optional<NearCache> nearCache;
  private final LookupSettings settings;
  private final Metrics metrics;
  private final InstantSource clock;
  private final Executor executor;

  /**
   * Combines the parts of a lookup.
   *
   * @param releases says whether what the server knows may be stale
   * @param progress says how far live views are complete
   * @param executor builds the large answers, off the network threads
   */
  public Lookup(
      Scopes scopes,
      Releases releases,
      LiveProgress progress,
      CorruptRows corruptRows,
      Optional<NearCache> nearCache,
      LookupSettings settings,
      Metrics metrics,
      InstantSource clock,
      Executor executor) {
    this.scopes = scopes;
    this.releases = releases;
    this.progress = progress;
    answers = new Answers(corruptRows);
    vectors = new Vectors(corruptRows);
    this.nearCache = nearCache;
    this.settings = settings;
    this.metrics = metrics;
    this.clock = clock;
    this.executor = executor;
  }

  /**
   * Answers with the bytes of a GetOnlineFeaturesResponse. A failure after Redis was asked ends in
   * the future.
   *
   * @throws LookupRefusedException before Redis is asked
   */
  public CompletableFuture<WireBuffer> answer(GetOnlineFeaturesRequest request) {
    return answer(request, Selection::parts, Details.of(request));
  }

  /** Answers as {@link #answer} does, with the bytes of the older service's response. */
  public CompletableFuture<WireBuffer> legacyAnswer(GetOnlineFeaturesRequest request) {
    return answer(request, Selection::legacyParts, Details.NONE);
  }

  private CompletableFuture<WireBuffer> answer(
      GetOnlineFeaturesRequest request, Function<Selection, AnswerParts> toParts, Details details) {
    List<AskedId> ids = AskedIds.of(request.getEntityIdsList(), settings).distinct();
    Scope scope = scopes.current();
    Selection selection = select(scope, request);
    AnswerParts parts = toParts.apply(selection);
    boolean withTypes = request.getIncludeFeatureTypes();
    AnswerGrowth growth =
        new AnswerGrowth(
            ids.size(),
            settings.maxAnswerBytes(),
            parts.expectedBytes(ids.size()),
            memory(CallRecord::takes));
    Estimate estimate =
        (rows, rowBytes) -> {
          long bytes = answers.estimate(parts, ids, rows, details, rowBytes);
          parts.learn(ids.size(), bytes);
          return bytes;
        };
    return fetch(scope, selection, ids, 0, growth, estimate)
        .thenApply(
            rows -> {
              WireBuffer answer;
              try {
                answer = answers.of(parts, ids, rows, details, growth.first(), growth);
              } catch (RefusedException e) {
                long bytes = estimate.answerBytes(rows, rows.bytes());
                selection.learn(rows);
                throw growth.refusal(e, bytes);
              }
              parts.learn(ids.size(), answer.size());
              selection.learn(rows);
              if (withTypes) {
                answer.putBytes(parts.types());
              }
              return growth.checked(marked(answer, parts, rows));
            });
  }

  /**
   * Answers the vectors of a feature service; fails as {@link #answer} does.
   *
   * @throws LookupRefusedException before Redis is asked
   */
  public CompletableFuture<GetFeatureVectorsResponse> vectors(GetFeatureVectorsRequest request) {
    AskedIds asked = AskedIds.of(request.getEntityIdsList(), settings);
    Scope scope = scopes.current();
    VectorPlan plan = scope.vectors(request.getFeatureService());
    int ids = asked.places().length;
    boolean withStamps = request.getIncludeStamps();
    long matrix = matrixBytes(ids, plan.vectorizer().width());
    // Where ids come twice, there are two of them for a moment.
    long bytes = asked.distinct().size() == ids ? matrix : 2 * matrix;
    AnswerGrowth none =
        new AnswerGrowth(ids, settings.maxAnswerBytes(), 0, memory(CallRecord::takes));
    return fetch(scope, plan.selection(), asked.distinct(), bytes, none, (rows, rowBytes) -> 0)
        .thenApply(
            rows -> {
              plan.selection().learn(rows);
              return marked(vectors.of(plan, asked, rows, withStamps), rows);
            });
  }

  /**
   * Lists the released views that the caller may see.
   *
   * @throws LookupRefusedException before the first world was read
   */
  public ListFeatureViewsResponse views() {
    ListFeatureViewsResponse.Builder views = ListFeatureViewsResponse.newBuilder();
    Scope scope = scopes.current();
    scope.views().values().forEach(view -> views.addFeatureViews(described(scope, view)));
    ListFeatureViewsResponse answer = views.build();
    CallRecord.current().ifPresent(record -> record.begins(answer.getSerializedSize(), 0));
    return answer;
  }

  private FeatureView described(Scope scope, ReleasedView view) {
    FeatureView description = view.describe();
    return view.live()
        .map(live -> progress.of(live, scope.redis().identity()))
        .map(known -> description.toBuilder().setReleased(known.in(view)).build())
        .orElse(description);
  }

  /** Takes memory for a call: at least some bytes, and rather some more. */
  private interface Taking {
    long take(CallRecord call, long least, long wanted);
  }

  /** Returns what takes memory for this call, or throws. */
  private static LongBinaryOperator memory(Taking taking) {
    Optional<CallRecord> call = CallRecord.current();
    return (least, wanted) -> call.map(record -> taking.take(record, least, wanted)).orElse(wanted);
  }

  /** Estimates the bytes of an answer from some of its rows and the bytes of all. */
  private interface Estimate {
    long answerBytes(FetchedRows some, long rowBytes);
  }

  /**
   * Fetches the rows.
   *
   * @param bytes the memory that the answer needs in any case
   * @param growth begins with the memory that the answer is expected to need beside
   * @param estimate says what the answer needs of which not all rows found memory
   * @throws RefusedException if there is no memory, or none for what rows and answers like these
   *     usually take; Redis is not asked then
   */
  private CompletableFuture<FetchedRows> fetch(
      Scope scope,
      Selection selection,
      List<AskedId> ids,
      long bytes,
      AnswerGrowth growth,
      Estimate estimate) {
    Optional<CallRecord> call = CallRecord.current();
    call.ifPresent(record -> record.asks(ids.size()));
    FetchedRows rows = FetchedRows.toFetch(selection, ids);
    boolean isLarge = rows.size() > FEW_ROWS || (long) ids.size() * selection.width() > FEW_VALUES;
    // While Redis is away, the server would not see a release.
    Optional<Instant> staleSince = releases.staleSince();
    boolean isTooStale =
        staleSince.isPresent()
            && (!settings.servesStale()
                || staleSince.get().plus(settings.serveStale()).isBefore(clock.instant()));
    Optional<NearCache> near = isTooStale ? Optional.empty() : nearCache;
    near.ifPresent(cache -> rows.takeFrom(cache, scope.redis().identity()));
    if (rows.isComplete()) {
      growth.begin(begin(call, bytes, growth.expected()));
      rows.askAt(Values.micros(clock.instant()));
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
    staleSince.ifPresent(since -> refuseLive(selection));
    rows.know(progress, scope.redis().identity());
    int missing = rows.missing();
    long rowBytes = selection.expectedBytes(missing);
    long expected = rowBytes + growth.expected();
    long granted = begin(call, bytes + (long) missing * BYTES_A_READ, expected);
    long grantedRows = granted == expected ? rowBytes : granted / 2;
    growth.begin(granted - grantedRows);
    RowBatch batch = rows.batch(grantedRows, memory(CallRecord::takesForRows));
    CompletableFuture<Void> asked = scope.redis().fill(batch);
    return call.map(record -> record.fetching(missing, asked))
        .orElse(asked)
        .thenApplyAsync(
            filled -> {
              call.ifPresent(CallRecord::tookUp);
              rows.fetched(batch.bytes());
              rows.askAt(Values.micros(clock.instant()));
              if (batch.refusal().isPresent()) {
                long all = rows.nearBytes() + batch.bytes();
                long answerBytes = estimate.answerBytes(rows, all);
                selection.learn(rows);
                throw refusal(batch, growth, answerBytes);
              }
              rows.count(metrics);
              near.ifPresent(rows::giveTo);
              return rows;
            },
            isLarge ? executor : Runnable::run);
  }

  /**
   * Refuses live views while Redis is away, also where other views are answered from memory: what
   * is in memory of a live view is not what it was asked for.
   *
   * @throws LookupRefusedException UNAVAILABLE if there is one
   */
  private void refuseLive(Selection selection) {
    if (settings.servesStale()) {
      selection.views().stream()
          .map(ViewColumns::view)
          .filter(view -> view.live().isPresent())
          .findFirst()
          .ifPresent(
              view -> {
                throw LookupRefusedException.unavailable(
                    "feature view '%s' is live and is never answered from memory: %s"
                        .formatted(
                            view.name(), releases.trouble().orElse("Redis was away just now")));
              });
    }
  }

  /** Returns the expected bytes for which there is memory: all, or a part of very many. */
  private static long begin(Optional<CallRecord> call, long bytes, long expected) {
    return call.map(record -> record.begins(bytes, expected)).orElse(expected);
  }

  /** Says of a lookup whose rows found no memory whether it would find some alone. */
  private static RuntimeException refusal(RowBatch batch, AnswerGrowth growth, long answerBytes) {
    RuntimeException refusal = batch.refusal().orElseThrow();
    return refusal instanceof RefusedException refused
        ? growth.refusal(refused.needing(refused.needed() + batch.bytesAfterRefusal()), answerBytes)
        : refusal;
  }

  /** Marks a stale answer, unless it is one of the older service, which has no field for it. */
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

  private long matrixBytes(long rows, long width) {
    long bytes = rows * width * Vectorizer.FLOAT_BYTES;
    if (bytes > settings.maxAnswerBytes()) {
      throw LookupRefusedException.invalid(
          "entity_ids",
          "has %s, whose %s of %s %s %,d bytes, and the server answers %,d at the most (serving.max-answer-bytes): ask for fewer at once"
              .formatted(
                  Plural.of(rows, "id"),
                  Plural.choose(rows, "vector", "vectors"),
                  Plural.of(width, "float"),
                  Plural.choose(rows, "is", "are"),
                  bytes,
                  settings.maxAnswerBytes()));
    }
    return bytes;
  }

  private Selection select(Scope scope, GetOnlineFeaturesRequest request) {
    String service = request.getFeatureService();
    if (!service.isEmpty()) {
      if (request.getFeatureNamesCount() > 0) {
        throw LookupRefusedException.invalid(
            "feature_names", "excludes feature_service: ask for the one or the other");
      }
      return scope.service(service, request.getEntity());
    }
    EntityFeatures entity = scope.entity(request.getEntity(), settings.defaultEntity());
    return request.getFeatureNamesCount() == 0
        ? entity.all()
        : entity.select(request.getFeatureNamesList());
  }
}
