package dev.tarn.serving.lookup;

import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.layer.Layer;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowValues;
import dev.tarn.row.Values;
import dev.tarn.serving.lookup.Selection.Column;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.world.ReleasedView;
import java.time.Instant;
import java.util.List;

/**
 * Builds what {@link Answers} writes as protobuf's objects, the ordinary way. Tests and benchmarks
 * compare the two.
 */
final class ObjectAnswers {

  private final CorruptRows corruptRows;

  ObjectAnswers(CorruptRows corruptRows) {
    this.corruptRows = corruptRows;
  }

  /** Makes the answer to one request. */
  GetOnlineFeaturesResponse of(
      Selection selection, List<AskedId> ids, FetchedRows rows, boolean withEventTimestamps) {
    List<ViewColumns> views = selection.views();
    GetOnlineFeaturesResponse.Builder answer = GetOnlineFeaturesResponse.newBuilder();
    for (int i = 0; i < ids.size(); i++) {
      if (!rows.isKnown(i)) {
        FeatureSet.Builder unknown = FeatureSet.newBuilder();
        views.forEach(columns -> putCorrupt(unknown, columns));
        answer.putResults(ids.get(i).text(), unknown.build());
        continue;
      }
      FeatureSet.Builder set = FeatureSet.newBuilder();
      for (int v = 0; v < views.size(); v++) {
        if (!rows.hasRow(v, i)) {
          putMissing(set, views.get(v), FeatureStatus.FEATURE_STATUS_NOT_FOUND);
        } else {
          Layer layer = rows.layer(v, i);
          try {
            putRow(set, views.get(v), layer, rows.row(v, i), rows.moment(), withEventTimestamps);
          } catch (CorruptRowException e) {
            corruptRows.found(views.get(v).view().name(), layer, ids.get(i).utf8(), e);
            putCorrupt(set, views.get(v));
          }
        }
      }
      answer.putResults(ids.get(i).text(), set.build());
    }
    views.forEach(columns -> answer.addVersions(columns.view().viewVersion()));
    return answer.build();
  }

  private static void putRow(
      FeatureSet.Builder set,
      ViewColumns columns,
      Layer layer,
      RowReader reader,
      long now,
      boolean withEventTimestamps)
      throws CorruptRowException {
    ReleasedView view = columns.view();
    long eventMicros = layer.readEventTimestamp(reader);
    if (view.isTooOld(eventMicros, now)) {
      putMissing(set, columns, FeatureStatus.FEATURE_STATUS_OUTSIDE_MAX_AGE);
    } else {
      Value[] values = RowValues.read(reader, view.types());
      for (Column column : columns.columns()) {
        Value value = values[column.index()];
        if (value.hasNullValue()) {
          set.putFeatures(column.name(), standIn(view, column));
          set.putStatuses(column.name(), FeatureStatus.FEATURE_STATUS_NULL_VALUE);
        } else {
          set.putFeatures(column.name(), value);
        }
      }
    }
    if (withEventTimestamps) {
      Instant event = Values.instant(eventMicros);
      set.putEventTimestamps(
          view.name(),
          Timestamp.newBuilder()
              .setSeconds(event.getEpochSecond())
              .setNanos(event.getNano())
              .build());
    }
  }

  private static void putMissing(
      FeatureSet.Builder set, ViewColumns columns, FeatureStatus status) {
    for (Column column : columns.columns()) {
      if (feature(columns.view(), column).hasDefaultValue()) {
        set.putFeatures(column.name(), standIn(columns.view(), column));
      }
      set.putStatuses(column.name(), status);
    }
  }

  /** Leaves out defaults, which are for missing values and not for damaged ones. */
  private static void putCorrupt(FeatureSet.Builder set, ViewColumns columns) {
    for (Column column : columns.columns()) {
      set.putStatuses(column.name(), FeatureStatus.FEATURE_STATUS_NOT_FOUND);
    }
  }

  private static StoredFeature feature(ReleasedView view, Column column) {
    return view.features().get(column.index());
  }

  private static Value standIn(ReleasedView view, Column column) {
    StoredFeature feature = feature(view, column);
    return feature.hasDefaultValue() ? feature.getDefaultValue() : Values.NULL;
  }

  /** Returns the part of an answer that the older service has. */
  static dev.tarn.api.legacy.GetOnlineFeaturesResponse legacy(GetOnlineFeaturesResponse answer) {
    dev.tarn.api.legacy.GetOnlineFeaturesResponse.Builder legacy =
        dev.tarn.api.legacy.GetOnlineFeaturesResponse.newBuilder();
    answer
        .getResultsMap()
        .forEach(
            (id, set) ->
                legacy.putResults(
                    id,
                    dev.tarn.api.legacy.FeatureSet.newBuilder()
                        .putAllFeatures(set.getFeaturesMap())
                        .build()));
    return legacy.build();
  }
}
