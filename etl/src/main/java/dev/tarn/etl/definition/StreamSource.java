package dev.tarn.etl.definition;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What makes a source a stream source: the Kafka topic that its events come from, and the Iceberg
 * table that keeps them.
 *
 * @param value how a message's value is encoded
 * @param avroSchema the schema of messages in Avro, as JSON
 * @param table the event table within Tarn's catalog, with its namespace
 */
public record StreamSource(String topic, Value value, Optional<String> avroSchema, String table) {

  /** The columns of an event table that say where an event was in the topic, and since when. */
  public static final String PARTITION = "kafka_partition";

  public static final String OFFSET = "kafka_offset";
  public static final String ARRIVED_AT = "arrived_at";

  /** Those columns. */
  public static final List<String> PLACE = List.of(PARTITION, OFFSET, ARRIVED_AT);

  /** The encodings of messages. */
  public enum Value {
    JSON,
    AVRO
  }

  /** The columns of an event table: those that are declared, and then the places of the events. */
  public static StructType eventColumns(StructType declared) {
    return declared
        .add(PARTITION, DataTypes.IntegerType)
        .add(OFFSET, DataTypes.LongType)
        .add(ARRIVED_AT, DataTypes.TimestampType);
  }
}
