package dev.tarn.etl.train;

import com.google.common.base.Throwables;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.InputFiles;
import dev.tarn.etl.input.ParquetInput;
import dev.tarn.etl.input.TextInput;
import dev.tarn.etl.lake.ParquetTypes;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingSpine;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The source of a spine, and its rows.
 *
 * @param snapshotId the snapshot of a table that is read; 0 for files
 * @param textTypes the columns that were read from text and their types, as in {@link
 *     dev.tarn.manifest.TrainingSpine}
 */
record SpineSource(String location, long snapshotId, String textTypes, Dataset<Row> rows) {

  private static final String IS_CSV = "(?is).*\\.csv(\\.[a-z0-9]+)?";

  /** The rows that a program gave. */
  static SpineSource given(Dataset<Row> rows, CommandLine line) {
    for (String argument : List.of("types", "options")) {
      if (line.has(argument)) {
        throw notOfText(argument, "the spine");
      }
    }
    return new SpineSource("", 0, "", rows);
  }

  /**
   * Opens a file, a folder or a table.
   *
   * @param location a path, or a table as SQL names it
   * @throws UsageException if it is not there, or its text is not as asked
   */
  static SpineSource open(
      SparkSession spark, String location, Entity entity, String timeColumn, SpineTypes asked) {
    return open(spark, location, entity, timeColumn, asked, 0);
  }

  /**
   * Opens the spine of a manifest, or the same rows at another place.
   *
   * @throws UsageException if it is not there
   */
  static SpineSource openAgain(
      SparkSession spark, Optional<String> moved, Entity entity, TrainingManifest manifest) {
    TrainingSpine stored = manifest.getSpine();
    return open(
        spark,
        moved.orElse(stored.getLocation()),
        entity,
        stored.getTimeColumn(),
        SpineTypes.of(manifest),
        moved.isPresent() ? 0 : stored.getSnapshotId());
  }

  private static SpineSource open(
      SparkSession spark,
      String location,
      Entity entity,
      String timeColumn,
      SpineTypes text,
      long snapshotId) {
    String label = "spine=" + location;
    if (Output.isTable(location)) {
      refuseOfText(text, label);
      return table(spark, location, snapshotId);
    }
    InputFiles files;
    try {
      files =
          InputFiles.find(
              InputFiles.configuration(spark, text.options()),
              location,
              "(csv|parquet)",
              false,
              Map.of());
    } catch (InputException e) {
      throw new UsageException("%s: %s".formatted(label, e.getMessage()), e);
    }
    if (files.files().isEmpty()) {
      throw new UsageException("%s: there are no files".formatted(label));
    }
    boolean isCsv =
        files.files().stream().allMatch(file -> new Path(file.path()).getName().matches(IS_CSV));
    try {
      if (isCsv && text.areGuessed()) {
        return new SpineSource(
            location, 0, "", GuessedCsv.open(spark, location, entity, timeColumn));
      }
      return isCsv
          ? csv(spark, files, location, entity, timeColumn, text)
          : parquet(spark, files, location, entity, timeColumn, text);
    } catch (UsageException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare AnalysisException
      throw unreadable(location, e);
    }
  }

  private static SpineSource csv(
      SparkSession spark,
      InputFiles files,
      String location,
      Entity entity,
      String timeColumn,
      SpineTypes text) {
    Dataset<Row> rows =
        TextInput.ofSpine(
            spark,
            "spine=" + location,
            files,
            withKeys(text, entity, timeColumn),
            timeColumn,
            text.options());
    requireColumns(location, text, List.of(rows.columns()));
    return new SpineSource(location, 0, rows.schema().toDDL(), rows);
  }

