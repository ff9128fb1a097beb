package dev.tarn.serving.lookup;

import com.google.protobuf.ByteString;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.row.EntriesWriter;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.lookup.Selection.Column;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.world.ServedView;
import java.util.ArrayList;
import java.util.List;

/**
 * What is the same in all answers to one selection, as bytes of the response's messages. A message
 * in parts is the parts one after the other, so what stands here is copied where it belongs.
 * Immutable.
 */
final class AnswerParts {

  /**
   * The parts of a FeatureSet that come from one view.
   *
   * @param notFound instead of the values, where the view has no row
   * @param outsideMaxAge instead of the values of a row that is too old
   * @param corrupt instead of the values of a row that does not decode; without defaults: they are
   *     for values that are missing, not for those that were damaged
   */
  record ViewParts(
      ServedView view,
      EntriesWriter values,
      ByteString notFound,
      ByteString outsideMaxAge,
      ByteString corrupt) {}

  /** A guess at an entity id and at a value, with what is around them in an answer. */
  private static final int BYTES_AN_ID = 32;

  private static final int BYTES_A_VALUE = 24;

  private final boolean withStatuses;
  private final List<ViewParts> views = new ArrayList<>();
  private final byte[] unknownEntity;
  private final byte[] versions;
  private final int bytesAnEntity;

  /**
   * The parts of answers to a selection.
   *
   * @param withStatuses whether the answers have statuses, event timestamps and versions: those of
   *     the older service have values alone
   */
  AnswerParts(List<ViewColumns> selected, boolean withStatuses) {
    this.withStatuses = withStatuses;
    FeatureSet.Builder unknown = FeatureSet.newBuilder();
    GetOnlineFeaturesResponse.Builder released = GetOnlineFeaturesResponse.newBuilder();
    int bytes = BYTES_AN_ID;
    for (ViewColumns columns : selected) {
      ByteString corrupt = instead(columns, FeatureStatus.FEATURE_STATUS_NOT_FOUND, false);
      views.add(
          new ViewParts(
              columns.view(),
              values(columns),
              instead(columns, FeatureStatus.FEATURE_STATUS_NOT_FOUND, true),
              instead(columns, FeatureStatus.FEATURE_STATUS_OUTSIDE_MAX_AGE, true),
              corrupt));
      for (Column column : columns.columns()) {
        putStatus(unknown, column.name(), FeatureStatus.FEATURE_STATUS_NOT_FOUND);
        bytes += column.name().length() + BYTES_A_VALUE;
      }
      if (withStatuses) {
        released.addVersions(columns.view().viewVersion());
      }
    }
    byte[] unknownSet = unknown.build().toByteArray();
    WireBuffer length = new WireBuffer(unknownSet.length);
    length.putVarint(unknownSet.length);
    length.putBytes(unknownSet);
    unknownEntity = length.toBytes();
    versions = released.build().toByteArray();
    bytesAnEntity = bytes;
  }

  /** In order of name. */
  List<ViewParts> views() {
    return views;
  }

  boolean withStatuses() {
    return withStatuses;
  }

  /** The FeatureSet of an entity of which no view has a row, after its length: no values. */
  byte[] unknownEntity() {
    return unknownEntity;
  }

  /** All that an answer has beside its results. */
  byte[] versions() {
    return versions;
  }

  /** About how many bytes an answer has. */
  int expectedBytes(int entities) {
    return Math.toIntExact(Math.min(entities * (long) bytesAnEntity + versions.length, 1 << 24));
  }

  private EntriesWriter values(ViewColumns columns) {
    List<EntriesWriter.Name> names = new ArrayList<>();
    for (Column column : columns.columns()) {
      StoredFeature feature = columns.view().features().get(column.index());
      Value value = feature.hasDefaultValue() ? feature.getDefaultValue() : Values.NULL;
      FeatureSet.Builder whenNull = FeatureSet.newBuilder().putFeatures(column.name(), value);
      putStatus(whenNull, column.name(), FeatureStatus.FEATURE_STATUS_NULL_VALUE);
      names.add(
          new EntriesWriter.Name(column.index(), column.name(), whenNull.build().toByteString()));
    }
    return new EntriesWriter(columns.view().types(), names);
  }

  private ByteString instead(ViewColumns columns, FeatureStatus status, boolean withDefaults) {
    FeatureSet.Builder set = FeatureSet.newBuilder();
    for (Column column : columns.columns()) {
      StoredFeature feature = columns.view().features().get(column.index());
      if (withDefaults && feature.hasDefaultValue()) {
        set.putFeatures(column.name(), feature.getDefaultValue());
      }
      putStatus(set, column.name(), status);
    }
    return set.build().toByteString();
  }

  private void putStatus(FeatureSet.Builder set, String name, FeatureStatus status) {
    if (withStatuses) {
      set.putStatuses(name, status);
    }
  }
}
