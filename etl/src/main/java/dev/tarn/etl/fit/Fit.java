package dev.tarn.etl.fit;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Fits;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureService;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.train.TrainingRows;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FittedOn;
import dev.tarn.manifest.StoredService;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Transforms;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.storage.StorageLevel;

/**
 * Fits the transforms of a feature service on the newest row of every entity, in one snapshot of
 * each of its views, or on the rows of a spine. It notes the result in Iceberg ({@link Fits}) and
 * tells the servers, whose vectors then change in one instant.
 */
public final class Fit {

  /**
   * A fitted service.
   *
   * @param notes what the user would not expect of it, a line each
   */
  public record Fitted(StoredService service, List<String> notes) {}

  /** A snapshot to fit on, and how old a row of it may be to be answered. */
  private record Pinned(Snapshot snapshot, Optional<Duration> maxAge) {}

  private final Lake lake;
  private final VersionStore versions;

  public Fit(Lake lake, VersionStore versions) {
    this.lake = lake;
    this.versions = versions;
  }

  /**
   * Fits a service on the values that lookups would now find in the snapshots: a row older than the
   * max age has none.
   *
   * @param snapshots ids or tags, one for each view; empty: what is released, or else the newest
   */
  public Fitted fit(Definitions definitions, FeatureService service, List<String> snapshots) {
    StoredService.Builder fitted = service.stored().toBuilder().clearTransforms().clearFittedOn();
    Map<String, FeatureTransforms> transforms = new LinkedHashMap<>();
    service.transforms().forEach(t -> transforms.put(t.getFeatureName(), t));

    // 1. Pin a snapshot of each view.
    Map<FeatureView, FeatureTable> tables = new LinkedHashMap<>();
    for (FeatureView view : definitions.views()) {
      if (service.uses(view)) {
        tables.put(view, built(view));
      }
    }
    requireKnown(snapshots, tables);

    // 2. Fit each view's features on its snapshot.
    Instant now = Instant.now();
    List<String> notes = new ArrayList<>();
    tables.forEach(
        (view, table) -> {
          Pinned pinned = pin(view, table, snapshots);
          List<String> ofView = new ArrayList<>();
          Dataset<Row> rows =
              answered(
                  view,
                  CurrentRows.of(lake, view, table, pinned.snapshot()),
                  pinned.maxAge(),
                  now,
                  ofView);
          transforms.replaceAll(
              (name, defined) ->
                  name.startsWith(view.name() + ".") ? fit(view, rows, defined, ofView) : defined);
          notes.addAll(ofView);
          fitted.addFittedOn(
              FittedOn.newBuilder()
                  .setFeatureView(view.name())
                  .setSnapshotId(pinned.snapshot().snapshotId()));
        });
    // 3. Note the fit in Iceberg, then tell the servers.
    return new Fitted(tell(fitted.addAllTransforms(transforms.values()).build()), notes);
  }

  /** The rows with no values where they are too old to be answered. */
  private static Dataset<Row> answered(
      FeatureView view,
      Dataset<Row> rows,
      Optional<Duration> maxAge,
      Instant now,
      List<String> notes) {
    if (maxAge.isEmpty()) {
      return rows;
    }
    Column isTooOld =
        functions.col(FeatureView.EVENT_TIMESTAMP).lt(functions.lit(now.minus(maxAge.get())));
    Row counted = rows.agg(functions.count_if(isTooOld), functions.count(functions.lit(1))).head();
    if (counted.getLong(0) > 0) {
      notes.add(
          "%s: %,d of %s %s older than the max age of %s; lookups don't answer such rows, which count as absent"
              .formatted(
                  view.name(),
                  counted.getLong(0),
                  Plural.of(counted.getLong(1), "row"),
                  Plural.choose(counted.getLong(0), "is", "are"),
                  Moments.length(maxAge.get())));
    }
    return rows.select(
        Stream.of(rows.columns())
            .map(
                name ->
                    functions
                        .when(functions.not(isTooOld), functions.col("`" + name + "`"))
                        .as(name))
            .toArray(Column[]::new));
  }