  private static SpineSource parquet(
      SparkSession spark,
      InputFiles files,
      String location,
      Entity entity,
      String timeColumn,
      SpineTypes text) {
    List<String> folders = files.partitionColumns();
    if (text.areGuessed() && !folders.isEmpty()) {
      return new SpineSource(location, 0, "", ParquetInput.reader(spark).parquet(location));
    }
    if (!text.options().isEmpty()) {
      throw notOfText("options", "spine=" + location);
    }
    requireColumns(location, text, folders);
    Map<String, DataType> types = withKeys(text, entity, timeColumn);
    Dataset<Row> first = ParquetInput.open(spark, files, Optional.empty(), types, false, Map.of());
    // Before files are put together, which fails where their types differ.
    ParquetTypes.problem(spark, files.paths(), first.schema(), false)
        .ifPresent(
            problem -> {
              throw new UsageException("spine=%s: %s".formatted(location, problem));
            });
    Dataset<Row> rows =
        files.files().size() == 1
            ? first
            : ParquetInput.open(spark, files, Optional.empty(), types, true, Map.of());
    ParquetInput.requireColumns(spark, InputFiles.configuration(spark, Map.of()), files, rows, "");
    StructType ofFolders = new StructType();
    for (String folder : folders) {
      ofFolders = ofFolders.add(rows.schema().apply(folder));
    }
    return new SpineSource(location, 0, ofFolders.toDDL(), rows);
  }

  /** Types of text: keys have the entity's, the time is a timestamp. */
  private static Map<String, DataType> withKeys(SpineTypes text, Entity entity, String timeColumn) {
    Map<String, DataType> types = new TreeMap<>();
    entity.keys().forEach(key -> types.put(key.name(), key.type()));
    types.put(timeColumn, DataTypes.TimestampType);
    types.putAll(text.types());
    return types;
  }

  private static void requireColumns(String location, SpineTypes text, List<String> columns) {
    for (String name : text.types().keySet()) {
      if (!text.areGuessed() && !columns.contains(name)) {
        throw new UsageException(
            "spine=%s has no column of text '%s' to give a type%s"
                .formatted(location, name, Suggestion.forName(name, columns)));
      }
    }
  }

  private static void refuseOfText(SpineTypes text, String label) {
    if (!text.areGuessed() && !(text.types().isEmpty() && text.options().isEmpty())) {
      throw notOfText(text.types().isEmpty() ? "options" : "types", label);
    }
  }

  private static UsageException notOfText(String argument, String label) {
    return new UsageException(
        "%s= is for a spine of text, and %s brings its own types: leave it out"
            .formatted(argument, label));
  }

  /** The same source with other rows. */
  SpineSource with(Dataset<Row> others) {
    return new SpineSource(location, snapshotId, textTypes, others);
  }

  /** The failure of a spine whose rows can't be read. */
  static TarnException unreadable(String location, Throwable e) {
    for (Throwable cause : Throwables.getCausalChain(e)) {
      if (cause instanceof InputException) {
        String message = cause.getMessage();
        String label = "spine=" + location;
        return new UsageException(message.startsWith(label) ? message : label + ": " + message, e);
      }
    }
    String reason = ParquetTypes.reason(e);
    String remedy =
        reason.contains("df.to_parquet")
            ? ""
            : "; a spine is Parquet, CSV (named *.csv) or an Iceberg table";
    return new TarnException("spine=%s can't be read: %s%s".formatted(location, reason, remedy), e);
  }

  private static SpineSource table(SparkSession spark, String name, long snapshotId) {
    Table table;
    try {
      table = Spark3Util.loadIcebergTable(spark, name);
    } catch (Exception e) { // Scala does not declare what it throws
      throw new UsageException(
          "spine=%s: there is no such Iceberg table, nor such a file or folder (%s)"
              .formatted(name, Causes.reason(e)),
          e);
    }
    Snapshot snapshot = snapshotId == 0 ? table.currentSnapshot() : table.snapshot(snapshotId);
    if (snapshot == null) {
      throw new TarnException(
          snapshotId == 0
              ? "spine=%s: the table is empty".formatted(name)
              : "spine=%s: its snapshot %d has expired, so the set can't be made again from it; with spine=… the same rows can come from elsewhere"
                  .formatted(name, snapshotId));
    }
    return new SpineSource(
        name,
        snapshot.snapshotId(),
        "",
        spark.sql("SELECT * FROM %s VERSION AS OF %d".formatted(name, snapshot.snapshotId())));
  }
}
