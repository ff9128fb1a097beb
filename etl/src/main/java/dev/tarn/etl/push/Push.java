package dev.tarn.etl.push;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.base.Bases;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Fits;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.Refusals;
import dev.tarn.etl.redis.Rights;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.LiveRetention;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Eviction;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Copies the newest row of every entity in a snapshot of a feature table to Redis as a new version,
 * and makes it the one that lookups answer from. Several views are released in the same instant.
 *
 * <p>Spark's tasks write the rows straight to Redis, next to what is released and under a name of
 * their own, and read them back from there; the release at the end is one compare-and-set. Whatever
 * fails before it, what was released stays released, and what was written is removed by this push
 * or by the next. Pushing what is released already changes nothing.
 */
public final class Push {

  /** Amount of a snapshot that a push writes. */
  public enum Mode {
    /** A delta where that is possible and small, else every row. */
    AUTO,
    FULL,
    DELTA
  }

  /** Result of a view's push. */
  public enum State {
    RELEASED,
    RELEASED_ALREADY,
    /** A rollback pinned the view: nothing was written. */
    PINNED,
    /** Another push released the same or a newer snapshot in the meantime. */
    SUPERSEDED;

    String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  /**
   * A request to push.
   *
   * @param snapshotOrTag empty: the newest snapshot of main
   * @param isRollback whether an older snapshot than the released one may be released, which then
   *     pins the view
   */
  public record Request(Optional<String> snapshotOrTag, Mode mode, boolean isRollback) {

    /** The newest snapshot, in the mode that suits. */
    public static final Request NEWEST = new Request(Optional.empty(), Mode.AUTO, false);
  }

  /**
   * Result of a view's push, with its times.
   *
   * @param record version record of what is released now
   * @param mode {@code full} or {@code delta}; {@code kept} if a version that Redis still had was
   *     released again; empty if nothing was released
   * @param reason why a push wrote more than the least, in one phrase; often empty
   * @param rowsWritten rows that this push wrote
   * @param bytes size of entity ids and encoded rows
   */
  public record Outcome(
      VersionRecord record,
      State state,
      String mode,
      String reason,
      long rowsWritten,
      long bytes,
      Duration writing,
      Duration readingBack,
      Duration releasing,
      Duration took) {

    /** Whether a version was released. */
    public boolean pushed() {
      return state == State.RELEASED;
    }
  }

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final Retention retention;
  private final PushSettings settings;
  private final Settings all;
  private final Console console;

  public Push(Lake lake, RedisServers redis, Settings settings, Console console) {
    this.lake = lake;
    this.redis = redis;
    this.versions = new VersionStore(redis);
    this.retention = new Retention(versions);
    this.settings = settings.read(PushSettings::of);
    this.all = settings;
    this.console = console;
  }

