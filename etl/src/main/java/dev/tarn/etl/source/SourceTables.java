package dev.tarn.etl.source;

import com.google.gson.JsonObject;
import dev.tarn.cli.Plural;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.InputFiles;
import dev.tarn.etl.input.MessageFormat;
import dev.tarn.etl.input.ParquetInput;
import dev.tarn.etl.input.TextInput;
import dev.tarn.etl.lake.ParquetTypes;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The sources of one view as its SQL sees them. They are pinned when they are opened, an Iceberg
 * table to its snapshot and files to their listing, so that all as-ofs of one run see the same data
 * and each snapshot can say what it was computed from.
 */
public final class SourceTables {

  /** The first and last moment that all readers of Iceberg know. */
  private static final Instant LEAST = Instant.parse("0001-01-01T00:00:00Z");

  private static final Instant GREATEST = Instant.parse("9999-12-31T23:59:59.999999Z");

  /** The number of files in a fingerprint, and of their bytes. */
  private static final Pattern FILES = Pattern.compile("files (\\d+) bytes (\\d+)");

  private final Map<Source, Dataset<Row>> tables;
  private final JsonObject fingerprint;
  private final List<String> notes;

  /** Sources that have a row from before this as-of, and so from before later ones. */
  private final Map<Source, Instant> begun;

  private SourceTables(
      Map<Source, Dataset<Row>> tables,
      JsonObject fingerprint,
      List<String> notes,
      Map<Source, Instant> begun) {
    this.tables = tables;
    this.fingerprint = fingerprint;
    this.notes = notes;
    this.begun = begun;
  }

  /** A table, and what says what it was read from. */
  private record PinnedTable(Dataset<Row> rows, String fingerprint) {}

  /**
   * Opens and pins the sources.
   *
   * @throws SourceException if one is missing or can't be read, by its name and definition; if
   *     files lack columns or rows lack their time, and the source does not allow it
   */
  public static SourceTables open(SparkSession spark, List<Source> sources) {
    return open(spark, sources, Optional.empty());
  }

  /** Opens one source that is a table, pinned to a snapshot of it; else as {@link #open} does. */
  public static SourceTables open(SparkSession spark, Source source, Optional<Long> snapshotId) {
    return open(spark, List.of(source), snapshotId);
  }

  private static SourceTables open(
      SparkSession spark, List<Source> sources, Optional<Long> snapshotId) {
    return open(
        spark,
        sources,
        snapshotId,
        (source, failure) -> {
          throw failure;
        });
  }

  /**
   * Opens and pins the sources that can be opened.
   *
   * @param failed takes the others, and why they can't
   */
  public static SourceTables openEach(
      SparkSession spark, List<Source> sources, BiConsumer<Source, SourceException> failed) {
    return open(spark, sources, Optional.empty(), failed);
  }

  private static SourceTables open(
      SparkSession spark,
      List<Source> sources,
      Optional<Long> snapshotId,
      BiConsumer<Source, SourceException> failed) {
    Map<Source, Dataset<Row>> tables = new LinkedHashMap<>();
    JsonObject fingerprint = new JsonObject();
    List<String> notes = new ArrayList<>();
    for (Source source : sources) {
      try {
        PinnedTable pinned = pin(spark, source, snapshotId, true);
        reading(source, () -> checkTimes(source, pinned.rows())).ifPresent(notes::add);
        fingerprint.addProperty(source.name(), pinned.fingerprint());
        tables.put(source, pinned.rows());
      } catch (SourceException e) {
        failed.accept(source, e);
      }
    }
    return new SourceTables(tables, fingerprint, notes, new HashMap<>());
  }

  /** Some of these sources, in the order given, pinned as they are here. */
  public SourceTables only(List<Source> sources) {
    Map<Source, Dataset<Row>> some = new LinkedHashMap<>();
    JsonObject ofSome = new JsonObject();
    for (Source source : sources) {
      some.put(source, tables.get(source));
      ofSome.add(source.name(), fingerprint.get(source.name()));
    }
    return new SourceTables(some, ofSome, List.of(), begun);
  }

