package dev.tarn.etl.read;

import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Answers lookups from a snapshot in Iceberg, as the server does that has released this snapshot,
 * or as it would now: with the max age and the defaults of its last release, or else of the
 * definition.
 */
public final class SnapshotLookup {

  private static final String ID = "_tarn_id";

  /**
   * What an answer has in place of values that are missing, and which rows are too old for one.
   *
   * @param oldest the oldest as-of of a row to answer
   */
  private record Rules(Instant oldest, Map<String, Value> defaults) {

    static Rules of(FeatureView view, Instant now) {
      Map<String, Value> defaults = new HashMap<>();
      for (Feature feature : view.features()) {
        feature.defaultValue().ifPresent(value -> defaults.put(feature.name(), value));
      }
      return new Rules(oldest(view.maxAge(), now), defaults);
    }

    static Rules of(VersionRecord record, Instant now) {
      Map<String, Value> defaults = new HashMap<>();
      for (StoredFeature feature : record.getFeaturesList()) {
        if (feature.hasDefaultValue()) {
          defaults.put(feature.getName(), feature.getDefaultValue());
        }
      }
      return new Rules(
          oldest(
              record.hasMaxAge()
                  ? Optional.of(Duration.ofSeconds(Durations.toSeconds(record.getMaxAge())))
                  : Optional.empty(),
              now),
          defaults);
    }

    private static Instant oldest(Optional<Duration> maxAge, Instant now) {
      return maxAge.map(now::minus).orElse(Instant.MIN);
    }
  }

  private final Lake lake;

  public SnapshotLookup(Lake lake) {
    this.lake = lake;
  }

  /**
   * Reads entities from a snapshot.
   *
   * @param features names, plain or with the view; empty: all features
   * @throws UsageException if the table has no such published snapshot or no such feature
   */
  public GetOnlineFeaturesResponse get(
      FeatureView view, String snapshotOrTag, List<String> ids, List<String> features) {
    ViewAnswer answer = answer(view, snapshotOrTag, ids, features, Instant.now());
    return GetOnlineFeaturesResponse.newBuilder()
        .putAllResults(answer.sets())
        .addVersions(answer.version())
        .build();
  }

  /** Reads entities from a snapshot as they were answered at a moment. */
  ViewAnswer answer(
      FeatureView view,
      String snapshotOrTag,
      List<String> ids,
      List<String> features,
      Instant now) {
    FeatureTable table =
        FeatureTable.find(lake.catalog(), view.name())
            .orElseThrow(
                () -> new UsageException("nothing has been built of '%s'".formatted(view.name())));
    Snapshot snapshot = table.published(snapshotOrTag);
    Dataset<Row> rows = CurrentRows.of(lake, view, table, snapshot);
    Map<String, String> columns = columns(view, rows, features);
    Map<String, Row> current = byId(view, rows, ids);
    Rules rules =
        ReleaseHistory.lastRecord(
                lake.catalog(),
                view.name(),
                snapshot.snapshotId(),
                Retention.versionOf(snapshotOrTag))
            .map(record -> Rules.of(record, now))
            .orElseGet(() -> Rules.of(view, now));
    Map<String, FeatureSet> sets = new LinkedHashMap<>();
    for (String id : ids) {
      sets.put(id, featureSet(view, rules, columns, Optional.ofNullable(current.get(id))));
    }
    Map<String, Value> defaults = new HashMap<>();
    columns.forEach(
        (name, column) -> {
          if (rules.defaults().containsKey(column)) {
            defaults.put(name, rules.defaults().get(column));
          }
        });
    ViewVersion version =
        ViewVersion.newBuilder()
            .setFeatureView(view.name())
            .setSnapshotId(snapshot.snapshotId())
            .setAsOf(timestamp(CurrentRows.newestAsOf(lake, table, snapshot).orElse(Instant.EPOCH)))
            .build();
    return new ViewAnswer(version, sets, current.keySet(), defaults);
  }

