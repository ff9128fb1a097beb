package dev.tarn.etl.train;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingView;
import java.util.ArrayList;
import java.util.List;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;

/** A feature table and what a training set takes of it, as the set's manifest says. */
record ViewTable(TrainingView view, Entity entity, FeatureTable table) {

  /**
   * Finds the table.
   *
   * @throws TarnException if it is gone
   */
  static ViewTable of(Lake lake, TrainingView view) {
    FeatureTable table =
        FeatureTable.find(lake.catalog(), view.getFeatureView())
            .orElseThrow(
                () ->
                    new TarnException(
                        "the feature table of '%s' is gone".formatted(view.getFeatureView())));
    List<Entity.KeyColumn> keys = new ArrayList<>();
    for (String key : view.getEntityKeysList()) {
      keys.add(
          new Entity.KeyColumn(
              key, SparkSchemaUtil.convert(table.iceberg().schema().findType(key))));
    }
    return new ViewTable(
        view, new Entity(view.getEntity(), keys, "", "", new Position("", 0)), table);
  }

  String name() {
    return view.getFeatureView();
  }

  /**
   * A snapshot that is still there.
   *
   * @throws TarnException if it has expired
   */
  Snapshot snapshot(long id) {
    table.iceberg().refresh();
    Snapshot snapshot = table.iceberg().snapshot(id);
    if (snapshot == null) {
      throw new TarnException(
          "snapshot %d of %s has expired, so what it had can't be read any more"
              .formatted(id, table.sqlName()));
    }
    return snapshot;
  }

  /**
   * The features that are taken, as columns of a snapshot's rows, with the types and names of the
   * training set; null if the snapshot is from before the feature. They are found by field id, so a
   * feature that had another name is the same one.
   */
  List<Column> features(Snapshot snapshot) {
    Schema schema = table.schemaOf(snapshot);
    List<Column> columns = new ArrayList<>();
    for (StoredFeature feature : view.getFeaturesList()) {
      String name = schema.findColumnName(feature.getFieldId());
      Column value = name == null ? functions.lit(null) : Columns.named(name);
      columns.add(value.cast(type(feature)).as(feature.getName()));
    }
    return columns;
  }

  /** The entity's keys, under the names of {@link Columns#keyNames}. */
  List<Column> keys() {
    List<Column> columns = new ArrayList<>();
    List<String> names = EntityColumns.keyNames(entity.keys().size());
    for (int i = 0; i < names.size(); i++) {
      columns.add(Columns.named(entity.keyNames().get(i)).as(names.get(i)));
    }
    return columns;
  }

  static DataType type(StoredFeature feature) {
    return SparkTypes.spark(feature.getType());
  }
}
