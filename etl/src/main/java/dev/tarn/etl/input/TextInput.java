package dev.tarn.etl.input;

import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.Source.Format;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Reads sources of CSV or JSON and spines of CSV, by the same rules. */
public final class TextInput {

  private TextInput() {}

  /**
   * Checks a source's options and types without reading anything.
   *
   * @throws InputException if an option or a type does not fit
   */
  public static void check(Source source) {
    spec(source, source.schema().orElseThrow(), new StructType());
  }

  /**
   * The rows of a source.
   *
   * @throws InputException if an option or a type does not fit; what its records have shows later
   */
  public static Dataset<Row> ofSource(SparkSession spark, Source source, InputFiles files) {
    StructType declared = source.schema().orElseThrow();
    StructType partitions = new StructType();
    for (String name : files.partitionColumns()) {
      partitions =
          partitions.add(
              field(declared, name)
                  .orElse(DataTypes.createStructField(name, DataTypes.StringType, true)));
    }
    return TextFilesTable.open(
        spark,
        InputFiles.configuration(spark, source.options()),
        spec(source, without(declared, files.partitionColumns()), partitions),
        files.files());
  }

  private static TextSpec spec(Source source, StructType schema, StructType partitions) {
    boolean isJson = source.format() == Format.JSON;
    Options options = new Options(source.options());
    options.refuseOthersThan(isJson ? JsonRecords.OPTIONS : CsvDialect.OPTIONS);
    for (StructField field : schema.fields()) {
      if (!reads(field.dataType(), isJson)) {
        throw new InputException(
            "column '%s' is %s, which %s can't hold"
                .formatted(field.name(), field.dataType().simpleString(), source.format()));
      }
    }
    return new TextSpec(
        "source '%s' (%s)".formatted(source.name(), source.position()),
        isJson,
        schema,
        partitions,
        isJson ? encodingAlone(options) : CsvDialect.of(options),
        TextFormats.of(options, source.epoch()),
        // An expression is checked where it is computed.
        source
            .timestamp()
            .filter(name -> field(schema, name).or(() -> field(partitions, name)).isPresent())
            .orElse(""),
        false,
        source.skipsMissingTimes(),
        source.allowsMissingColumns(),
        isJson && options.flag("allowComments", false));
  }

  private static CsvDialect encodingAlone(Options options) {
    return CsvDialect.of(new Options(Map.of("encoding", options.encoding().name())));
  }

  private static boolean reads(DataType type, boolean isJson) {
    if (isJson && type instanceof ArrayType array) {
      return reads(array.elementType(), true);
    }
    if (isJson && type instanceof MapType map) {
      return TextColumn.reads(map.keyType()) && reads(map.valueType(), true);
    }
    if (isJson && type instanceof StructType struct) {
      return Arrays.stream(struct.fields()).allMatch(f -> reads(f.dataType(), true));
    }
    return TextColumn.reads(type);
  }

  /**
   * The rows of a spine of CSV. Its columns are text as it stands, except those that have a type.
   *
   * @param label what messages call it
   * @param types of some columns, by name
   * @param given options, as those of a source
   * @throws InputException if the header, an option or a type does not fit
   */
  public static Dataset<Row> ofSpine(
      SparkSession spark,
      String label,
      InputFiles files,
      Map<String, DataType> types,
      String timeColumn,
      Map<String, String> given) {
    Configuration configuration = InputFiles.configuration(spark, given);
    Options options = new Options(given);
    CsvDialect dialect;
    TextFormats formats;
    try {
      options.refuseOthersThan(CsvDialect.OPTIONS);
      dialect = CsvDialect.of(options);
      formats = TextFormats.of(options, Optional.empty());
    } catch (InputException e) {
      throw new InputException("%s: %s".formatted(label, e.getMessage()), e);
    }
    if (!dialect.hasHeader()) {
      throw new InputException(label + ": a spine has a header");
    }
    TextSpec unread =
        new TextSpec(
            label,
            false,
            new StructType(),
            new StructType(),
            dialect,
            formats,
            timeColumn,
            true,
            true,
            false,
            false);
    List<String> header =
        files.files().isEmpty()
            ? List.of()
            : TextPartReader.header(unread, files.files().get(0), configuration);
    List<String> all = new ArrayList<>(header);
    all.addAll(files.partitionColumns());
    refuseEqual(label, all);
    for (Map.Entry<String, DataType> typed : types.entrySet()) {
      if (!TextColumn.reads(typed.getValue())) {
        throw new InputException(
            "%s: '%s' can't be %s in CSV"
                .formatted(label, typed.getKey(), typed.getValue().simpleString()));
      }
    }
    TextSpec spec =
        new TextSpec(
            label,
            false,
            typed(header, types),
            typed(files.partitionColumns(), types),
            dialect,
            formats,
            timeColumn,
            true,
            true,
            false,
            false);
    return TextFilesTable.open(spark, configuration, spec, files.files());
  }

  private static void refuseEqual(String label, List<String> names) {
    Set<String> seen = new HashSet<>();
    for (String name : names) {
      if (!seen.add(name.toLowerCase(Locale.ROOT))) {
        throw new InputException(
            "%s has two columns '%s': rename one of them".formatted(label, name));
      }
    }
  }

  private static StructType typed(List<String> names, Map<String, DataType> types) {
    StructType schema = new StructType();
    for (String name : names) {
      schema = schema.add(name, types.getOrDefault(name, DataTypes.StringType));
    }
    return schema;
  }

  private static Optional<StructField> field(StructType schema, String name) {
    return Arrays.stream(schema.fields())
        .filter(field -> field.name().equalsIgnoreCase(name))
        .findFirst();
  }

  private static StructType without(StructType schema, List<String> names) {
    StructType rest = new StructType();
    for (StructField field : schema.fields()) {
      if (names.stream().noneMatch(field.name()::equalsIgnoreCase)) {
        rest = rest.add(field);
      }
    }
    return rest;
  }
}
