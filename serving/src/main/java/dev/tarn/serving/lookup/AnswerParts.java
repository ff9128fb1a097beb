package dev.tarn.serving.lookup;

import com.google.protobuf.ByteString;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.row.EntriesWriter;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.lookup.Selection.Column;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.world.ReleasedView;
import java.util.ArrayList;
import java.util.List;

/**
 * The parts that all answers to one selection have in common, as bytes of the response's messages.
 * Protobuf lets a message be written in parts, one after the other, so these bytes are copied into
 * each answer. Nothing of it changes but what it has learned of the answers' size.
 */
final class AnswerParts {

  /**
   * The parts of a FeatureSet that come from one view.
   *
   * @param notFound replaces the values where the view has no row
   * @param outsideMaxAge replaces the values of a row that is too old
   * @param corrupt replaces the values of a row that does not decode; it has no defaults, which are
   *     for missing values and not for damaged ones
   */
  record ViewParts(
      ReleasedView view,
      EntriesWriter values,
      ByteString notFound,
      ByteString outsideMaxAge,
      ByteString corrupt) {}

  /** Estimates of the size of an entity id and of a value, with what surrounds them. */
  private static final int BYTES_AN_ID = 32;

  private static final int BYTES_A_VALUE = 24;

  private final boolean withStatuses;
  private final List<ViewParts> views = new ArrayList<>();
  private final byte[] unknownEntity;
  private final byte[] versions;
  private final byte[] types;
  private final UsualBytes entityBytes;

  /**
   * Prepares the answers to a selection.
   *
   * @param withStatuses whether the answers have statuses, event timestamps and versions; those of
   *     the older service have only values
   */
  AnswerParts(List<ViewColumns> selected, boolean withStatuses) {
    this.withStatuses = withStatuses;
    FeatureSet.Builder unknown = FeatureSet.newBuilder();
    GetOnlineFeaturesResponse.Builder released = GetOnlineFeaturesResponse.newBuilder();
    GetOnlineFeaturesResponse.Builder typed = GetOnlineFeaturesResponse.newBuilder();
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
        typed.putFeatureTypes(
            column.name(), FeatureTypes.name(columns.view().types().get(column.index())));
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
    types = typed.build().toByteArray();
    entityBytes = new UsualBytes(bytes);
  }

  /** Returns the parts of each view, in order of name. */
  List<ViewParts> views() {
    return views;
  }

  boolean withStatuses() {
    return withStatuses;
  }

  /** Returns the FeatureSet, after its length, of an entity of which no view has a row. */
  byte[] unknownEntity() {
    return unknownEntity;
  }

  /** Returns all that an answer has beside its results. */
  byte[] versions() {
    return versions;
  }

  /** Returns the types of the features, for answers that are asked for them. */
  byte[] types() {
    return types;
  }

  /** Estimates the bytes of an answer, as far as it is known from others. */
  long expectedBytes(int entities) {
    return entityBytes.of(entities) + versions.length;
  }

  /** Notes the bytes of an answer. */
  void learn(int entities, long bytes) {
    entityBytes.learn(entities, bytes);
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
