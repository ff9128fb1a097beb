package dev.tarn.etl.input;

import dev.tarn.etl.input.InputFile.PartitionFolder;
import dev.tarn.etl.lake.ParquetTypes;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.PartitioningAwareFileIndex;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * Reads sources and spines of Parquet by Spark's reader, without its guesses at paths and folders.
 */
public final class ParquetInput {

  /** Spark's own option, which it does not document: whether paths are patterns. */
  private static final String ARE_PATTERNS = "__globPaths__";

  private ParquetInput() {}

  /**
   * The rows of files. What partition folders give is text, unless it has a type.
   *
   * @param schema of the files; empty: their own
   * @param types of columns, by name, for those of partition folders
   * @param merges whether columns that only some files have count, where there is no schema
   * @throws InputException if a file can't be read by its name, or a folder's value is none of its
   *     type
   */
  public static Dataset<Row> open(
      SparkSession spark,
      InputFiles files,
      Optional<StructType> schema,
      Map<String, DataType> types,
      boolean merges,
      Map<String, String> options) {
    checkFiles(files);
    checkFolders(files, types);
    String[] roots = files.roots().toArray(new String[0]);
    StructType known =
        schema.orElseGet(
            () ->
                ownSchema(
                    spark, files, reader(spark).options(options).option("mergeSchema", merges)));
    StructType typed = new StructType();
    Set<String> folders = new HashSet<>();
    for (StructField field : known.fields()) {
      Optional<String> folder =
          files.partitionColumns().stream().filter(field.name()::equalsIgnoreCase).findFirst();
      folder.ifPresent(folders::add);
      typed =
          folder.isEmpty()
              ? typed.add(field)
              : typed.add(field.name(), types.getOrDefault(field.name(), DataTypes.StringType));
    }
    for (String folder : files.partitionColumns()) {
      if (!folders.contains(folder)) {
        typed = typed.add(folder, DataTypes.StringType);
      }
    }
    Dataset<Row> rows =
        reader(spark)
            .format(CheckedParquet.class.getName())
            .options(options)
            .schema(typed)
            .load(roots);
    requireAll(files, rows);
    return rows;
  }

  private static StructType ownSchema(
      SparkSession spark, InputFiles files, DataFrameReader reader) {
    try {
      return reader.parquet(files.roots().toArray(new String[0])).schema();
    } catch (Exception e) { // Scala does not declare AnalysisException
      // Spark says which type it can't read, and not where that is.
      Optional<String> column = ParquetTypes.unreadable(spark, files.paths());
      if (column.isPresent()) {
        throw new InputException(column.get(), e);
      }
      throw e;
    }
  }

  /**
   * Refuses files that lack a column, where Spark would read nulls without a word.
   *
   * @param rows of the files, with all columns that each must have
   * @param remedy what else to do, for the message
   * @throws InputException naming file and column
   */
  public static void requireColumns(
      SparkSession spark,
      Configuration configuration,
      InputFiles files,
      Dataset<Row> rows,
      String remedy) {
    StructType ofFiles =
        new StructType(
            Arrays.stream(rows.schema().fields())
                .filter(
                    field ->
                        files.partitionColumns().stream().noneMatch(field.name()::equalsIgnoreCase))
                .toArray(StructField[]::new));
    ParquetColumns.missing(spark, configuration, files.paths(), ofFiles)
        .ifPresent(
            missing -> {
              throw new InputException(
                  "%s has no column '%s'; has it another name there?%s"
                      .formatted(missing.file(), missing.column(), remedy));
            });
  }

  /** Spark's reader, taking paths by their very names. */
  public static DataFrameReader reader(SparkSession spark) {
    return spark.read().option(ARE_PATTERNS, "false");
  }

  private static void checkFiles(InputFiles files) {
    for (InputFile file : files.files()) {
      Path path = new Path(file.path());
      if (path.getName().contains(":")) {
        throw new InputException(
            "%s has a ':' in its name, which Parquet's reader does not take: give it another name"
                .formatted(file.path()));
      }
      if (file.length() == 0) {
        throw new InputException(
            "%s has no byte, so it is no Parquet file: was its writer stopped? write it anew, or take it away"
                .formatted(file.path()));
      }
      if (path.getName().startsWith("_") || path.getName().startsWith(".")) {
        throw new InputException(
            "%s: Parquet's reader passes over names that begin with _ or a point: give it another name"
                .formatted(file.path()));
      }
    }
  }

  private static void checkFolders(InputFiles files, Map<String, DataType> types) {
    Set<PartitionFolder> checked = new HashSet<>();
    for (InputFile file : files.files()) {
      for (PartitionFolder folder : file.partitions()) {
        DataType type = types.getOrDefault(folder.name(), DataTypes.StringType);
        if (!folder.isNull() && checked.add(folder)) {
          try {
            TextColumn.of(folder.name(), type, TextFormats.iso()).value(folder.value());
          } catch (InputException e) {
            throw new InputException(
                "the folder of %s: %s".formatted(file.path(), e.getMessage()), e);
          }
        }
      }
    }
  }

  /** Refuses to leave out files: Spark lists the folders once more, by its own rules. */
  private static void requireAll(InputFiles files, Dataset<Row> rows) {
    Set<String> listed = new HashSet<>();
    for (LogicalPlan leaf :
        JavaConverters.seqAsJavaList(rows.queryExecution().analyzed().collectLeaves())) {
      if (leaf instanceof LogicalRelation relation
          && relation.relation() instanceof HadoopFsRelation folder
          && folder.location() instanceof PartitioningAwareFileIndex index) {
        JavaConverters.seqAsJavaList(index.allFiles())
            .forEach(file -> listed.add(file.getPath().toString()));
      }
    }
    List<String> leftOut =
        files.files().stream().map(InputFile::path).filter(path -> !listed.contains(path)).toList();
    if (!leftOut.isEmpty() || listed.size() != files.files().size()) {
      throw new InputException(
          leftOut.isEmpty()
              ? "the files changed while they were listed: try again"
              : "%s would not be read by Spark: give it another name".formatted(leftOut.get(0)));
    }
  }
}