  /** Finds the view that is named, or else the only one whose table has the snapshot. */
  public FeatureView viewOf(Definitions definitions, CommandLine line, String snapshot) {
    if (line.has("view")) {
      return definitions.view(line.text("view"));
    }
    List<FeatureView> having = new ArrayList<>();
    for (FeatureView view : definitions.views()) {
      boolean asked =
          line.optional("entity").map(name -> name.equals(view.entity().name())).orElse(true);
      if (asked
          && FeatureTable.find(lake.catalog(), view.name())
              .filter(t -> t.has(snapshot))
              .isPresent()) {
        having.add(view);
      }
    }
    if (having.size() == 1) {
      return having.get(0);
    }
    for (FeatureView view : definitions.views()) {
      if (having.isEmpty()
          && BaseTable.find(lake.catalog(), view.name())
              .filter(table -> table.has(snapshot))
              .isPresent()) {
        throw new UsageException(
            "snapshot=%s is a base of live view '%s', whose rows are cells: ask with stamp=, or with the snapshot of a build"
                .formatted(snapshot, view.name()));
      }
    }
    throw new UsageException(
        having.isEmpty()
            ? "snapshot=%s: no feature table has a snapshot or tag of that name".formatted(snapshot)
            : "snapshot=%s is in several tables: say view=%s"
                .formatted(
                    snapshot,
                    String.join(" or view=", having.stream().map(FeatureView::name).toList())));
  }

  /** The column of each feature asked for, by the name that it was asked by. */
  private static Map<String, String> columns(
      FeatureView view, Dataset<Row> rows, List<String> features) {
    List<String> known = new ArrayList<>(List.of(rows.columns()));
    known.removeAll(view.entity().keyNames());
    known.remove(FeatureView.EVENT_TIMESTAMP);
    Map<String, String> columns = new HashMap<>();
    for (String name : features.isEmpty() ? known : features) {
      String prefix = view.name() + ".";
      String column = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
      if (!known.contains(column)) {
        throw new UsageException(
            "features: the snapshot of '%s' has no feature '%s'%s"
                .formatted(view.name(), name, Suggestion.forName(column, known)));
      }
      columns.put(name, column);
    }
    return columns;
  }

  private static Map<String, Row> byId(FeatureView view, Dataset<Row> rows, List<String> ids) {
    Map<String, Row> byId = new HashMap<>();
    rows.filter(EntityIds.isOneOf(view.entity(), ids))
        .withColumn(ID, EntityIds.of(view.entity()))
        .collectAsList()
        .forEach(row -> byId.put(row.getString(row.fieldIndex(ID)), row));
    return byId;
  }

  private static FeatureSet featureSet(
      FeatureView view, Rules rules, Map<String, String> columns, Optional<Row> row) {
    FeatureSet.Builder set = FeatureSet.newBuilder();
    Optional<Instant> asOf =
        row.map(found -> found.getInstant(found.fieldIndex(FeatureView.EVENT_TIMESTAMP)));
    asOf.ifPresent(moment -> set.putEventTimestamps(view.name(), timestamp(moment)));
    boolean isTooOld = asOf.filter(moment -> moment.isBefore(rules.oldest())).isPresent();
    columns.forEach(
        (name, column) -> {
          if (row.isEmpty()) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NOT_FOUND);
            return;
          }
          Optional<Value> byDefault = Optional.ofNullable(rules.defaults().get(column));
          Object value = row.get().get(row.get().fieldIndex(column));
          if (isTooOld) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_OUTSIDE_MAX_AGE);
            byDefault.ifPresent(instead -> set.putFeatures(name, instead));
          } else if (value == null) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NULL_VALUE);
            set.putFeatures(name, byDefault.orElse(Values.NULL));
          } else {
            set.putFeatures(name, SparkValues.of(value));
          }
        });
    return set.build();
  }

  private static Timestamp timestamp(Instant instant) {
    return Timestamps.fromMicros(Values.micros(instant));
  }
}
