package dev.tarn.etl.compute;

import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.FeatureView.History;
import org.apache.iceberg.Schema;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Defines the columns of a view's feature table, in order. */
public final class TableLayout {

  private TableLayout() {}

  /** The columns as Iceberg has them. */
  public static Schema schema(FeatureView view) {
    return SparkSchemaUtil.convert(of(view));
  }

  /** The columns as Spark has them. */
  public static StructType of(FeatureView view) {
    StructType[] columns = {new StructType()};
    view.entity().keys().forEach(key -> columns[0] = columns[0].add(key.name(), key.type()));
    columns[0] = columns[0].add(FeatureView.EVENT_TIMESTAMP, DataTypes.TimestampType);
    if (view.history() == History.CHANGES) {
      columns[0] = columns[0].add(FeatureView.PRESENT_UNTIL, DataTypes.TimestampType);
    }
    view.features().forEach(feature -> columns[0] = columns[0].add(feature.name(), feature.type()));
    return columns[0];
  }
}
