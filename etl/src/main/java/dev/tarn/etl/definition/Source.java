package dev.tarn.etl.definition;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.types.StructType;

/**
 * A source that a view's SQL reads; the SQL sees it as a table of this name.
 *
 * @param location a path (file, folder, partitioned folder or pattern), or the table of an Iceberg
 *     source; of a stream source its event table, as SQL names it
 * @param schema what the files or messages hold; CSV and JSON must declare it, so that no build
 *     depends on a guess
 * @param timestamp the column, or the expression in SQL over the columns, that says when a row
 *     happened: a build sees only the rows from before its as-of
 * @param options how the files are read
 * @param epoch the unit of timestamps that are numbers; empty: numbers are no timestamps
 * @param allowsMissingColumns whether a file may lack columns of the schema, which are null then
 * @param skipsMissingTimes whether rows without a time are left out; else they are refused
 * @param eventId what tells events from repetitions of them
 * @param stream where events come from; there if the format is Kafka
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
    Optional<EventId> eventId,
    Optional<StreamSource> stream,
    Position position) {

  /** The formats that sources come in. */
  public enum Format {
    PARQUET,
    CSV,
    JSON,
    ICEBERG,
    KAFKA;

    /** Whether the files are text. */
    public boolean isText() {
      return this == CSV || this == JSON;
    }

    /** Whether rows are read from an Iceberg table. */
    public boolean isTable() {
      return this == ICEBERG || this == KAFKA;
    }
  }

  /** The columns that SQL sees, as far as the definition says: those of an event have a place. */
  public Optional<StructType> columns() {
    return stream.isPresent() ? schema.map(StreamSource::eventColumns) : schema;
  }
}
