package dev.tarn.etl.train;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.definition.WindowFeature;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.etl.window.WindowCheck;
import dev.tarn.etl.window.WindowRows;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingEvents;
import dev.tarn.manifest.TrainingView;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The events that a training set computes a window view from, as the set's manifest says. */
final class ViewEvents {

  /** Rows of a spine up to which only the events of their entities are shuffled. */
  private static final long FEW = 100_000;

  private final Lake lake;
  private final TrainingView view;
  private final Windows windows;
  private final SourceTables sources;

  private ViewEvents(Lake lake, TrainingView view, Windows windows, SourceTables sources) {
    this.lake = lake;
    this.view = view;
    this.windows = windows;
    this.sources = sources;
  }

  /**
   * What a new set is to be computed from.
   *
   * @param at snapshot, tag or time of the source's table
   * @param isKnown whether events count only from their arrival on
   * @throws UsageException if the source or the request does not fit
   */
  static TrainingEvents plan(Lake lake, FeatureView view, Optional<String> at, boolean isKnown) {
    Windows windows = view.windows().orElseThrow();
    Source source = windows.source();
    Optional<Long> snapshot = snapshot(lake, source, at);
    SourceTables sources = SourceTables.open(lake.spark(), source, snapshot);
    Problems problems = new Problems();
    sources.checkTimestamps(problems);
    if (problems.isEmpty()) {
      WindowCheck.check(view, sources, problems);
    }
    problems.throwIfAny();
    if (isKnown
        && !List.of(sources.columns(source).fieldNames()).contains(StreamSource.ARRIVED_AT)) {
      throw new UsageException(
          "as=known: source '%s' of view '%s' does not say when its events arrived; only the event table of a Kafka source does"
              .formatted(source.name(), view.name()));
    }
    TrainingEvents.Builder events =
        TrainingEvents.newBuilder()
            .setSource(source.stored())
            .setFingerprint(sources.fingerprint())
            .setAsKnown(isKnown)
            .putAllKeys(windows.keys())
            .setWhere(windows.where().orElse(""));
    snapshot.ifPresent(events::setSnapshotId);
    windows.features().forEach(feature -> events.addWindows(feature.stored()));
    view.entity().keys().forEach(key -> events.addEntityKeyTypes(key.type().sql()));
    return events.build();
  }

  /** The snapshot of a source that is a table; the newest if none is asked for. */
  private static Optional<Long> snapshot(Lake lake, Source source, Optional<String> at) {
    if (!source.format().isTable()) {
      if (at.isPresent()) {
        throw new UsageException(
            "at=%s: source '%s' is files, which have no snapshots; leave it out for its views (at.VIEW=… is of one view alone)"
                .formatted(at.get(), source.name()));
      }
      return Optional.empty();
    }
    Table table;
    try {
      table = Spark3Util.loadIcebergTable(lake.spark(), source.location());
    } catch (Exception e) { // Scala does not declare what it throws
      // Opening the source says what is wrong.
      return Optional.empty();
    }
    if (at.isEmpty()) {
      return Optional.ofNullable(table.currentSnapshot()).map(snapshot -> snapshot.snapshotId());
    }
    return Optional.of(snapshot(table, source, at.get()));
  }

  private static long snapshot(Table table, Source source, String at) {
    SnapshotRef ref = table.refs().get(at);
    if (ref != null) {
      return ref.snapshotId();
    }
    if (at.matches("\\d{1,19}")) {
      for (long id : SnapshotUtil.currentAncestorIds(table)) {
        if (Long.toString(id).equals(at)) {
          return id;
        }
      }
    }
    if (at.matches("\\d{4}-\\d{2}-\\d{2}.*")) {
      Instant moment = Moments.parse("at", at);
      Long id = SnapshotUtil.nullableSnapshotIdAsOfTime(table, moment.toEpochMilli());
      if (id == null) {
        throw new TarnException(
            "at=%s: what %s was then is not known: nothing had been written, or its snapshot has expired"
                .formatted(moment, source.location()));
      }
      return id;
    }
    throw new UsageException(
        "at=%s: %s, the table of source '%s', has no snapshot or tag of that name (expired, or of another view? at.VIEW=… is of one view alone), and it is no time such as 2026-11-20T06:00:00Z"
            .formatted(at, source.location(), source.name()));
  }

  /**
   * Opens the events that a manifest names.
   *
   * @throws TarnException if they are gone, or not what they were
   */
  static ViewEvents of(Lake lake, TrainingView view) {
    TrainingEvents events = view.getEvents();
    Source source = Source.of(events.getSource());
    SourceTables sources =
        SourceTables.open(
            lake.spark(), source, Optional.of(events.getSnapshotId()).filter(id -> id != 0));
    if (!sources.fingerprint().equals(events.getFingerprint())) {
      throw new TarnException(
          "source '%s' of view '%s' at %s is not what the set was made from: %s; put the files back as they were, with their times, or make a new set"
              .formatted(
                  source.name(),
                  view.getFeatureView(),
                  source.location(),
                  SourceTables.difference(events.getFingerprint(), sources.fingerprint())));
    }
    Windows windows =
        new Windows(
            source,
            events.getKeysMap(),
            Optional.of(events.getWhere()).filter(where -> !where.isEmpty()),
            events.getWindowsList().stream().map(WindowFeature::of).toList(),
            Optional.empty(),
            new Position("the manifest", 1),
            new Position("the manifest", 1));
    return new ViewEvents(lake, view, windows, sources);
  }

  /** The entity of a view that is computed from events. */
  static Entity entity(TrainingView view) {
    List<Entity.KeyColumn> keys = new ArrayList<>();
    for (int i = 0; i < view.getEntityKeysCount(); i++) {
      keys.add(
          new Entity.KeyColumn(
              view.getEntityKeys(i), SparkTypes.type(view.getEvents().getEntityKeyTypes(i))));
    }
    return new Entity(view.getEntity(), keys, "", "", new Position("the manifest", 1));
  }

  /**
   * Packed rows of a spine with the struct of this view, null where the entity has no row.
   *
   * @param v number of the view
   * @param partitions of the result, which is divided by entity
   */
  Dataset<Row> join(Dataset<Row> packed, Spine spine, int v, int partitions) {
    List<String> names = view.getFeaturesList().stream().map(StoredFeature::getName).toList();
    List<WindowFeature> wanted =
        names.stream()
            .map(
                name ->
                    windows.features().stream()
                        .filter(feature -> feature.name().equals(name))
                        .findFirst()
                        .orElseThrow())
            .toList();
    Optional<Dataset<Row>> entities =
        spine.count() <= FEW
            ? Optional.of(spine.keysAndTimes().select(EntityColumns.keys(spine.keys())).distinct())
            : Optional.empty();
    return new WindowRows(lake.spark(), sources, windows, entity(view), wanted)
        .join(
            packed,
            view.getEvents().getAsKnown(),
            spine.earliest(),
            spine.latest(),
            entities,
            partitions,
            PointInTime.GIVEN_AT,
            Columns.view(v));
  }
}
