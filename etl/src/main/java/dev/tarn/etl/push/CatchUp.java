package dev.tarn.etl.push;

import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.TopicEnds;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.live.Cut;
import dev.tarn.live.Progress;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Waits before versions of live views are released, until their live cells have come as far as
 * lookups have been already. That takes long for a new definition, and after Redis was emptied;
 * else there is nothing to wait for.
 */
final class CatchUp {

  private static final long PAUSE_MILLIS = 200;

  /**
   * A cut that a generation has to reach.
   *
   * @param reached by the base alone
   */
  private record Goal(VersionRecord record, Cut cut, Cut reached, String why) {

    String view() {
      return record.getFeatureView();
    }
  }

  private final IcebergCatalog catalog;
  private final VersionStore versions;
  private final Settings settings;
  private final Duration patience;
  private final Console console;

  CatchUp(
      IcebergCatalog catalog,
      VersionStore versions,
      Settings settings,
      Duration patience,
      Console console) {
    this.catalog = catalog;
    this.versions = versions;
    this.settings = settings;
    this.patience = patience;
    this.console = console;
  }

  /**
   * Waits until live cells are far enough. Versions that it waits for are complete from then on, so
   * that the live job begins with them.
   *
   * @param views those of the versions
   * @throws TarnException if that takes longer than {@code push.live-patience}
   */
  void await(List<FeatureView> views, List<ReadBackVersion> readBack, Leases leases) {
    List<Goal> goals = new ArrayList<>();
    for (ReadBackVersion version : readBack) {
      if (version.record().hasLive() && !goesOn(version.record())) {
        FeatureView view =
            views.stream()
                .filter(one -> one.name().equals(version.view()))
                .findFirst()
                .orElseThrow();
        complete(version, leases);
        goal(view, version.record()).ifPresent(goals::add);
      }
    }
    Instant until = Instant.now().plus(patience);
    while (true) {
      goals.removeIf(this::isReached);
      if (goals.isEmpty()) {
        return;
      }
      if (Instant.now().isAfter(until)) {
        throw tooLong(goals.get(0));
      }
      Goal next = goals.get(0);
      console.progress(
          "%s: waiting for ./tarn live views=%s: %s to %s",
          next.view(), next.view(), Plural.of(left(next), "event"), next.why());
      try {
        TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new TarnException("interrupted while it waited for live cells", e);
      }
    }
  }

  /** Whether lookups are answered from this generation already. */
  private boolean goesOn(VersionRecord record) {
    Optional<VersionRecord> released = versions.releasedRecord(record.getFeatureView());
    return released.map(now -> now.getLive().getGeneration()).equals(generation(record))
        && !progress(record).isEmpty();
  }

  private static Optional<String> generation(VersionRecord record) {
    return Optional.of(record.getLive().getGeneration());
  }

  private void complete(ReadBackVersion version, Leases leases) {
    VersionRecord record = version.record();
    leases.letGo(version.view(), record.getVersion());
    if (!versions.complete(record)) {
      throw new TarnException(
          "%s: another push removed version %s; what was released stays released"
              .formatted(version.view(), record.getVersion()));
    }
  }

  private Optional<Goal> goal(FeatureView view, VersionRecord record) {
    Cut base = Cut.of(record.getLive().getCutMap());
    Optional<VersionRecord> released = versions.releasedRecord(view.name());
    if (released.isPresent()
        && !released.get().getLive().getGeneration().equals(record.getLive().getGeneration())) {
      Cut ends =
          Cut.of(
              TopicEnds.of(settings, view.windows().orElseThrow().source().stream().orElseThrow()));
      return Optional.of(new Goal(record, ends, base, "the end that its topic had"));
    }
    return new LiveCuts(catalog)
        .newest(view.name())
        .map(
            last ->
                new Goal(
                    record,
                    Cut.of(last.cut().offsets()),
                    base,
                    "the cut that live cells had at " + last.at()));
  }

  private Map<Integer, Progress> progress(VersionRecord record) {
    return versions.progress(record.getFeatureView(), record.getLive().getGeneration());
  }

  private boolean isReached(Goal goal) {
    return left(goal) == 0;
  }

  /** The number of offsets up to the goal. */
  private long left(Goal goal) {
    Map<Integer, Progress> progress = progress(goal.record());
    long left = 0;
    for (int i = 0; i < goal.cut().partitions(); i++) {
      long applied = progress.containsKey(i) ? progress.get(i).next() : 0;
      left += Math.max(0, goal.cut().next(i) - Math.max(applied, goal.reached().next(i)));
    }
    return left;
  }

  private TarnException tooLong(Goal goal) {
    LiveBase live = goal.record().getLive();
    return new TarnException(
        "%s: version %s is whole and not released: its live cells are %s behind %s, and %s (push.live-patience) are over. What was released stays released. See that ./tarn live views=%s runs; when it has caught up, ./tarn push view=%s releases at once%s"
            .formatted(
                goal.view(),
                goal.record().getVersion(),
                Plural.of(left(goal), "event"),
                goal.why(),
                Moments.length(patience),
                goal.view(),
                goal.view(),
                progress(goal.record()).isEmpty()
                    ? " (nothing has been applied of generation %s yet)"
                        .formatted(live.getGeneration())
                    : ""));
  }
}