  /**
   * Declares the sources with their schemas and no rows, for checking a view's SQL. Only a Parquet
   * source without a declared schema and an Iceberg table are looked at.
   */
  public static SourceTables declare(SparkSession spark, List<Source> sources) {
    Map<Source, Dataset<Row>> tables = new LinkedHashMap<>();
    for (Source source : sources) {
      if (source.format().isText()) {
        reading(
            source,
            () -> {
              TextInput.check(source);
              return true;
            });
      }
      if (source.stream().isPresent()) {
        reading(source, () -> MessageFormat.of(source));
      }
      if (source.schema().isEmpty()) {
        tables.put(source, pin(spark, source, Optional.empty(), false).rows());
      }
    }
    return new SourceTables(tables, new JsonObject(), List.of(), new HashMap<>())
        .declared(spark, sources);
  }

  /** Declares as {@link #declare} does, of sources that are open already. */
  public SourceTables declared(SparkSession spark, List<Source> sources) {
    Map<Source, Dataset<Row>> declared = new LinkedHashMap<>();
    for (Source source : sources) {
      declared.put(
          source,
          source
              .columns()
              .map(schema -> spark.createDataFrame(List.of(), schema))
              .orElseGet(() -> tables.get(source)));
    }
    return new SourceTables(declared, new JsonObject(), List.of(), new HashMap<>());
  }

  private static PinnedTable pin(
      SparkSession spark, Source source, Optional<Long> snapshotId, boolean isChecked) {
    return reading(
        source,
        () ->
            source.format().isTable()
                ? table(spark, source, snapshotId)
                : files(spark, source, isChecked));
  }

  /** Runs something that reads a source. Its failure says which source it was. */
  private static <T> T reading(Source source, Callable<T> read) {
    try {
      return read.call();
    } catch (SourceException e) {
      throw e;
    } catch (InputException e) {
      throw new SourceException(
          source,
          "source '%s' can't be read at %s: %s"
              .formatted(source.name(), source.location(), e.getMessage()),
          e);
    } catch (Exception e) { // Scala does not declare AnalysisException
      throw new SourceException(
          source,
          "source '%s' can't be read at %s: %s"
              .formatted(source.name(), source.location(), ReadFailures.reason(e)),
          e);
    }
  }

  private static PinnedTable table(SparkSession spark, Source source, Optional<Long> snapshotId)
      throws Exception {
    Table table;
    try {
      table = Spark3Util.loadIcebergTable(spark, source.location());
    } catch (NoSuchTableException e) {
      if (source.stream().isEmpty()) {
        throw e;
      }
      throw new SourceException(
          source,
          "source '%s': there is no event table %s yet; ./tarn archive source=%s makes and fills it"
              .formatted(source.name(), source.location(), source.name()),
          e);
    }
    Snapshot snapshot = snapshotId.map(table::snapshot).orElseGet(table::currentSnapshot);
    if (snapshot == null && snapshotId.isPresent()) {
      throw new SourceException(
          source,
          "source '%s': snapshot %d of %s has expired, so what it had can't be read any more"
              .formatted(source.name(), snapshotId.get(), source.location()));
    }
    if (snapshot == null) {
      throw new SourceException(
          source,
          "source '%s': table %s has no snapshot yet".formatted(source.name(), source.location()));
    }
    // The options of a stream source say how its messages are read.
    Map<String, String> options = source.stream().isPresent() ? Map.of() : source.options();
    Dataset<Row> rows =
        spark
            .read()
            .options(options)
            .option("snapshot-id", snapshot.snapshotId())
            .table(source.location());
    Dataset<Row> seen = source.stream().isPresent() ? events(source, rows) : rows;
    return new PinnedTable(seen, "snapshot " + snapshot.snapshotId());
  }

  /**
   * The columns that a stream source declares, and the places of its events. A column that is newer
   * than the table is null.
   */
  private static Dataset<Row> events(Source source, Dataset<Row> table) {
    List<String> stored = Arrays.asList(table.columns());
    List<Column> columns = new ArrayList<>();
    for (StructField field : source.columns().orElseThrow().fields()) {
      if (!stored.contains(field.name())) {
        columns.add(functions.lit(null).cast(field.dataType()).as(field.name()));
        continue;
      }
      DataType type = table.schema().apply(field.name()).dataType();
      if (!DataType.equalsIgnoreNullability(type, field.dataType())) {
        throw new SourceException(
            source,
            "source '%s': '%s' is %s in the event table %s and %s in the definition; ./tarn archive source=%s lets the table follow, where no value is lost"
                .formatted(
                    source.name(),
                    field.name(),
                    type.simpleString(),
                    source.location(),
                    field.dataType().simpleString(),
                    source.name()));
      }
      columns.add(functions.col("`" + field.name() + "`"));
    }
    return table.select(columns.toArray(new Column[0]));
  }

