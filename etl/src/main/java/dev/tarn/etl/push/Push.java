package dev.tarn.etl.push;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Fits;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Failures;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.redis.VersionStore.Refusal;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.etl.release.VersionRecords;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.StoredService;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.iceberg.Snapshot;
import org.apache.spark.SparkContext;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Copies the newest row of every entity in a snapshot of a feature table to Redis as a new version,
 * and makes it the one that lookups answer from. Several views are released in the same instant.
 *
 * <p>The rows go from Spark's tasks straight to Redis, next to what is being served and under a
 * name of their own, and are read back from there; the release at the end is one compare-and-set.
 * Whatever fails before it, what was released is still served, and what had been written is
 * removed, by this push or by the next. Pushing what is released already changes nothing.
 */
public final class Push {

  /** How much of a snapshot to write. */
  public enum Mode {
    /** What changed where that is possible and not too much, else everything. */
    AUTO,
    FULL,
    DELTA
  }

  /** What became of a view's push. */
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
   * What to push.
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
   * What a push did with a view.
   *
   * @param manifest of what is served now
   * @param mode {@code full} or {@code delta}; empty if nothing was written
   * @param bytes of entity ids and encoded rows
   */
  public record Outcome(
      Manifest manifest,
      State state,
      String mode,
      long bytes,
      Duration writing,
      Duration readingBack,
      Duration releasing,
      Duration took) {

    /** Whether a version was written and released. */
    public boolean pushed() {
      return state == State.RELEASED;
    }
  }

  private final Lake lake;
  private final RedisServers redis;
  private final VersionStore versions;
  private final Retention retention;
  private final PushSettings settings;
  private final Console console;
  private final List<Outcome> outcomes = new ArrayList<>();
  private Instant start = Instant.now();

  /** Of the failed push: while they run, what they wrote can't be removed for good. */
  private boolean haveTasksEnded = true;

