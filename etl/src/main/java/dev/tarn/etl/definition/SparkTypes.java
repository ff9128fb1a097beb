package dev.tarn.etl.definition;

import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StructField;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser$;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructType;

/**
 * Knows the Spark SQL types that Tarn answers exactly; every other type is refused when it is
 * defined.
 */
public final class SparkTypes {

  /** The supported types, for messages. */
  static final String SUPPORTED =
      "boolean, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp,"
          + " timestamp_ntz, array<…>, struct<…>";

  /**
   * Greatest depth of arrays and structs within each other. Protobuf's readers stop at 100 messages
   * within each other, and a struct takes three.
   */
  static final int MAX_DEPTH = 16;

  private static final Map<DataType, Kind> KINDS =
      Map.ofEntries(
          Map.entry(DataTypes.BooleanType, Kind.KIND_BOOLEAN),
          Map.entry(DataTypes.IntegerType, Kind.KIND_INT),
          Map.entry(DataTypes.LongType, Kind.KIND_BIGINT),
          Map.entry(DataTypes.FloatType, Kind.KIND_FLOAT),
          Map.entry(DataTypes.DoubleType, Kind.KIND_DOUBLE),
          Map.entry(DataTypes.StringType, Kind.KIND_STRING),
          Map.entry(DataTypes.BinaryType, Kind.KIND_BINARY),
          Map.entry(DataTypes.DateType, Kind.KIND_DATE),
          Map.entry(DataTypes.TimestampType, Kind.KIND_TIMESTAMP),
          Map.entry(DataTypes.TimestampNTZType, Kind.KIND_TIMESTAMP_NTZ));

  private SparkTypes() {}

  /** The type as a version record has it; empty if Tarn does not support it. */
  public static Optional<FeatureType> stored(DataType type) {
    FeatureType.Builder stored = FeatureType.newBuilder();
    if (type instanceof DecimalType decimal) {
      stored.setKind(Kind.KIND_DECIMAL).setPrecision(decimal.precision()).setScale(decimal.scale());
    } else if (type instanceof ArrayType array) {
      Optional<FeatureType> element = stored(array.elementType());
      if (element.isEmpty()) {
        return Optional.empty();
      }
      stored.setKind(Kind.KIND_ARRAY).setElement(element.get());
    } else if (type instanceof StructType struct) {
      if (struct.isEmpty()) {
        return Optional.empty(); // Parquet has no struct without fields.
      }
      stored.setKind(Kind.KIND_STRUCT);
      Set<String> names = new HashSet<>();
      for (org.apache.spark.sql.types.StructField field : struct.fields()) {
        Optional<FeatureType> fieldType = stored(field.dataType());
        // Neither Spark nor Iceberg tells 'a' from 'A' when it looks for a column.
        if (fieldType.isEmpty() || !names.add(field.name().toLowerCase(Locale.ROOT))) {
          return Optional.empty();
        }
        stored.addFields(StructField.newBuilder().setName(field.name()).setType(fieldType.get()));
      }
    } else if (KINDS.containsKey(type)) {
      stored.setKind(KINDS.get(type));
    } else {
      return Optional.empty();
    }
    return Optional.of(stored.build());
  }

  /** The type that a version record has, with names of fields of any kind. */
  public static DataType spark(FeatureType stored) {
    return switch (stored.getKind()) {
      case KIND_DECIMAL -> DataTypes.createDecimalType(stored.getPrecision(), stored.getScale());
      case KIND_ARRAY -> DataTypes.createArrayType(spark(stored.getElement()));
      case KIND_STRUCT -> {
        StructType struct = new StructType();
        for (StructField field : stored.getFieldsList()) {
          struct = struct.add(field.getName(), spark(field.getType()));
        }
        yield struct;
      }
      default ->
          KINDS.entrySet().stream()
              .filter(kind -> kind.getValue() == stored.getKind())
              .findFirst()
              .orElseThrow()
              .getKey();
    };
  }

  /**
   * Reads a type as SQL writes it. What TIMESTAMP means there does not depend on the session.
   *
   * @throws Exception if it is none; Scala does not declare ParseException
   */
  static DataType parse(String text) throws Exception {
    return SQLConf.withExistingConf(
        new SQLConf(), () -> CatalystSqlParser$.MODULE$.parseDataType(text));
  }

  /**
   * Reads the columns of a table as SQL writes them.
   *
   * @throws Exception as {@link #parse} does
   */
  static StructType parseColumns(String ddl) throws Exception {
    return SQLConf.withExistingConf(new SQLConf(), () -> StructType.fromDDL(ddl));
  }

  /** The columns that {@link StructType#toDDL} wrote. */
  static StructType columns(String ddl) {
    try {
      return parseColumns(ddl);
    } catch (Exception e) { // Scala does not declare ParseException
      throw new TarnException("the manifest's columns can't be read: " + ddl, e);
    }
  }

  /** The type that {@link DataType#sql} wrote. */
  public static DataType type(String sql) {
    try {
      return parse(sql);
    } catch (Exception e) { // Scala does not declare ParseException
      throw new TarnException("the manifest's type can't be read: " + sql, e);
    }
  }

  static int depth(DataType type) {
    if (type instanceof ArrayType array) {
      return 1 + depth(array.elementType());
    }
    if (type instanceof StructType struct) {
      return 1
          + Stream.of(struct.fields()).mapToInt(field -> depth(field.dataType())).max().orElse(0);
    }
    return 0;
  }

  /** Whether both are the same type; nullability does not matter. */
  public static boolean same(DataType one, DataType other) {
    return stored(one).isPresent() && stored(one).equals(stored(other));
  }
}
