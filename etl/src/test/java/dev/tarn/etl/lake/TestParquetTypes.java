package dev.tarn.etl.lake;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestParquetTypes {

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "int32 x # BIGINT # INT32, the schema says BIGINT; write x INT in the schema",
        "int32 X # BIGINT # column 'X' of f is INT32, the schema says BIGINT",
        "int64 x # INT # INT64, the schema says INT",
        "int32 x # SMALLINT # INT32, the schema says SMALLINT",
        "float x # DOUBLE # FLOAT, the schema says DOUBLE",
        "double x # FLOAT # DOUBLE, the schema says FLOAT",
        "int32 x (DECIMAL(5,2)) # INT # INT32 (DECIMAL(5,2)), the schema says INT",
        "int64 x (DECIMAL(12,2)) # BIGINT # INT64 (DECIMAL(12,2)), the schema says BIGINT",
        "int64 x (DECIMAL(12,2)) # DECIMAL(12,4) # the schema says DECIMAL(12,4); write x DECIMAL(12,2) in",
        "int32 x (DECIMAL(5,2)) # DECIMAL(12,2) # the schema says DECIMAL(12,2)",
        "int64 x (TIMESTAMP(MICROS,true)) # BIGINT # INT64 (TIMESTAMP(MICROS,true)), the schema says BIGINT",
        "int64 x # TIMESTAMP # INT64, the schema says TIMESTAMP",
        "int64 x (TIMESTAMP(NANOS,true)) # TIMESTAMP # the schema says TIMESTAMP; write times in microseconds: df.to_parquet",
        "int64 x (TIMESTAMP(MICROS,true)) # TIMESTAMP_NTZ # the schema says TIMESTAMP_NTZ",
        "int32 x (DATE) # INT # INT32 (DATE), the schema says INT",
        "binary x (STRING) # INT # BINARY (STRING), the schema says INT",
        "int64 x # STRING # INT64, the schema says STRING",
        "group x { optional int32 a; } # STRUCT<a: BIGINT> # STRUCT<a: INT>, the schema says STRUCT<a: BIGINT>",
      })
  void aColumnOfAnotherTypeIsRefused(String column, String type, String problem) {
    assertThat(problem(column, type)).get().asString().contains(problem.strip());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "int32 x # INT",
        "int32 x (INTEGER(8,true)) # INT",
        "int32 y # BIGINT",
        "int64 x (DECIMAL(12,2)) # DECIMAL(18,2)",
        "int64 x (TIMESTAMP(MILLIS,true)) # TIMESTAMP",
        "int64 x (TIMESTAMP(MICROS,false)) # TIMESTAMP",
        "int96 x # TIMESTAMP",
        "binary x # STRING",
        "binary x (STRING) # BINARY",
        "group x { optional int32 a; optional int64 b; } # STRUCT<A: INT>",
      })
  void whatSparkReadsValueByValueTheSameIsAllowed(String column, String type) {
    assertThat(problem(column, type)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "int64 x (TIMESTAMP(NANOS,false)) # column 'x' of f is INT64 (TIMESTAMP(NANOS,false)), which Spark has no type for; write times in microseconds: df.to_parquet",
        "int64 x (TIME(MICROS,true)) # column 'x' of f is INT64 (TIME(MICROS,true)), which Spark has no type for; write the file anew with another type",
        "group x { optional int32 a; optional int64 b (TIMESTAMP(NANOS,true)); } # column 'x.b' of f is INT64 (TIMESTAMP(NANOS,true)), which",
      })
  void aColumnThatSparkHasNoTypeForIsNamed(String column, String problem) {
    assertThat(ParquetTypes.unreadable("f", file(column)))
        .get()
        .asString()
        .startsWith(problem.strip());
    assertThat(ParquetTypes.unreadable("f", file("int64 x (TIMESTAMP(MICROS,true))"))).isEmpty();
  }

  private static Optional<String> problem(String column, String type) {
    return ParquetTypes.problem("f", file(column), StructType.fromDDL("x " + type.strip()), true);
  }

  private static MessageType file(String column) {
    String field = column.strip();
    return MessageTypeParser.parseMessageType(
        "message m { optional %s%s }".formatted(field, field.endsWith("}") ? "" : ";"));
  }
}
