package dev.tarn.etl.lake;

import dev.tarn.etl.console.Causes;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.format.converter.ParquetMetadataConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeUnit;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Compares the columns of Parquet files with the types that they are read as. Spark reads some
 * others without a word and wrongly (a decimal as a bigint without its point, an int as a smallint
 * without its upper bytes), and stops at the rest with words of its own.
 */
public final class ParquetTypes {

  /** Number of files from which on tasks read their footers. */
  private static final int MANY = 8;

  /** The largest number of tasks for that. */
  private static final int MOST_TASKS = 64;

  private static final String NANOS =
      "; write times in microseconds: df.to_parquet(…, coerce_timestamps=\"us\", allow_truncated_timestamps=True)";

  private static final Pattern CONVERTED =
      Pattern.compile(
          "Parquet column cannot be converted in file (\\S+?)\\. Column: \\[(.*?)], Expected: (.*?), Found: (\\w+)");

  private ParquetTypes() {}

  /**
   * Finds a column that has another type in one of the files.
   *
   * @param paths of the files
   * @param schema what the files are read as
   * @param isDeclared whether somebody has written the schema; else it is that of one of the files
   * @return e.g. {@code column 'x' of FILE is INT32, the schema says BIGINT; …}
   */
  public static Optional<String> problem(
      SparkSession spark, List<String> paths, StructType schema, boolean isDeclared) {
    return !isDeclared && paths.size() == 1
        ? Optional.empty()
        : first(spark, paths, (path, file) -> problem(path, file, schema, isDeclared));
  }

  /**
   * Finds a column that Spark has no type for.
   *
   * @param paths of the files
   * @return e.g. {@code column 'x' of FILE is INT64 (TIMESTAMP(NANOS,true)), …}
   */
  public static Optional<String> unreadable(SparkSession spark, List<String> paths) {
    return first(spark, paths, ParquetTypes::unreadable);
  }

  /** Finds what is wrong with the schema of one file. */
  private interface SchemaCheck extends Serializable {
    Optional<String> problem(String path, MessageType file);
  }

  private static Optional<String> first(SparkSession spark, List<String> paths, SchemaCheck check) {
    Configuration hadoop = spark.sessionState().newHadoopConf();
    if (paths.size() <= MANY) {
      return paths.stream()
          .map(path -> problem(path, hadoop, check))
          .filter(problem -> !problem.isEmpty())
          .findFirst();
    }
    SerializableConfiguration configuration = new SerializableConfiguration(hadoop);
    return JavaSparkContext.fromSparkContext(spark.sparkContext())
        .parallelize(paths, Math.min(MOST_TASKS, paths.size()))
        .map(path -> problem(path, configuration.value(), check))
        .filter(problem -> !problem.isEmpty())
        .take(1)
        .stream()
        .findFirst();
  }

  /** Says why Parquet files can't be read, as {@link Causes#reason} does, and what to do. */
  public static String reason(Throwable failure) {
    String reason = Causes.reason(failure);
    Matcher converted = CONVERTED.matcher(reason);
    if (converted.find()) {
      return "column '%s' of %s is %s, and it is read as %s"
          .formatted(
              converted.group(2),
              converted.group(1),
              converted.group(4),
              converted.group(3).toUpperCase(Locale.ROOT));
    }
    return reason.contains("TIMESTAMP(NANOS") && !reason.contains(NANOS) ? reason + NANOS : reason;
  }

  private static String problem(String path, Configuration hadoop, SchemaCheck check) {
    MessageType file;
    try {
      ParquetReadOptions options =
          ParquetReadOptions.builder()
              .withMetadataFilter(ParquetMetadataConverter.SKIP_ROW_GROUPS)
              .build();
      HadoopInputFile input = HadoopInputFile.fromPath(new Path(path), hadoop);
      try (ParquetFileReader reader = ParquetFileReader.open(input, options)) {
        file = reader.getFileMetaData().getSchema();
      }
    } catch (NullPointerException e) { // its way to say that it does not know a logical type
      return "%s has a column of a type that Spark does not know, such as FLOAT16; write the file anew with another type"
          .formatted(path);
    } catch (IOException | RuntimeException e) { // what is no Parquet is a RuntimeException
      // Whoever reads its rows is told so.
      return "";
    }
    return check.problem(path, file).orElse("");
  }

  static Optional<String> unreadable(String path, MessageType file) {
    return doubled("", path, file)
        .or(
            () ->
                file.getFields().stream()
                    .flatMap(column -> unreadable(column.getName(), path, column).stream())
                    .findFirst());
  }

  /** Two columns, or fields of one, whose names SQL can't tell apart. */
  private static Optional<String> doubled(String prefix, String path, GroupType group) {
    Map<String, String> seen = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    for (Type column : group.getFields()) {
      String other = seen.put(column.getName(), column.getName());
      if (other != null) {
        return Optional.of(
            "%s has the columns '%s%s' and '%s%s', which SQL can't tell apart: rename one of them"
                .formatted(path, prefix, other, prefix, column.getName()));
      }
      Optional<String> inner =
          column.isPrimitive()
              ? Optional.empty()
              : doubled(prefix + column.getName() + ".", path, column.asGroupType());
      if (inner.isPresent()) {
        return inner;
      }
    }
    return Optional.empty();
  }

