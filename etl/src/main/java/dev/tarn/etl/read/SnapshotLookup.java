package dev.tarn.etl.read;

import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.etl.lake.Lake;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Answers lookups from a snapshot in Iceberg, as the server would if it had released this snapshot.
 * Only the age of a row is left out of account, since it depends on when one asks.
 */
public final class SnapshotLookup {

  private static final String ID = "_tarn_id";

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
    FeatureTable table =
        FeatureTable.find(lake.catalog(), view.name())
            .orElseThrow(
                () -> new UsageException("nothing has been built of '%s'".formatted(view.name())));
    Snapshot snapshot = table.published(snapshotOrTag);
    Dataset<Row> rows = CurrentRows.of(lake, view, table, snapshot);
    Map<String, String> columns = columns(view, rows, features);
    Map<String, Row> current = byId(view, rows, ids);
    GetOnlineFeaturesResponse.Builder answer = GetOnlineFeaturesResponse.newBuilder();
    for (String id : ids) {
      answer.putResults(id, featureSet(view, columns, Optional.ofNullable(current.get(id))));
    }
    return answer
        .addVersions(
            ViewVersion.newBuilder()
                .setFeatureView(view.name())
                .setSnapshotId(snapshot.snapshotId())
                .setAsOf(
                    timestamp(
                        CurrentRows.newestAsOf(lake, view, table, snapshot).orElse(Instant.EPOCH))))
        .build();
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
      FeatureView view, Map<String, String> columns, Optional<Row> row) {
    FeatureSet.Builder set = FeatureSet.newBuilder();
    row.ifPresent(
        found ->
            set.putEventTimestamps(
                view.name(),
                timestamp(found.getInstant(found.fieldIndex(FeatureView.EVENT_TIMESTAMP)))));
    columns.forEach(
        (name, column) -> {
          if (row.isEmpty()) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NOT_FOUND);
            return;
          }
          Object value = row.get().get(row.get().fieldIndex(column));
          if (value == null) {
            Optional<Value> byDefault = view.feature(column).flatMap(Feature::defaultValue);
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