  /**
   * Pushes views and releases all of them at once, or none.
   *
   * @throws TarnException if nothing was built, Redis fails, rows are not read back as they were
   *     written, or a newer snapshot is released
   */
  public List<Outcome> push(
      List<FeatureView> views, List<StoredService> services, Request request) {
    Outcomes outcomes = new Outcomes(console);
    Supplier<List<StoredService>> fitted = () -> new Fits(lake.catalog()).apply(services);
    views.stream().filter(view -> view.live().isEmpty()).forEach(this::built);

    // 0. Look at what Redis permits, and whether it keeps what it is given.
    List<String> names = views.stream().map(FeatureView::name).toList();
    new Rights(redis).check(Rights.Job.PUSH, names);
    redis
        .info("memory")
        .forEach(
            (server, memory) ->
                Eviction.of(memory)
                    .warning(server.toString())
                    .ifPresent(warning -> console.say("warning: %s", warning)));
    Set<String> entities = versions.releasedEntities();

    // Compute the bases of live views, up to what has been archived.
    Map<FeatureView, FeatureTable> tables = new LinkedHashMap<>();
    views.forEach(
        view -> tables.put(view, view.live().isPresent() ? withBase(view, request) : built(view)));

    // 1. Remove what dead pushes left behind.
    tables.forEach(
        (view, table) -> retention.removeAbandoned(view.name(), table, settings.grace()));

    Map<FeatureView, String> lost = lost(views);

    // 2. Pin the snapshots: whatever is built from here on is not part of this push.
    StoredRows stored = new StoredRows(redis, versions);
    Planning planning = new Planning(lake, versions, stored, settings, console);
    List<PlannedVersion> planned = new ArrayList<>();
    List<ReadBackVersion> kept = new ArrayList<>();
    tables.forEach(
        (view, table) -> {
          Planning.Plan plan = planning.plan(view, table, fitted.get(), request, outcomes);
          plan.toWrite().ifPresent(planned::add);
          plan.kept().ifPresent(kept::add);
        });

    SparkContext spark = lake.spark().sparkContext();
    String group = "push " + UUID.randomUUID();
    spark.setJobGroup(group, "push", true);
    VersionWriter writer = new VersionWriter(lake, redis, versions, settings, console);
    List<MintedVersion> minted = new ArrayList<>();
    List<ReadBackVersion> readBack = new ArrayList<>(kept);
    try (Leases leases = new Leases(versions, settings.lease(), () -> spark.cancelJobGroup(group));
        RunningTasks running = new RunningTasks(spark)) {
      try {
        Set<String> runs = planned.isEmpty() ? Set.of() : redis.runs();
        for (PlannedVersion plan : planned) {
          // 3. Mint a version, a name that nobody else writes under, and keep its snapshot.
          MintedVersion version = writer.mint(plan, leases);
          minted.add(version);
          retention.tag(version.table(), version.name(), version.snapshotId());
          // 4. Write every row next to what is released.
          WrittenVersion written = writer.write(version);
          // 5. Read every row back.
          readBack.add(writer.readBack(written));
        }
        // 6. Wait for the cells of live views, and release all of them in the same instant.
        new CatchUp(lake.catalog(), versions, all, settings.livePatience(), console)
            .await(views, readBack, leases);
        new Releasing(redis, versions, retention, writer, settings)
            .release(readBack, runs, fitted, request, outcomes);
      } catch (Exception e) { // Scala does not declare what it throws
        List<ReadBackVersion> released = readBack.stream().filter(this::isReleased).toList();
        if (released.isEmpty()) {
          // While tasks run, what they wrote can't be removed for good.
          boolean haveTasksEnded = running.awaitNone(settings.lease());
          throw discard(minted, haveTasksEnded, leases.loss().orElseGet(() -> explain(views, e)));
        }
        // Only the answer was lost: all that were left to release were released at once.
        released.forEach(version -> outcomes.released(version, Duration.ZERO));
      }
    } finally {
      spark.clearJobGroup();
    }

    // 7. Prune the versions that are no longer kept, and have the history take note.
    tidy(tables, lost, entities);
    return outcomes.inOrderOf(views);
  }

  /** Warns where the release brought another entity, which requests that name none don't get. */
  private void warnOfEntities(Set<String> before) {
    if (!settings.defaultEntity().isEmpty()) {
      return;
    }
    Optional<String> first = versions.firstEntity();
    for (String entity : versions.releasedEntities()) {
      if (!before.contains(entity) && !first.equals(Optional.of(entity))) {
        console.say(
            "warning: '%s' is not the only entity with a released view. Requests that name no entity are %s; the setting serving.default-entity says otherwise",
            entity,
            first.map("answered from '%s', which was released first"::formatted).orElse("refused"));
      }
    }
  }

  private FeatureTable built(FeatureView view) {
    return FeatureTable.find(lake.catalog(), view.name())
        .filter(found -> found.main().isPresent())
        .orElseThrow(
            () ->
                new TarnException(
                    "nothing has been built of '%s' yet: ./tarn build view=%s as-of=…"
                        .formatted(view.name(), view.name())));
  }

  /** The table of a live view's bases, with a new base if the newest is to be pushed. */
  private FeatureTable withBase(FeatureView view, Request request) {
    Optional<FeatureTable> table = BaseTable.find(lake.catalog(), view.name());
    if (request.snapshotOrTag().isPresent()) {
      return table.orElseThrow(
          () ->
              new TarnException(
                  "%s: there is no base yet: ./tarn push view=%s without snapshot= makes one"
                      .formatted(view.name(), view.name())));
    }
    boolean isPinned = versions.pins().containsKey(view.name());
    if (isPinned && table.isPresent()) {
      return table.get();
    }
    Bases.BaseSettings rules =
        new Bases.BaseSettings(
            settings.clockSkew(), settings.maxOverlay(), settings.rowsPerBucket());
    return new Bases(lake, versions, rules, console).refresh(view);
  }

  /** The released versions of which Redis has no record. */
  private Map<FeatureView, String> lost(Collection<FeatureView> views) {
    Map<FeatureView, String> lost = new LinkedHashMap<>();
    for (FeatureView view : views) {
      versions
          .released(view.name())
          .map(Release::version)
          .filter(version -> versions.record(view.name(), version).isEmpty())
          .ifPresent(version -> lost.put(view, version));
    }
    return lost;
  }

