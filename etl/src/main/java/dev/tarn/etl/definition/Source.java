package dev.tarn.etl.definition;

import dev.tarn.manifest.StoredSource;
import java.util.Locale;
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

  /** Stands in for a source that is not defined, so that the rest of its view is checked. */
  static Source unknown(Position position) {
    return new Source(
        "",
        Format.PARQUET,
        "",
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        Optional.empty(),
        false,
        false,
        position);
  }

  /** The source as a manifest keeps it. */
  public StoredSource stored() {
    StoredSource.Builder stored =
        StoredSource.newBuilder()
            .setName(name)
            .setFormat(format.name().toLowerCase(Locale.ROOT))
            .setLocation(location)
            .putAllOptions(options)
            .setAllowsMissingColumns(allowsMissingColumns)
            .setSkipsMissingTimes(skipsMissingTimes);
    schema.ifPresent(columns -> stored.setSchema(columns.toDDL()));
    timestamp.ifPresent(stored::setTimestamp);
    epoch.ifPresent(unit -> stored.setEpoch(unit.name().toLowerCase(Locale.ROOT)));
    return stored.build();
  }

  /** The source that a manifest keeps. */
  public static Source of(StoredSource stored) {
    return new Source(
        stored.getName(),
        Format.valueOf(stored.getFormat().toUpperCase(Locale.ROOT)),
        stored.getLocation(),
        given(stored.getSchema()).map(SparkTypes::columns),
        given(stored.getTimestamp()),
        stored.getOptionsMap(),
        given(stored.getEpoch()).map(unit -> Epoch.valueOf(unit.toUpperCase(Locale.ROOT))),
        stored.getAllowsMissingColumns(),
        stored.getSkipsMissingTimes(),
        new Position("the manifest", 1));
  }

  private static Optional<String> given(String text) {
    return Optional.of(text).filter(given -> !given.isEmpty());
  }

  /** The formats that sources come in. */
  public enum Format {
    PARQUET,
    CSV,
    JSON,
    ICEBERG;

    /** Whether the source is an Iceberg table, which has snapshots. */
    public boolean isTable() {
      return this == ICEBERG;
    }

    /** Whether the files are text. */
    public boolean isText() {
      return this == CSV || this == JSON;
    }
  }
}
