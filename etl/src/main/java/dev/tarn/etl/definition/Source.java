package dev.tarn.etl.definition;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.types.StructType;

/**
 * A source that a view's SQL reads; the SQL sees it as a table of this name.
 *
 * @param location a path (file, folder, partitioned folder or pattern), or the table of an Iceberg
 *     source
 * @param schema what the files hold; CSV and JSON files must declare it, so that no build depends
 *     on a guess
 * @param timestamp the column, or the expression in SQL over the columns, that says when a row
 *     happened: a build sees only the rows from before its as-of
 * @param options how the files are read
 * @param epoch the unit of timestamps that are numbers; empty: numbers are no timestamps
 * @param allowsMissingColumns whether a file may lack columns of the schema, which are null then
 * @param skipsMissingTimes whether rows without a time are left out; else they are refused
 */
public record Source(
    String name,
    Format format,
    String location,
    Optional<StructType> schema,
    Optional<String> timestamp,
    Map<String, String> options,
    Optional<Epoch> epoch,
    boolean allowsMissingColumns,
    boolean skipsMissingTimes,
    Position position) {

  /** The formats that sources come in. */
  public enum Format {
    PARQUET,
    CSV,
    JSON,
    ICEBERG;

    /** Whether the files are text. */
    public boolean isText() {
      return this == CSV || this == JSON;
    }
  }
}