  private static Optional<String> unreadable(String name, String path, Type column) {
    if (spark(column).isPresent()) {
      return Optional.empty();
    }
    if (!column.isPrimitive()) {
      return column.asGroupType().getFields().stream()
          .flatMap(inner -> unreadable(name + "." + inner.getName(), path, inner).stream())
          .findFirst();
    }
    return Optional.of(
        "column '%s' of %s is %s, which Spark has no type for%s"
            .formatted(
                name,
                path,
                name(column, Optional.empty()),
                isNanos(column) ? NANOS : "; write the file anew with another type"));
  }

  /** The same as {@link #problem} for the schema of one file. */
  static Optional<String> problem(
      String path, MessageType file, StructType schema, boolean isDeclared) {
    GroupType read =
        file.getFields().stream()
            .filter(
                column ->
                    Stream.of(schema.fieldNames()).anyMatch(column.getName()::equalsIgnoreCase))
            .collect(
                Collectors.collectingAndThen(
                    Collectors.toList(), columns -> new MessageType(file.getName(), columns)));
    Optional<String> doubled = doubled("", path, read);
    if (doubled.isPresent()) {
      return doubled;
    }
    for (StructField field : schema.fields()) {
      for (Type column : file.getFields()) {
        if (!column.getName().equalsIgnoreCase(field.name())) {
          continue;
        }
        Optional<DataType> there = spark(column);
        if (there.isEmpty() || !isReadAs(there.get(), field.dataType())) {
          String remedy;
          if (isNanos(column)) {
            remedy = NANOS;
          } else if (isDeclared && there.isPresent()) {
            remedy =
                "; write %s %s in the schema and CAST it in the SQL, or write the file anew"
                    .formatted(field.name(), there.get().sql());
          } else {
            remedy = "; write the file anew with the type of the others";
          }
          return Optional.of(
              "column '%s' of %s is %s, %s says %s%s"
                  .formatted(
                      column.getName(),
                      path,
                      name(column, there),
                      isDeclared ? "the schema" : "another file",
                      field.dataType().sql(),
                      remedy));
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<DataType> spark(Type column) {
    try {
      return Optional.of(
          converter().convert(new MessageType("file", List.of(column))).fields()[0].dataType());
    } catch (Exception e) { // Scala does not declare AnalysisException: Spark has no such type
      return Optional.empty();
    }
  }

  private static ParquetToSparkSchemaConverter converter() {
    // Bytes are bytes, INT96 is a timestamp, names of any case, plain times, no nanoseconds.
    return new ParquetToSparkSchemaConverter(false, true, false, true, false);
  }

  /** Whether Spark reads a column of the one type as the other, value by value the same. */
  private static boolean isReadAs(DataType there, DataType wanted) {
    if (there instanceof StructType of && wanted instanceof StructType as) {
      for (StructField field : as.fields()) {
        for (StructField inner : of.fields()) {
          if (inner.name().equalsIgnoreCase(field.name())
              && !isReadAs(inner.dataType(), field.dataType())) {
            return false;
          }
        }
      }
      return true;
    }
    if (there instanceof ArrayType of && wanted instanceof ArrayType as) {
      return isReadAs(of.elementType(), as.elementType());
    }
    if (there instanceof MapType of && wanted instanceof MapType as) {
      return isReadAs(of.keyType(), as.keyType()) && isReadAs(of.valueType(), as.valueType());
    }
    if (there instanceof DecimalType of && wanted instanceof DecimalType as) {
      return of.scale() == as.scale()
          && (of.precision() == as.precision()
              || (of.precision() < as.precision() && size(of) == size(as)));
    }
    List<DataType> ints = List.of(DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType);
    boolean isWiderInt = ints.contains(there) && ints.indexOf(there) <= ints.indexOf(wanted);
    // Times without a zone count as UTC, as all plain times do.
    boolean isPlainTime =
        there.equals(DataTypes.TimestampNTZType) && wanted.equals(DataTypes.TimestampType);
    // Older writers don't say that bytes are text.
    boolean isText =
        (there.equals(DataTypes.BinaryType) && wanted.equals(DataTypes.StringType))
            || (there.equals(DataTypes.StringType) && wanted.equals(DataTypes.BinaryType));
    return DataType.equalsIgnoreNullability(there, wanted) || isWiderInt || isPlainTime || isText;
  }

  /** How many bytes Parquet takes for it: 4, 8 or as many as it needs. */
  private static int size(DecimalType type) {
    if (type.precision() <= Decimal.MAX_INT_DIGITS()) {
      return Integer.BYTES;
    }
    return type.precision() <= Decimal.MAX_LONG_DIGITS() ? Long.BYTES : 0;
  }

  private static boolean isNanos(Type column) {
    return column.getLogicalTypeAnnotation() instanceof TimestampLogicalTypeAnnotation time
        && time.getUnit() == TimeUnit.NANOS;
  }

  /** The type as the file has it, e.g. {@code INT64 (DECIMAL(12,2))}. */
  private static String name(Type column, Optional<DataType> there) {
    if (!column.isPrimitive()) {
      return there.map(DataType::sql).orElse("a group");
    }
    List<String> parts = new ArrayList<>();
    parts.add(column.asPrimitiveType().getPrimitiveTypeName().name());
    LogicalTypeAnnotation annotation = column.getLogicalTypeAnnotation();
    if (annotation != null) {
      parts.add("(" + annotation + ")");
    }
    return String.join(" ", parts);
  }
}
