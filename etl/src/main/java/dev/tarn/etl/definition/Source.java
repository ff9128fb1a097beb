package dev.tarn.etl.definition;

import com.google.protobuf.util.Durations;
import dev.tarn.manifest.StoredSource;
import java.time.Duration;
import java.util.Locale;
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
        Optional.empty(),
        Optional.empty(),
        position);
  }

  /** The source as a manifest keeps it. */
  public StoredSource stored() {
    StoredSource.Builder stored =
        StoredSource.newBuilder()
            .setName(name)
            // An event table is read like any other table.
            .setFormat((format.isTable() ? Format.ICEBERG : format).name().toLowerCase(Locale.ROOT))
            .setLocation(location)
            .putAllOptions(options)
            .setAllowsMissingColumns(allowsMissingColumns)
            .setSkipsMissingTimes(skipsMissingTimes);
    if (!format.isTable()) {
      schema.ifPresent(columns -> stored.setSchema(columns.toDDL()));
    }
    stream.ifPresent(events -> stored.setEventTable(events.table()));
    eventId.ifPresent(
        id ->
            stored
                .setEventId(id.column())
                .setEventIdHorizon(Durations.fromSeconds(id.horizon().toSeconds())));
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
        given(stored.getEventId())
            .map(
                column ->
                    new EventId(
                        column,
                        Duration.ofSeconds(Durations.toSeconds(stored.getEventIdHorizon())))),
        Optional.empty(),
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
