package dev.tarn.etl.train;

import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.input.ParquetInput;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Reads CSV as older versions of Tarn did, which guessed the types of a spine's columns, so that
 * the manifests from then make the same sets. The spine's fingerprint tells whether they do.
 */
final class GuessedCsv {

  /** A time that says in which zone it is. */
  private static final String FULL =
      "^\\s*\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?([zZ]|[+-]\\d{2}:\\d{2})\\s*$";

  private GuessedCsv() {}

  /**
   * Reads CSV. Types are guessed, except for the keys, which have the entity's types, and the time.
   */
  static Dataset<Row> open(SparkSession spark, String location, Entity entity, String timeColumn) {
    Map<String, String> options = new TreeMap<>(Map.of("header", "true", "mode", "FAILFAST"));
    StructType found =
        ParquetInput.reader(spark)
            .options(options)
            .option("inferSchema", "true")
            .csv(location)
            .schema();
    StructType schema = new StructType();
    for (var field : found.fields()) {
      var type = field.dataType();
      for (Entity.KeyColumn key : entity.keys()) {
        type = key.name().equals(field.name()) ? key.type() : type;
      }
      schema =
          schema.add(field.name(), field.name().equals(timeColumn) ? DataTypes.StringType : type);
    }
    Dataset<Row> rows = ParquetInput.reader(spark).options(options).schema(schema).csv(location);
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