  private static PinnedTable files(SparkSession spark, Source source, boolean isChecked) {
    Configuration configuration = InputFiles.configuration(spark, source.options());
    InputFiles found =
        InputFiles.find(
            configuration,
            source.location(),
            source.format().name().toLowerCase(Locale.ROOT),
            true,
            source.options());
    if (found.files().isEmpty()) {
      throw new SourceException(
          source,
          "source '%s': there are no files at %s".formatted(source.name(), source.location()));
    }
    Dataset<Row> rows =
        source.format().isText()
            ? TextInput.ofSource(spark, source, found)
            : parquet(spark, source, found);
    if (isChecked && !source.format().isText()) {
      ParquetTypes.problem(spark, found.paths(), rows.schema(), source.schema().isPresent())
          .ifPresent(
              problem -> {
                throw new SourceException(
                    source, "source '%s': %s".formatted(source.name(), problem));
              });
    }
    if (isChecked && !source.format().isText() && !source.allowsMissingColumns()) {
      ParquetInput.requireColumns(
          spark,
          configuration,
          found,
          rows,
          " missing-columns = null in the source reads nulls there");
    }
    return new PinnedTable(rows, found.fingerprint());
  }

  private static Dataset<Row> parquet(SparkSession spark, Source source, InputFiles found) {
    Map<String, DataType> declared = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    source
        .schema()
        .ifPresent(
            schema -> {
              for (StructField field : schema.fields()) {
                declared.put(field.name(), field.dataType());
              }
            });
    return ParquetInput.open(
        spark, found, source.schema(), declared, source.allowsMissingColumns(), source.options());
  }

  /**
   * Refuses rows whose time is missing or no moment that others can read, or counts those that the
   * source leaves out. Text is checked while it is read.
   */
  private static Optional<String> checkTimes(Source source, Dataset<Row> rows) {
    // One that is wrong is reported with the view's other problems.
    Optional<String> time =
        source.timestamp().filter(text -> SourceMoment.problem(source, text, rows).isEmpty());
    if (time.isEmpty()
        || (source.format().isText()
            && SourceMoment.isColumn(time.get(), rows)
            && !source.skipsMissingTimes())) {
      return Optional.empty();
    }
    Column column = SourceMoment.of(time.get(), rows);
    if (SourceMoment.type(time.get(), rows).equals(DataTypes.TimestampType)) {
      Column isBeyond = column.lt(functions.lit(LEAST)).or(column.gt(functions.lit(GREATEST)));
      List<Row> beyond = where(rows, isBeyond).limit(1).collectAsList();
      if (!beyond.isEmpty()) {
        throw new SourceException(
            source,
            "source '%s': %s is outside the years 0001 to 9999 in the row %s; are its numbers of another unit?"
                .formatted(source.name(), time.get(), shown(beyond.get(0))));
      }
    }
    Dataset<Row> without = where(rows, column.isNull());
    if (source.skipsMissingTimes()) {
      long count = without.count();
      return count == 0
          ? Optional.empty()
          : Optional.of(
              "source '%s': %s without '%s' %s left out"
                  .formatted(
                      source.name(),
                      Plural.of(count, "row"),
                      time.get(),
                      Plural.choose(count, "is", "are")));
    }
    List<Row> example = without.limit(1).collectAsList();
    if (!example.isEmpty()) {
      throw new SourceException(
          source,
          "source '%s' has rows without '%s', so no build could ever tell whether it may see them, e.g. %s; leave them out, or say missing-times = skip in the source"
              .formatted(source.name(), time.get(), shown(example.get(0))));
    }
    return Optional.empty();
  }

  private static String shown(Row row) {
    String text = row.toString();
    return text.length() > 200 ? text.substring(0, 200) + "…" : text;
  }

  /**
   * These sources, one of them with only those rows for which a condition holds. What repeats an
   * event is told among these.
   */
  public SourceTables filtered(Source source, Column condition) {
    Map<Source, Dataset<Row>> some = new LinkedHashMap<>(tables);
    some.put(source, tables.get(source).filter(condition));
    return new SourceTables(some, fingerprint, List.of(), new HashMap<>());
  }

  /** All rows of a source, those that repeat others among them. */
  public Dataset<Row> rows(Source source) {
    return tables.get(source);
  }

  /** The columns of a source. */
  public StructType columns(Source source) {
    return tables.get(source).schema();
  }