  /**
   * Fits a service on what its features were for the rows of a spine, such as a training split.
   *
   * @param rows with all features of the service
   */
  public Fitted fit(FeatureService service, TrainingRows rows) {
    StoredService.Builder fitted =
        service.stored().toBuilder()
            .clearTransforms()
            .clearFittedOn()
            .addAllFittedOn(rows.fittedOn());
    List<String> notes = new ArrayList<>();
    Dataset<Row> read = rows.rows().persist(StorageLevel.MEMORY_AND_DISK());
    try {
      if (read.isEmpty()) {
        throw new UsageException("the spine has no rows to fit on (where=…)");
      }
      service.transforms().forEach(defined -> fitted.addTransforms(fit(read, defined, notes)));
    } finally {
      read.unpersist();
    }
    return new Fitted(tell(fitted.build()), notes);
  }

  private StoredService tell(StoredService fitted) {
    new Fits(lake.catalog()).add(fitted, Instant.now().truncatedTo(ChronoUnit.MICROS));
    versions.storeServices(fitted.getName(), List.of(fitted));
    return fitted;
  }

  private static FeatureTransforms fit(
      FeatureView view, Dataset<Row> rows, FeatureTransforms defined, List<String> notes) {
    String name = defined.getFeatureName();
    String column = name.substring(view.name().length() + 1);
    if (!List.of(rows.columns()).contains(column)) {
      throw new TarnException(
          "the snapshot of '%s' has no feature '%s': fit on a newer one"
              .formatted(view.name(), column));
    }
    return fit(rows, defined, notes);
  }

  private static FeatureTransforms fit(
      Dataset<Row> rows, FeatureTransforms defined, List<String> notes) {
    String name = defined.getFeatureName();
    String column = name.substring(name.indexOf('.') + 1);
    FeatureType type =
        SparkTypes.stored(rows.schema().apply(column).dataType())
            .orElseThrow(() -> new IllegalStateException(name));
    try {
      Transforms.check(type, defined.getStepsList());
      FeatureTransforms fitted = new Fitting(rows, column, name, notes).fit(defined.getStepsList());
      Transforms.check(type, fitted.getStepsList());
      return fitted;
    } catch (TransformException e) {
      throw new TarnException(
          "feature '%s' can't be fitted: %s".formatted(name, e.getMessage()), e);
    }
  }

  private FeatureTable built(FeatureView view) {
    return FeatureTable.find(lake.catalog(), view.name())
        .filter(table -> table.main().isPresent())
        .orElseThrow(
            () ->
                new TarnException(
                    "nothing has been built of '%s' yet: ./tarn build view=%s as-of=…"
                        .formatted(view.name(), view.name())));
  }

  private static void requireKnown(List<String> snapshots, Map<FeatureView, FeatureTable> tables) {
    for (String snapshot : snapshots) {
      if (tables.values().stream().noneMatch(table -> table.has(snapshot))) {
        throw new UsageException(
            "snapshot=%s: no feature table of the service has a published snapshot or tag of that name"
                .formatted(snapshot));
      }
    }
  }

  private Pinned pin(FeatureView view, FeatureTable table, List<String> snapshots) {
    List<Snapshot> named = snapshots.stream().filter(table::has).map(table::published).toList();
    if (named.size() > 1) {
      throw new UsageException(
          "snapshot=%s: '%s' has several of them, and is fitted on one"
              .formatted(String.join(",", snapshots), view.name()));
    }
    if (!named.isEmpty()) {
      return new Pinned(named.get(0), view.maxAge());
    }
    if (!snapshots.isEmpty()) {
      throw new UsageException(
          "snapshot=%s: none of them is of '%s'; name one of each view of the service"
              .formatted(String.join(",", snapshots), view.name()));
    }
    return versions
        .releasedRecord(view.name())
        .filter(record -> table.has(Long.toString(record.getSnapshotId())))
        .map(
            record ->
                new Pinned(
                    table.published(Long.toString(record.getSnapshotId())),
                    record.hasMaxAge()
                        ? Optional.of(Duration.ofSeconds(record.getMaxAge().getSeconds()))
                        : Optional.empty()))
        .orElseGet(() -> new Pinned(table.main().orElseThrow(), view.maxAge()));
  }
}
