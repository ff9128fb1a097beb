package dev.tarn.etl.lake;

import dev.tarn.etl.definition.FeatureView;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** Finds the row of each entity that has the newest event timestamp. */
public final class NewestRows {

  private static final String ROW = "_tarn_row";

  private NewestRows() {}

  /** The newest rows, one for each entity, with the same columns. Costs one shuffle by key. */
  public static Dataset<Row> of(Dataset<Row> rows, List<String> keys) {
    Column[] all = columns(List.of(rows.columns()));
    return rows.groupBy(columns(keys))
        .agg(
            functions
                .max_by(functions.struct(all), functions.col(FeatureView.EVENT_TIMESTAMP))
                .as(ROW))
        .select(
            List.of(rows.columns()).stream()
                // The keys themselves, not the row's: a filter on them reaches the files.
                .map(
                    name ->
                        keys.contains(name)
                            ? functions.col("`" + name + "`")
                            : functions.col(ROW).getField(name).as(name))
                .toArray(Column[]::new));
  }

  private static Column[] columns(List<String> names) {
    return names.stream().map(name -> functions.col("`" + name + "`")).toArray(Column[]::new);
  }
}