  public Push(Lake lake, RedisServers redis, Settings settings, Console console) {
    this.lake = lake;
    this.redis = redis;
    this.versions = new VersionStore(redis);
    this.retention = new Retention(versions);
    this.settings = settings.read(PushSettings::of);
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
    start = Instant.now();
    outcomes.clear();
    Map<FeatureView, FeatureTable> tables = new LinkedHashMap<>();
    views.forEach(view -> tables.put(view, built(view)));

    // 1. Remove what dead pushes left behind.
    tables.forEach(
        (view, table) -> retention.removeAbandoned(view.name(), table, settings.grace()));

    // 2. Pin the snapshots: whatever is built from here on is not part of this push.
    List<ViewPush> pushes = new ArrayList<>();
    Fits fits = new Fits(lake.catalog());
    tables.forEach(
        (view, table) -> plan(view, table, fits.apply(services), request).ifPresent(pushes::add));

    SparkContext spark = lake.spark().sparkContext();
    String group = "push " + java.util.UUID.randomUUID();
    spark.setJobGroup(group, "push", true);
    try (Leases leases = new Leases(versions, settings.lease(), () -> spark.cancelJobGroup(group));
        RunningTasks running = new RunningTasks(spark)) {
      try {
        Set<String> runs = pushes.isEmpty() ? Set.of() : redis.runs();
        for (ViewPush push : pushes) {
          // 3. Mint a version: a name that nobody else writes under.
          push.mint(leases);
          // 4. Write every row next to what is being served.
          push.write();
          // 5. Read every row back.
          push.readBack();
        }
        // 6. Release all of them in the same instant.
        release(pushes, services, request, runs);
      } catch (Exception e) { // Scala does not declare what it throws
        haveTasksEnded = running.awaitNone(settings.lease());
        throw discard(pushes, leases.loss().orElseGet(() -> explain(views, e)));
      }
    } finally {
      spark.clearJobGroup();
    }

    // 7. Prune the versions that are no longer kept, and have the history take note.
    tidy(tables);
    List<String> order = views.stream().map(FeatureView::name).toList();
    outcomes.sort(
        Comparator.comparingInt(outcome -> order.indexOf(outcome.manifest().getFeatureView())));
    return List.copyOf(outcomes);
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

  /** What is to be written for a view; empty if nothing, and then the outcome is told already. */
  private Optional<ViewPush> plan(
      FeatureView view, FeatureTable table, List<StoredService> services, Request request) {
    Optional<Release> pin = Optional.ofNullable(versions.pins().get(view.name()));
    Optional<Release> released = versions.released(view.name());
    Optional<Manifest> serving = versions.serving(view.name());
    if (pin.isPresent() && serving.isPresent() && !request.isRollback()) {
      tellPinned(view.name(), pin.get());
      nothingWritten(serving.get(), State.PINNED);
      return Optional.empty();
    }
    Snapshot snapshot =
        request.snapshotOrTag().map(table::published).orElseGet(() -> table.main().orElseThrow());
    Manifest wanted = VersionRecords.of(view, table, snapshot);
    if (serving.isPresent() && VersionRecords.sameAnswers(serving.get(), wanted)) {
      console.say(
          "%s: snapshot %d is released already, as %s",
          view.name(), snapshot.snapshotId(), released.orElseThrow().version());
      for (String service : versions.storeServices(view.name(), services)) {
        console.say("feature service %s is stored anew", service);
      }
      nothingWritten(serving.get(), State.RELEASED_ALREADY);
      return Optional.empty();
    }
    if (serving.isPresent() && isOlder(wanted, serving.get()) && !request.isRollback()) {
      throw new TarnException(
          "%s: snapshot %d is older than the released one, %d (version %s); not pushed. To go back to it: ./tarn rollback view=%s snapshot=%d"
              .formatted(
                  view.name(),
                  wanted.getSnapshotId(),
                  serving.get().getSnapshotId(),
                  serving.get().getVersion(),
                  view.name(),
                  wanted.getSnapshotId()));
    }
    Extent extent =
        Extent.of(table, snapshot, view, SnapshotRows.of(lake, view.name(), snapshot.snapshotId()));
    if (extent.entities() == 0) {
      throw new TarnException(
          "%s: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
              .formatted(view.name(), snapshot.snapshotId()));
    }
    Optional<Delta> delta = delta(view, table, snapshot, wanted, serving, request.mode());
    return Optional.of(
        new ViewPush(
            lake, redis, settings, console, view, table, snapshot, extent, wanted, delta,
            released));
  }

  private Optional<Delta> delta(
      FeatureView view,
      FeatureTable table,
      Snapshot snapshot,
      Manifest wanted,
      Optional<Manifest> serving,
      Mode mode) {
    if (mode == Mode.FULL) {
      return Optional.empty();
    }
    Optional<Manifest> base =
        serving.flatMap(
            served ->
                served.hasBase()
                    ? versions.manifest(view.name(), served.getBase().getVersion())
                    : serving);
    if (base.isEmpty()) {
      if (mode == Mode.DELTA) {
        throw new TarnException(
            "%s: nothing is released that a delta could be laid over; push it with mode=full first"
                .formatted(view.name()));
      }
      return Optional.empty();
    }
    Delta.Choice choice = Delta.of(lake, view, table, base.get(), snapshot, wanted);
    if (choice.delta().isEmpty()) {
      if (mode == Mode.DELTA) {
        throw new TarnException(
            "%s: a delta from version %s is not possible: %s; push it with mode=full"
                .formatted(view.name(), base.get().getVersion(), choice.refusal()));
      }
      return Optional.empty();
    }
    boolean isSmall =
        choice.delta().get().records() <= settings.maxOverlay() * base.get().getRows();
    return mode == Mode.DELTA || isSmall ? choice.delta() : Optional.empty();
  }

  /**
   * Releases all that are still needed.
   *
   * @param runs of Redis, since before anything was read back
   */
  private void release(
      List<ViewPush> pushes, List<StoredService> services, Request request, Set<String> runs) {
    Instant releasing = Instant.now();
    Set<String> readBackFrom = runs;
    List<ViewPush> left = new ArrayList<>(pushes);
    while (!left.isEmpty()) {
      Instant at = after(versions.now(), left);
      List<VersionStore.Candidate> candidates =
          left.stream()
              .map(
                  push ->
                      new VersionStore.Candidate(
                          push.manifest(), push.seen(), event(push, at, request)))
              .toList();
      Optional<Refusal> refusal =
          versions.release(
              candidates,
              at,
              request.isRollback(),
              new Fits(lake.catalog()).apply(services),
              readBackFrom);
      // Complete although refused: the answer to the release was lost, and it was asked for again.
      if (refusal.isEmpty() || left.stream().allMatch(this::isComplete)) {
        Duration took = Duration.between(releasing, Instant.now());
        left.forEach(push -> report(push, took));
        return;
      }
      if (refusal.get() == Refusal.GONE) {
        throw new TarnException(
            "this push stalled for over %d s and another one removed its version, or the version that its delta is laid over was pruned; what was released is still served"
                .formatted(settings.lease().toSeconds()));
      }
      if (refusal.get() == Refusal.RESTARTED) {
        // A server that comes back may have lost its last second, or a replica not have got it.
        readBackFrom = redis.runs();
        left.forEach(ViewPush::readBack);
        continue;
      }
      left.removeIf(push -> isSuperseded(push, request));
    }
  }

  private boolean isComplete(ViewPush push) {
    return versions.manifest(push.view().name(), push.manifest().getVersion()).isPresent();
  }

  private static ReleaseEvent event(ViewPush push, Instant at, Request request) {
    return ReleaseHistory.event(push.manifest(), at, request.isRollback() ? "rollback" : "push")
        .setMode(push.mode())
        .setRowsWritten(push.manifest().getOwnRows())
        .setBytesWritten(push.bytes())
        .setWriteSeconds(PushReport.seconds(push.writing()))
        .setReadBackSeconds(PushReport.seconds(push.readingBack()))
        .build();
  }

  /**
   * Looks again at what is released. A push that another one made needless is taken back, and that
   * is no failure: what it was to bring is served.
   */
  private boolean isSuperseded(ViewPush push, Request request) {
    String view = push.view().name();
    push.see(versions.released(view));
    Manifest serving = versions.serving(view).orElse(push.manifest());
    Optional<Release> pin = Optional.ofNullable(versions.pins().get(view));
    boolean isPinned = pin.isPresent() && !request.isRollback();
    boolean isNeedless =
        !request.isRollback()
            && !serving.getVersion().equals(push.manifest().getVersion())
            && (isOlder(push.manifest(), serving)
                || VersionRecords.sameAnswers(push.manifest(), serving));
    if (!isPinned && !isNeedless) {
      return false;
    }
    Manifest manifest = push.manifest();
    retention.discard(view, manifest.getVersion(), manifest.getBuckets(), push.table());
    if (isPinned) {
      tellPinned(view, pin.get());
    } else {
      console.say(
          "%s: another push has released snapshot %d as %s in the meantime, so this one of snapshot %d is not needed",
          view, serving.getSnapshotId(), serving.getVersion(), manifest.getSnapshotId());
    }
    nothingWritten(serving, isPinned ? State.PINNED : State.SUPERSEDED);
    return true;
  }

  /** Releases of a view are in order of time, whatever the clock does. */
  private static Instant after(Instant now, List<ViewPush> pushes) {
    Instant at = now;
    for (ViewPush push : pushes) {
      Instant before = push.seen().map(Release::releasedAt).orElse(Instant.MIN);
      at = at.isAfter(before) ? at : before.plusMillis(1);
    }
    return at;
  }

  private static boolean isOlder(Manifest one, Manifest other) {
    return one.getSequenceNumber() < other.getSequenceNumber();
  }

  private void tidy(Map<FeatureView, FeatureTable> tables) {
    try {
      for (Map.Entry<FeatureView, FeatureTable> entry : tables.entrySet()) {
        retention.prune(entry.getKey().name(), entry.getValue(), settings.keep(), settings.grace());
      }
      ReleaseHistory.open(lake.catalog()).take(versions);
    } catch (RuntimeException e) {
      // The push is done: to fail it now would only have it retried.
      console.say(
          "older versions could not be removed, or the release history not be written, now (%s); the next push will",
          Failures.reason(e));
    }
  }

  /** Removes what this push has written and returns the failure to throw. */
  private TarnException discard(List<ViewPush> pushes, TarnException failure) {
    List<String> notes = new ArrayList<>();
    for (ViewPush push : pushes) {
      if (push.isMinted()) {
        discard(push).ifPresent(notes::add);
      }
    }
    return notes.isEmpty()
        ? failure
        : new TarnException(failure.getMessage() + "\n  " + String.join("\n  ", notes), failure);
  }

  private Optional<String> discard(ViewPush push) {
    String view = push.view().name();
    Manifest manifest = push.manifest();
    try {
      if (isComplete(push)) {
        // Only the answer to the release was lost, not the release.
        return Optional.of("version %s is released nevertheless".formatted(manifest.getVersion()));
      }
      if (!haveTasksEnded) {
        throw new TarnException("tasks of this push are still running");
      }
      retention.discard(view, manifest.getVersion(), manifest.getBuckets(), push.table());
      return Optional.empty();
    } catch (RuntimeException e) {
      return Optional.of(
          "what had been written of %s could not be removed now (%s); the next push will"
              .formatted(manifest.getVersion(), Failures.reason(e)));
    }
  }

  private TarnException explain(List<FeatureView> views, Exception e) {
    if (e instanceof TarnException known) {
      return known;
    }
    String names = String.join(", ", views.stream().map(FeatureView::name).toList());
    String address = redis.settings().address();
    String served = "what was released is still served";
    if (Failures.has(e, JedisConnectionException.class)
        || Failures.reason(e).startsWith("LOADING")) {
      return new TarnException(
          "%s: Redis at %s was lost during the push and did not come back for %d s (push.patience), so it was given up; %s: %s"
              .formatted(names, address, redis.patience().toSeconds(), served, Failures.reason(e)),
          e);
    }
    if (Failures.has(e, JedisDataException.class) && Failures.reason(e).contains("OOM")) {
      return new TarnException(
          "%s: Redis at %s is full (maxmemory), so the push was given up; %s. Raise maxmemory, or keep fewer versions (push.keep)"
              .formatted(names, address, served),
          e);
    }
    return new TarnException(
        "push of %s failed; %s: %s".formatted(names, served, Failures.reason(e)), e);
  }

  private void tellPinned(String view, Release pin) {
    console.say(
        "%s: pinned to %s by a rollback at %s, so nothing was pushed; ./tarn unpin view=%s lets pushes release again",
        view, pin.version(), pin.releasedAt(), view);
  }

  private void nothingWritten(Manifest serving, State state) {
    outcomes.add(
        new Outcome(
            serving,
            state,
            "",
            0,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO,
            Duration.between(start, Instant.now())));
  }

  private void report(ViewPush push, Duration releasing) {
    Outcome outcome =
        new Outcome(
            push.manifest(),
            State.RELEASED,
            push.mode(),
            push.bytes(),
            push.writing(),
            push.readingBack(),
            releasing,
            Duration.between(start, Instant.now()));
    outcomes.add(outcome);
    console.say("%s", PushReport.text(outcome));
  }
}
