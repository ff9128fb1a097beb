package dev.tarn.etl.train;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.lake.ParquetTypes;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The source of a spine, and its rows.
 *
 * @param snapshotId the snapshot of a table that is read; 0 for files
 */
record SpineSource(String location, long snapshotId, Dataset<Row> rows) {

  /** A time that says in which zone it is. */
  private static final String FULL =
      "^\\s*\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?([zZ]|[+-]\\d{2}:\\d{2})\\s*$";

  /**
   * Opens a file, a folder or a table.
   *
   * @param location a path, or a table as SQL names it
   * @param snapshotId the snapshot of a table; 0: the newest
   * @throws UsageException if it is not there
   */
  static SpineSource open(
      SparkSession spark, String location, Entity entity, String timeColumn, long snapshotId) {
    if (Output.isTable(location)) {
      return table(spark, location, snapshotId);
    }
    Path path = new Path(location);
    try {
      if (!path.getFileSystem(spark.sessionState().newHadoopConf()).exists(path)) {
        throw new UsageException("spine=%s: there is no such file or folder".formatted(location));
      }
      boolean isText = location.toLowerCase(Locale.ROOT).matches(".*\\.csv(\\.gz)?/?");
      return new SpineSource(
          location,
          0,
          isText ? csv(spark, location, entity, timeColumn) : parquet(spark, location));
    } catch (UsageException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare AnalysisException
      throw unreadable(location, e);
    }
  }

  /** The failure of a spine whose rows can't be read. */
  static TarnException unreadable(String location, Throwable e) {
    String reason = ParquetTypes.reason(e);
    String remedy =
        reason.contains("df.to_parquet")
            ? ""
            : "; a spine is Parquet, CSV (named *.csv) or an Iceberg table";
    return new TarnException("spine=%s can't be read: %s%s".formatted(location, reason, remedy), e);
  }

  private static Dataset<Row> parquet(SparkSession spark, String location) {
    Dataset<Row> rows = spark.read().parquet(location);
    List<String> files =
        Stream.of(rows.inputFiles()).map(file -> new Path(URI.create(file)).toString()).toList();
    ParquetTypes.problem(spark, files, rows.schema(), false)
        .ifPresent(
            problem -> {
              throw new UsageException("spine=%s: %s".formatted(location, problem));
            });
    return rows;
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
        spark.sql("SELECT * FROM %s VERSION AS OF %d".formatted(name, snapshot.snapshotId())));
  }

  /**
   * Reads CSV. Types are inferred, except for the keys, which have the entity's types, and the
   * time.
   */
  private static Dataset<Row> csv(
      SparkSession spark, String location, Entity entity, String timeColumn) {
    Map<String, String> options = new TreeMap<>(Map.of("header", "true", "mode", "FAILFAST"));
    StructType found =
        spark.read().options(options).option("inferSchema", "true").csv(location).schema();
    StructType schema = new StructType();
    for (var field : found.fields()) {
      var type = field.dataType();
      for (Entity.KeyColumn key : entity.keys()) {
        type = key.name().equals(field.name()) ? key.type() : type;
      }
      schema =
          schema.add(field.name(), field.name().equals(timeColumn) ? DataTypes.StringType : type);
    }
    Dataset<Row> rows = spark.read().options(options).schema(schema).csv(location);
    if (!List.of(schema.fieldNames()).contains(timeColumn)) {
      return rows;
    }
    Column text = Columns.named(timeColumn);
    // A plain cast would give null, or throw where the session says so.
    Column time = functions.to_timestamp(functions.when(text.rlike(FULL), functions.trim(text)));
    Dataset<Row> unclear = rows.filter(text.isNotNull().and(functions.not(text.rlike(FULL))));
    List<Row> first = unclear.select(text).takeAsList(1);
    if (!first.isEmpty()) {
      throw new UsageException(
          "spine=%s: '%s' has the text '%s', which is no moment with a zone; write 2026-11-20T06:00:00Z"
              .formatted(location, timeColumn, first.get(0).getString(0)));
    }
    return rows.withColumn(timeColumn, time);
  }
}
