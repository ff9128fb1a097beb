package dev.tarn.etl.train;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingView;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Vectorizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;

/**
 * Reads what a manifest says: the spine's rows, each with its features at its moment. The manifest
 * alone decides, so that the first read and any later one are the same.
 *
 * <p>The result has the spine's columns as they were, then the service's features in its order or
 * its vector. It is divided by entity into as many parts as the manifest has files.
 */
final class TrainingRead {

  /** The column of a service's vector: float32, little-endian. */
  static final String VECTOR = "vector";

  /** What the column's metadata, and a file's, have the names of a vector's numbers under. */
  static final String VECTOR_NAMES = "vector_names";

  private final Lake lake;
  private final Spine spine;
  private final TrainingManifest manifest;
  private final List<TrainingView> views;

  /** The tables of the views that are read from theirs, by the number of the view. */
  private final SortedMap<Integer, ViewTable> tables = new TreeMap<>();

  private final List<Rules> rules = new ArrayList<>();

  TrainingRead(Lake lake, Spine spine, TrainingManifest manifest) {
    this.lake = lake;
    this.spine = spine;
    this.manifest = manifest;
    views = manifest.getViewsList();
    for (int v = 0; v < views.size(); v++) {
      if (!views.get(v).hasEvents() && !views.get(v).hasLive()) {
        tables.put(v, ViewTable.of(lake, views.get(v)));
      }
      rules.add(new Rules(views.get(v), manifest.getAsServed(), v));
    }
  }

  /** The training set, its rows in any order. */
  Dataset<Row> rows() {
    return manifest.getVectors() ? withVectors(false) : withFeatures(true, false);
  }

  /** The same, each part in order of entity, time and all other columns of the spine. */
  Dataset<Row> rowsInOrder() {
    return manifest.getVectors() ? withVectors(true) : withFeatures(true, true);
  }

  /**
   * The training set without defaults, which have no part in vectors or in fitting them; in order,
   * as a mean of floating-point numbers depends on it.
   */
  Dataset<Row> withoutDefaults() {
    return withFeatures(false, true);
  }

  private Dataset<Row> withFeatures(boolean withDefaults, boolean isInOrder) {
    List<Column> columns = spineColumns();
    values(withDefaults).forEach((name, value) -> columns.add(value.as(plain(name))));
    return joined(!withDefaults, isInOrder).select(columns.toArray(new Column[0]));
  }

  /** The names of the columns of the vectors that a manifest describes. */
  static List<String> vectorNames(TrainingManifest manifest) {
    try {
      return Vectorizer.of(manifest.getService(), types(manifest)).columnNames();
    } catch (TransformException e) {
      throw new TarnException(e.getMessage(), e);
    }
  }

  private Dataset<Row> withVectors(boolean isInOrder) {
    List<FeatureType> types = types(manifest);
    List<Column> values = new ArrayList<>();
    Map<String, Column> byName = values(false);
    for (String name : manifest.getService().getFeatureNamesList()) {
      values.add(byName.get(name).as(plain(name)));
    }
    List<Column> columns = spineColumns();
    try {
      columns.add(
          RowVectors.of(
                  manifest.getService(), types, functions.struct(values.toArray(new Column[0])))
              .as(VECTOR, vectorMetadata()));
    } catch (TransformException e) {
      throw new TarnException(e.getMessage(), e);
    }
    return joined(true, isInOrder).select(columns.toArray(new Column[0]));
  }

  /** None for a manifest without names, so that older sets are made again byte for byte. */
  private Metadata vectorMetadata() {
    return manifest.getVectorNamesCount() == 0
        ? Metadata.empty()
        : new MetadataBuilder()
            .putStringArray(VECTOR_NAMES, manifest.getVectorNamesList().toArray(new String[0]))
            .build();
  }

  private static List<FeatureType> types(TrainingManifest manifest) {
    return manifest.getService().getFeatureNamesList().stream()
        .map(name -> feature(manifest, name).getType())
        .toList();
  }