  private void tidy(
      Map<FeatureView, FeatureTable> tables,
      Map<FeatureView, String> lost,
      Set<String> entitiesBefore) {
    try {
      warnOfEntities(entitiesBefore);
      for (Map.Entry<FeatureView, FeatureTable> entry : tables.entrySet()) {
        String view = entry.getKey().name();
        retention.prune(view, entry.getValue(), settings.keep(), settings.grace());
        Optional<FeatureTable> bases = BaseTable.find(lake.catalog(), view);
        if (bases.isPresent()) {
          for (String generation :
              new LiveRetention(versions).removeOthers(view, bases.get(), settings.grace())) {
            console.say("%s: the live cells of generation %s are removed", view, generation);
          }
        }
      }
      ReleaseHistory history = ReleaseHistory.open(lake.catalog());
      history.take(versions);
      for (Map.Entry<FeatureView, String> entry : lost.entrySet()) {
        FeatureView view = entry.getKey();
        boolean isReleased =
            versions
                .released(view.name())
                .map(Release::version)
                .equals(Optional.of(entry.getValue()));
        if (!isReleased) {
          retention.removeLost(
              view.name(), entry.getValue(), tables.get(view), history, settings.grace());
        }
      }
    } catch (RuntimeException e) {
      // The push is done: to fail it now would only have it retried.
      console.say(
          "older versions could not be removed, or the release history not be written, now (%s); the next push will",
          Causes.reason(e));
    }
  }

  /** Whether a version was released although the push failed; false if nobody can say now. */
  private boolean isReleased(ReadBackVersion version) {
    try {
      return versions
          .released(version.view())
          .filter(now -> now.version().equals(version.record().getVersion()))
          .isPresent();
    } catch (RuntimeException e) {
      return false;
    }
  }

  /** Removes what this push has written and returns the failure to throw. */
  private TarnException discard(
      List<MintedVersion> minted, boolean haveTasksEnded, TarnException failure) {
    List<String> notes =
        minted.stream().flatMap(version -> discard(version, haveTasksEnded).stream()).toList();
    return notes.isEmpty()
        ? failure
        : new TarnException(failure.getMessage() + "\n  " + String.join("\n  ", notes), failure);
  }

  private Optional<String> discard(MintedVersion version, boolean haveTasksEnded) {
    try {
      if (versions.record(version.view(), version.name()).isPresent()) {
        if (version.record().hasLive()) {
          // Its live cells go on, and the next push releases it.
          return Optional.empty();
        }
        return Optional.of(
            "Redis did not answer in time whether version %s was released; by now it is: ./tarn versions view=%s"
                .formatted(version.name(), version.view()));
      }
      if (!haveTasksEnded) {
        throw new TarnException("tasks of this push are still running");
      }
      retention.discard(
          version.view(), version.name(), version.record().getBuckets(), version.table());
      return Optional.empty();
    } catch (RuntimeException e) {
      return Optional.of(
          "what had been written of %s could not be removed now (%s); the next push will"
              .formatted(version.name(), Causes.reason(e)));
    }
  }

  private TarnException explain(List<FeatureView> views, Exception e) {
    if (e instanceof TarnException known && !Causes.has(e, JedisException.class)) {
      return known;
    }
    String names = String.join(", ", views.stream().map(FeatureView::name).toList());
    String address = redis.settings().address();
    String stays = "what was released stays released";
    if (Causes.has(e, JedisConnectionException.class) || Causes.says(e, "LOADING Redis")) {
      return new TarnException(
          "%s: Redis at %s was lost during the push and did not come back for %d s (push.patience), so it was stopped; %s: %s"
              .formatted(names, address, redis.patience().toSeconds(), stays, Causes.reason(e)),
          e);
    }
    if (Causes.has(e, JedisDataException.class) && Causes.says(e, "OOM")) {
      return new TarnException(
          "%s: Redis at %s is full (maxmemory), so the push was stopped; %s. Raise maxmemory, or keep fewer versions (push.keep)"
              .formatted(names, address, stays),
          e);
    }
    String why =
        Refusals.explain(redis.settings(), e)
            .map(TarnException::getMessage)
            .orElseGet(() -> Causes.reason(e));
    return new TarnException("push of %s failed; %s: %s".formatted(names, stays, why), e);
  }
}
