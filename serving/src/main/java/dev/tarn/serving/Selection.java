package dev.tarn.serving;

import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.row.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The features that a request asks for, by the view that has them. Immutable. */
final class Selection {

  /** Where a feature is: the index among its view's features. */
  record Place(ServedView view, int index) {}

  /**
   * A feature to answer.
   *
   * @param name the name that it was asked for
   * @param index its place in the row
   * @param standIn its default, or else a null_value
   */
  record Column(String name, int index, Value standIn, boolean hasDefault) {}

  /** The features to answer from one view's row. */
  record ViewColumns(ServedView view, List<Column> columns) {}

  private final List<ViewColumns> views;
  private final FeatureSet unknownEntity;

  private Selection(List<ViewColumns> views, FeatureSet unknownEntity) {
    this.views = views;
    this.unknownEntity = unknownEntity;
  }

  /** A selection of places by the names under which to answer them. */
  static Selection of(Map<String, Place> named) {
    Map<String, ViewColumns> byView = new TreeMap<>();
    FeatureSet.Builder unknownEntity = FeatureSet.newBuilder();
    named.forEach(
        (name, place) -> {
          byView
              .computeIfAbsent(
                  place.view().name(), view -> new ViewColumns(place.view(), new ArrayList<>()))
              .columns()
              .add(column(name, place));
          unknownEntity.putStatuses(name, FeatureStatus.FEATURE_STATUS_NOT_FOUND);
        });
    return new Selection(List.copyOf(byView.values()), unknownEntity.build());
  }

  /** In order of name. */
  List<ViewColumns> views() {
    return views;
  }

  /** What is answered for an entity of which no view has a row: statuses, and not one value. */
  FeatureSet unknownEntity() {
    return unknownEntity;
  }

  private static Column column(String name, Place place) {
    StoredFeature feature = place.view().features().get(place.index());
    boolean hasDefault = feature.hasDefaultValue();
    return new Column(
        name, place.index(), hasDefault ? feature.getDefaultValue() : Values.NULL, hasDefault);
  }
}