  /**
   * The events of a source that happened between two moments, both included, without those that
   * repeat another one.
   *
   * @param from microseconds since 1970; Long.MIN_VALUE: from the first event on
   */
  public Dataset<Row> events(Source source, long from, long to) {
    Column moment = moment(source);
    Dataset<Row> all =
        source
            .eventId()
            .map(id -> RepeatedEvents.without(tables.get(source), id, moment))
            .orElseGet(() -> tables.get(source));
    Column isWithin = moment.leq(functions.lit(Values.instant(to)));
    if (from != Long.MIN_VALUE) {
      isWithin = isWithin.and(moment.geq(functions.lit(Values.instant(from))));
    }
    return where(all, isWithin);
  }

  /** The moment of each row as a timestamp. A day's is when it is over. */
  public Column moment(Source source) {
    Dataset<Row> table = tables.get(source);
    String timestamp = source.timestamp().orElseThrow();
    Column moment = SourceMoment.of(timestamp, table);
    boolean isDate = SourceMoment.type(timestamp, table).equals(DataTypes.DateType);
    return isDate
        ? functions.date_add(moment, 1).cast(DataTypes.TimestampType)
        : moment.cast(DataTypes.TimestampType);
  }

  /** What the user should know of the sources, a line each. */
  public List<String> notes() {
    return notes;
  }

  /** Those sources, by name, that have rows, and none from before the as-of. */
  public List<String> notBegun(Instant asOf) {
    List<String> names = new ArrayList<>();
    tables.forEach(
        (source, table) -> {
          boolean isKnown = begun.containsKey(source) && !begun.get(source).isAfter(asOf);
          if (source.timestamp().isEmpty() || isKnown) {
            return;
          }
          Column isBefore = isBefore(source.timestamp().get(), table, asOf);
          if (!where(table, isBefore).isEmpty()) {
            begun.put(source, asOf);
          } else if (!table.isEmpty()) {
            names.add(source.name());
          }
        });
    return names;
  }

  /**
   * Makes the sources known to SQL under their names, cut off at the as-of: a source with a
   * timestamp shows only the rows from before it, whatever the SQL asks for.
   */
  public void show(Instant asOf) {
    tables.forEach(
        (source, table) ->
            source
                .timestamp()
                .map(timestamp -> where(table, isBefore(timestamp, table, asOf)))
                .orElse(table)
                .createOrReplaceTempView(source.name()));
  }

  private static Dataset<Row> where(Dataset<Row> table, Column condition) {
    return DatedTexts.required(table.filter(condition));
  }

  private static Column isBefore(String timestamp, Dataset<Row> table, Instant asOf) {
    Column moment = functions.lit(asOf);
    // No row of a day that is not over at the as-of may be seen: it may have come later.
    boolean isDate = SourceMoment.type(timestamp, table).equals(DataTypes.DateType);
    return SourceMoment.of(timestamp, table).lt(isDate ? moment.cast(DataTypes.DateType) : moment);
  }

  /** Undoes {@link #show}, so that another view can't read what it does not declare. */
  public void hide() {
    tables.forEach((source, table) -> table.sparkSession().catalog().dropTempView(source.name()));
  }

  /** Adds the sources whose timestamp says of no row when it happened. */
  public void checkTimestamps(Problems problems) {
    tables.forEach(
        (source, table) ->
            source
                .timestamp()
                .flatMap(timestamp -> SourceMoment.problem(source, timestamp, table))
                .ifPresent(problem -> problems.add(source.position(), problem)));
  }

  /**
   * Says how the files of one source differ from what they were.
   *
   * @param before a {@link #fingerprint} of files
   * @param now another one
   */
  public static String difference(String before, String now) {
    Matcher was = FILES.matcher(before);
    Matcher are = FILES.matcher(now);
    if (!was.find() || !are.find()) {
      return "it was %s and is %s".formatted(before, now);
    }
    return was.group().equals(are.group())
        ? "the %s %s been written again or renamed since"
            .formatted(files(are), Plural.choose(Long.parseLong(are.group(1)), "has", "have"))
        : "it had %s, and now it has %s".formatted(files(was), files(are));
  }

  private static String files(Matcher found) {
    return "%s of %s"
        .formatted(
            Plural.of(Long.parseLong(found.group(1)), "file"),
            Plural.of(Long.parseLong(found.group(2)), "byte"));
  }

  /**
   * Describes the sources as they were pinned, in JSON: by name the snapshot id, or the number of
   * files, their bytes and a SHA-256 of their names, sizes and times.
   */
  public String fingerprint() {
    return fingerprint.toString();
  }
}
