package dev.tarn.etl.input;

import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.Type;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Tuple2;

/** Looks for columns that Parquet files lack. Spark would read nulls there without a word. */
final class ParquetColumns {

  private static final int FILES_A_TASK = 32;

  /** A column that a file lacks. */
  record MissingColumn(String file, String column) {}

  private ParquetColumns() {}

  /** A column of the schema that one of the files lacks; empty: all have all. */
  static Optional<MissingColumn> missing(
      SparkSession spark, Configuration configuration, List<String> files, StructType schema) {
    SerializableConfiguration shared = new SerializableConfiguration(configuration);
    int tasks = Math.max(1, (files.size() + FILES_A_TASK - 1) / FILES_A_TASK);
    // By column, so that few come back however many files lack it.
    Map<String, String> byColumn =
        JavaSparkContext.fromSparkContext(spark.sparkContext())
            .parallelize(files, tasks)
            .mapToPair(file -> new Tuple2<>(lacking(file, shared.value(), schema), file))
            .filter(missing -> !missing._1().isEmpty())
            .reduceByKey((one, other) -> one.compareTo(other) < 0 ? one : other)
            .collectAsMap();
    return byColumn.entrySet().stream()
        .map(entry -> new MissingColumn(entry.getValue(), entry.getKey()))
        .min(Comparator.comparing(MissingColumn::file).thenComparing(MissingColumn::column));
  }

  /** The first column that a file lacks, or an empty text. */
  private static String lacking(String file, Configuration configuration, StructType schema)
      throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(new Path(file), configuration))) {
      return lacks(schema, reader.getFileMetaData().getSchema(), "").orElse("");
    }
  }

  private static Optional<String> lacks(StructType wanted, GroupType given, String prefix) {
    for (StructField field : wanted.fields()) {
      // As Spark does, without telling 'a' from 'A'.
      Optional<Type> found =
          given.getFields().stream()
              .filter(type -> type.getName().equalsIgnoreCase(field.name()))
              .findFirst();
      Optional<String> lacking =
          found.isEmpty()
              ? Optional.of(prefix + field.name())
              : lacks(field.dataType(), found.get(), prefix + field.name());
      if (lacking.isPresent()) {
        return lacking;
      }
    }
    return Optional.empty();
  }

  private static Optional<String> lacks(DataType wanted, Type given, String name) {
    if (given.isPrimitive()) {
      return Optional.empty();
    }
    GroupType group = given.asGroupType();
    if (wanted instanceof StructType struct) {
      return lacks(struct, group, name + ".");
    }
    if (wanted instanceof MapType map && isMap(group)) {
      return lacks(map.valueType(), group.getType(0).asGroupType().getType(1), name + "{}");
    }
    return wanted instanceof ArrayType array && isList(group)
        ? lacks(array.elementType(), group.getType(0).asGroupType().getType(0), name + "[]")
        : Optional.empty();
  }

  private static boolean isMap(GroupType group) {
    return group.getFieldCount() == 1
        && !group.getType(0).isPrimitive()
        && group.getType(0).asGroupType().getFieldCount() == 2;
  }

  /** Whether it is a list in the form that Parquet asks for; older forms are passed over. */
  private static boolean isList(GroupType group) {
    return group.getLogicalTypeAnnotation()
            instanceof LogicalTypeAnnotation.ListLogicalTypeAnnotation
        && group.getFieldCount() == 1
        && !group.getType(0).isPrimitive()
        && group.getType(0).asGroupType().getFieldCount() == 1;
  }
}