  private List<Column> spineColumns() {
    List<Column> columns = new ArrayList<>();
    for (String name : spine.columns()) {
      columns.add(functions.col(Columns.SPINE).getField(name).as(name));
    }
    return columns;
  }

  private static StoredFeature feature(TrainingManifest manifest, String fullName) {
    return manifest.getViewsList().stream()
        .filter(view -> fullName.startsWith(view.getFeatureView() + "."))
        .flatMap(view -> view.getFeaturesList().stream())
        .filter(feature -> feature.getName().equals(plain(fullName)))
        .findFirst()
        .orElseThrow();
  }

  /**
   * The features by full name, in the service's order.
   *
   * <p>As in lookups, a default stands in for a value that is null, missing or too old, unless no
   * view knows the entity.
   */
  private Map<String, Column> values(boolean withDefaults) {
    Column isKnown = functions.lit(false);
    for (int v = 0; v < views.size(); v++) {
      isKnown = isKnown.or(PointInTime.isThere(v));
    }
    Map<String, Column> values = new LinkedHashMap<>();
    manifest.getService().getFeatureNamesList().forEach(name -> values.put(name, null));
    for (int v = 0; v < views.size(); v++) {
      Column isRecent = isRecent(v);
      for (StoredFeature feature : views.get(v).getFeaturesList()) {
        Column value = functions.when(isRecent, PointInTime.of(v, feature.getName()));
        if (withDefaults && rules.get(v).hasDefaults()) {
          value =
              functions.when(isKnown, functions.coalesce(value, rules.get(v).defaultOf(feature)));
        }
        values.put(views.get(v).getFeatureView() + "." + feature.getName(), value);
      }
    }
    return values;
  }

  /** Whether a row got one of the view that is recent enough. */
  private Column isRecent(int v) {
    Column maxAge = rules.get(v).maxAge();
    Column age = functions.col(Columns.MICROS).minus(givenAt(v));
    return PointInTime.isThere(v).and(maxAge.isNull().or(age.leq(maxAge)));
  }

  private Column givenAt(int v) {
    Column givenAt = PointInTime.of(v, PointInTime.GIVEN_AT);
    if (manifest.getAsServed() || views.get(v).hasEvents()) {
      return givenAt;
    }
    ViewTable table = tables.get(v);
    Snapshot snapshot = ByEventTime.snapshot(table);
    return table.table().storesChanges(snapshot)
        ? functions.coalesce(
            givenAt,
            AsOfFloor.of(table.table().asOfs(snapshot).micros(), functions.col(Columns.MICROS)))
        : givenAt;
  }

  /**
   * The spine's packed rows, each with a struct of each view.
   *
   * @param isAbsentAlike whether a row that is too old counts for nothing at all
   */
  private Dataset<Row> joined(boolean isAbsentAlike, boolean isInOrder) {
    Dataset<Row> joined =
        manifest.getAsServed()
            ? new AsServed(lake, spine, views, tables).join(manifest.getFiles())
            : new ByEventTime(lake, spine, tables, rules).join(manifest.getFiles(), isAbsentAlike);
    // Events take more tasks than their result has files.
    int partitions =
        Math.max(manifest.getFiles(), lake.spark().sparkContext().defaultParallelism());
    for (int v = 0; v < views.size(); v++) {
      if (views.get(v).hasEvents()) {
        joined = ViewEvents.of(lake, views.get(v)).join(joined, spine, v, partitions);
      } else if (views.get(v).hasLive()) {
        joined = new ServedView(lake, views.get(v)).join(joined, spine, v, partitions);
      }
    }
    boolean hasLive = views.stream().anyMatch(TrainingView::hasLive);
    if (hasLive || (tables.size() < views.size() && partitions > manifest.getFiles())) {
      joined = joined.repartition(manifest.getFiles(), EntityColumns.keys(spine.keys()));
    }
    return isInOrder ? joined.sortWithinPartitions(spine.order()) : joined;
  }

  private static String plain(String fullName) {
    return fullName.substring(fullName.indexOf('.') + 1);
  }
}
