package dev.tarn.etl.definition;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructType;

/** Says which columns a schema of Avro makes. */
public final class AvroColumns {

  private static final String ADJUST = "; leave it out of the schema, or write it in another way";

  /** The records that are being read, to find those that are within themselves. */
  private final Deque<String> within = new ArrayDeque<>();

  private AvroColumns() {}

  /**
   * The columns of a record.
   *
   * @param isWanted whether a field of the record is to be a column
   * @throws IllegalArgumentException if it is no record, or has what no column can hold
   */
  static StructType of(Schema schema, Predicate<String> isWanted) {
    if (schema.getType() != Schema.Type.RECORD) {
      throw new IllegalArgumentException(
          "its top level must be a record and is " + schema.getType().getName());
    }
    return new AvroColumns().record("", schema, isWanted);
  }

  /** The branch of a union that is not null; the type itself if it is no union. */
  public static Optional<Schema> withoutNull(Schema schema) {
    if (!schema.isUnion()) {
      return Optional.of(schema);
    }
    List<Schema> branches =
        schema.getTypes().stream().filter(type -> type.getType() != Schema.Type.NULL).toList();
    return branches.size() == 1 ? Optional.of(branches.get(0)) : Optional.empty();
  }

  private StructType record(String prefix, Schema schema, Predicate<String> isWanted) {
    if (within.contains(schema.getFullName())) {
      throw new IllegalArgumentException(
          "record %s has itself within it, and a column can't".formatted(schema.getFullName()));
    }
    within.push(schema.getFullName());
    StructType struct = new StructType();
    for (Schema.Field field : schema.getFields()) {
      if (isWanted.test(field.name())) {
        struct = struct.add(field.name(), type(prefix + field.name(), field.schema()));
      }
    }
    within.pop();
    return struct;
  }

  private DataType type(String path, Schema given) {
    Schema schema =
        withoutNull(given)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "'%s' is one of several types (%s), and a column has one%s"
                            .formatted(path, given, ADJUST)));
    LogicalType logical = schema.getLogicalType();
    return switch (schema.getType()) {
      case BOOLEAN -> DataTypes.BooleanType;
      case INT -> logical instanceof LogicalTypes.Date ? DataTypes.DateType : DataTypes.IntegerType;
      case LONG -> ofLong(logical);
      case FLOAT -> DataTypes.FloatType;
      case DOUBLE -> DataTypes.DoubleType;
      case STRING, ENUM -> DataTypes.StringType;
      case BYTES, FIXED -> ofBytes(path, logical);
      case ARRAY -> DataTypes.createArrayType(type(path + "[]", schema.getElementType()));
      case MAP ->
          DataTypes.createMapType(DataTypes.StringType, type(path + "{}", schema.getValueType()));
      case RECORD -> record(path + ".", schema, field -> true);
      case NULL, UNION ->
          throw new IllegalArgumentException("'%s' is always null%s".formatted(path, ADJUST));
    };
  }

  private static DataType ofLong(LogicalType logical) {
    if (logical instanceof LogicalTypes.TimestampMillis
        || logical instanceof LogicalTypes.TimestampMicros) {
      return DataTypes.TimestampType;
    }
    return logical instanceof LogicalTypes.LocalTimestampMillis
            || logical instanceof LogicalTypes.LocalTimestampMicros
        ? DataTypes.TimestampNTZType
        : DataTypes.LongType;
  }

  private static DataType ofBytes(String path, LogicalType logical) {
    if (logical instanceof LogicalTypes.Decimal decimal) {
      if (decimal.getPrecision() > DecimalType.MAX_PRECISION()) {
        throw new IllegalArgumentException(
            "'%s' is a decimal of %d digits, and a column has at most %d%s"
                .formatted(path, decimal.getPrecision(), DecimalType.MAX_PRECISION(), ADJUST));
      }
      return DataTypes.createDecimalType(decimal.getPrecision(), decimal.getScale());
    }
    return DataTypes.BinaryType;
  }
}
