package dev.tarn.etl.source;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.gson.JsonObject;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.Source.Format;
import dev.tarn.etl.lake.ParquetTypes;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.PartitioningAwareFileIndex;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * The sources of one view as its SQL sees them. They are pinned when they are opened, an Iceberg
 * table to its snapshot and files to their listing, so that all as-ofs of one run see the same data
 * and each snapshot can say what it was computed from.
 */
public final class SourceTables {

  private final Map<Source, Dataset<Row>> tables;
  private final String fingerprint;

  private SourceTables(Map<Source, Dataset<Row>> tables, String fingerprint) {
    this.tables = tables;
    this.fingerprint = fingerprint;
  }

  /**
   * Opens and pins the sources.
   *
   * @throws SourceException if one is missing or can't be read, by its name and definition
   */
  public static SourceTables open(SparkSession spark, List<Source> sources) {
    Map<Source, Dataset<Row>> tables = new LinkedHashMap<>();
    JsonObject fingerprint = new JsonObject();
    for (Source source : sources) {
      try {
        if (source.format() == Format.ICEBERG) {
          Table table = Spark3Util.loadIcebergTable(spark, source.location());
          Snapshot snapshot = table.currentSnapshot();
          if (snapshot == null) {
            throw new SourceException(
                source,
                "source '%s': table %s has no snapshot yet"
                    .formatted(source.name(), source.location()));
          }
          fingerprint.addProperty(source.name(), "snapshot " + snapshot.snapshotId());
          tables.put(
              source,
              spark
                  .read()
                  .options(source.options())
                  .option("snapshot-id", snapshot.snapshotId())
                  .table(source.location()));
        } else {
          Dataset<Row> files = files(spark, source);
          List<FileStatus> listed = listed(files);
          if (listed.isEmpty()) {
            throw new SourceException(
                source,
                "source '%s': there are no files at %s"
                    .formatted(source.name(), source.location()));
          }
          if (source.format() == Format.PARQUET) {
            refuseOtherTypes(spark, source, files, listed);
          }
          fingerprint.addProperty(source.name(), fingerprint(listed));
          tables.put(source, files);
        }
      } catch (SourceException e) {
        throw e;
      } catch (Exception e) { // Scala does not declare AnalysisException
        throw new SourceException(
            source,
            "source '%s' can't be read at %s: %s"
                .formatted(source.name(), source.location(), ParquetTypes.reason(e)),
            e);
      }
    }
    return new SourceTables(tables, fingerprint.toString());
  }

  /**
   * Declares the sources with their schemas and no rows, for checking a view's SQL. Only a Parquet
   * source without a declared schema and an Iceberg table are looked at.
   */
  public static SourceTables declare(SparkSession spark, List<Source> sources) {
    Map<Source, Dataset<Row>> tables = new LinkedHashMap<>();
    for (Source source : sources) {
      Dataset<Row> table =
          source.schema().isPresent()
              ? spark.createDataFrame(List.of(), source.schema().get())
              : open(spark, List.of(source)).tables.get(source);
      tables.put(source, table);
    }
    return new SourceTables(tables, "{}");
  }

  /**
   * Makes the sources known to SQL under their names, cut off at the as-of: a source with a
   * timestamp column shows only the rows from before it, whatever the SQL asks for.
   */
  public void show(Instant asOf) {
    tables.forEach(
        (source, table) ->
            source
                .timestamp()
                .map(column -> table.filter(isBefore(table.schema().apply(column), asOf)))
                .orElse(table)
                .createOrReplaceTempView(source.name()));
  }

  private static Column isBefore(StructField timestamp, Instant asOf) {
    Column moment = functions.lit(asOf);
    // No row of a day that is not over at the as-of may be seen: it may have come later.
    boolean isDate = timestamp.dataType().equals(DataTypes.DateType);
    return functions
        .col("`" + timestamp.name() + "`")
        .lt(isDate ? moment.cast(DataTypes.DateType) : moment);
  }

  /** Undoes {@link #show}, so that another view can't read what it does not declare. */
  public void hide() {
    tables.forEach((source, table) -> table.sparkSession().catalog().dropTempView(source.name()));
  }

  /** The schema of each source, by its name. */
  public Map<Source, StructType> schemas() {
    Map<Source, StructType> schemas = new LinkedHashMap<>();
    tables.forEach((source, table) -> schemas.put(source, table.schema()));
    return schemas;
  }

  /**
   * Describes the sources as they were pinned, in JSON: by name the snapshot id, or the number of
   * files, their bytes and a SHA-256 of their names, sizes and times.
   */
  public String fingerprint() {
    return fingerprint;
  }

  private static void refuseOtherTypes(
      SparkSession spark, Source source, Dataset<Row> files, List<FileStatus> listed) {
    List<String> paths = listed.stream().map(file -> file.getPath().toString()).toList();
    ParquetTypes.problem(spark, paths, files.schema(), source.schema().isPresent())
        .ifPresent(
            problem -> {
              throw new SourceException(
                  source, "source '%s': %s".formatted(source.name(), problem));
            });
  }

  private static Dataset<Row> files(SparkSession spark, Source source) {
    DataFrameReader reader = spark.read();
    if (source.format() == Format.CSV) {
      // Read by the header's names and stop at what does not fit, where Spark would make it null.
      reader = reader.option("header", "true").option("enforceSchema", "false");
    }
    reader = reader.option("mode", "FAILFAST").options(source.options());
    if (source.schema().isPresent()) {
      reader = reader.schema(source.schema().get());
    }
    return reader.format(source.format().name().toLowerCase(Locale.ROOT)).load(source.location());
  }

  private static List<FileStatus> listed(Dataset<Row> files) {
    List<FileStatus> listed = new ArrayList<>();
    for (LogicalPlan leaf :
        JavaConverters.seqAsJavaList(files.queryExecution().analyzed().collectLeaves())) {
      if (leaf instanceof LogicalRelation relation
          && relation.relation() instanceof HadoopFsRelation folder
          && folder.location() instanceof PartitioningAwareFileIndex index) {
        listed.addAll(JavaConverters.seqAsJavaList(index.allFiles()));
      }
    }
    return listed;
  }

  private static String fingerprint(List<FileStatus> listed) {
    FileStatus[] sorted = listed.toArray(new FileStatus[0]);
    Arrays.sort(sorted, Comparator.comparing(file -> file.getPath().toString()));
    long bytes = 0;
    Hasher hash = Hashing.sha256().newHasher();
    for (FileStatus file : sorted) {
      bytes += file.getLen();
      hash.putString(file.getPath().toString(), StandardCharsets.UTF_8)
          .putLong(file.getLen())
          .putLong(file.getModificationTime());
    }
    return "files %d bytes %d sha256 %s".formatted(sorted.length, bytes, hash.hash());
  }
}
