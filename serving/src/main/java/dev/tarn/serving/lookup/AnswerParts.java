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
import java.util.BitSet;
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
   * @param lagging replaces the values where the view is not known to be complete
   * @param corrupt replaces the values of a row that does not decode; it has no defaults, which are
   *     for missing values and not for damaged ones
   */
  record ViewParts(
      ReleasedView view,
      List<Column> columns,
      EntriesWriter values,
      ByteString notFound,
      ByteString outsideMaxAge,
      ByteString lagging,
      ByteString corrupt) {}

  /** Estimates of the size of an entity id and of a value, with what surrounds them. */
  private static final int BYTES_AN_ID = 32;

  private static final int BYTES_A_VALUE = 24;

  private final boolean withStatuses;
  private final List<ViewParts> views = new ArrayList<>();
  private final byte[] unknownSet;
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
              columns.columns(),
              values(columns),
              instead(columns, FeatureStatus.FEATURE_STATUS_NOT_FOUND, true),
              instead(columns, FeatureStatus.FEATURE_STATUS_OUTSIDE_MAX_AGE, true),
              instead(columns, FeatureStatus.FEATURE_STATUS_LAGGING, true),
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
    unknownSet = unknown.build().toByteArray();
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

  /** Returns the FeatureSet of an entity of which no view has a row. */
  byte[] unknownSet() {
    return unknownSet;
  }

  /** Returns {@link #unknownSet} after its length. */
  byte[] unknownEntity() {
    return unknownEntity;
  }

  /**
   * Replaces values of an entity that do not fit into their type.
   *
   * @param set the entity's features in a view, with nulls for them
   * @param overflows the indexes of these features
   */
  FeatureSet withOverflows(ViewParts view, FeatureSet set, BitSet overflows) {
    FeatureSet.Builder changed = set.toBuilder();
    for (Column column : view.columns()) {
      if (overflows.get(column.index())) {
        changed.removeFeatures(column.name());
        putDefault(changed, column, view.view());
        putStatus(changed, column.name(), FeatureStatus.FEATURE_STATUS_OVERFLOW);
      }
    }
    return changed.build();
  }

  /** Returns all that an answer has beside its results, if no view is live. */
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
      if (withDefaults) {
        putDefault(set, column, columns.view());
      }
      putStatus(set, column.name(), status);
    }
    return set.build().toByteString();
  }

  private static void putDefault(FeatureSet.Builder set, Column column, ReleasedView view) {
    StoredFeature feature = view.features().get(column.index());
    if (feature.hasDefaultValue()) {
      set.putFeatures(column.name(), feature.getDefaultValue());
    }
  }

  private void putStatus(FeatureSet.Builder set, String name, FeatureStatus status) {
    if (withStatuses) {
      set.putStatuses(name, status);
    }
  }
}
