package dev.tarn.etl.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestStreamReader {

  /** Right as it is; tests spoil one line. */
  private static final String JSON =
      """
      sources {
        payments {
          format = kafka
          topic = payments
          value = json
          schema = "user_id BIGINT, payment_id STRING, event_time TIMESTAMP"
          timestamp = event_time
          event-id = payment_id
          event-id-horizon = 2d
          table = "events.payments"
        }
      }
      """;

  private static final String AVRO =
      """
      sources {
        payments {
          format = kafka
          topic = payments
          value = avro
          avro-schema = "avro/payment.avsc"
          timestamp = event_time
          table = "events.payments"
        }
      }
      """;

  private static final String FIELDS =
      """
      {"name": "user_id", "type": "long"},
      {"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}]},
      {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["A"]}},
      {"name": "tags", "type": {"type": "array", "items": "string"}},
      {"name": "at", "type": {"type": "record", "name": "place", "fields": [{"name": "x", "type": "int"}]}},
      {"name": "more", "type": {"type": "map", "values": "double"}},
      {"name": "day", "type": {"type": "int", "logicalType": "date"}},
      {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
      {"name": "counted", "type": "long"},
      {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}}""";

  @TempDir Path folder;

  @Test
  void aStreamSourceIsItsEventTable() {
    Source source = load(JSON);
    assertThat(source.format()).isEqualTo(Source.Format.KAFKA);
    assertThat(source.location()).isEqualTo("tarn.events.payments");
    StreamSource stream = source.stream().orElseThrow();
    assertThat(stream.topic()).isEqualTo("payments");
    assertThat(stream.value()).isEqualTo(StreamSource.Value.JSON);
    assertThat(stream.table()).isEqualTo("events.payments");
    assertThat(stream.avroSchema()).isEmpty();
    assertThat(source.eventId()).contains(new EventId("payment_id", Duration.ofDays(2)));
    assertThat(source.schema().map(StructType::fieldNames).orElseThrow())
        .containsExactly("user_id", "payment_id", "event_time");
    assertThat(source.columns().map(StructType::toDDL).orElseThrow())
        .isEqualTo(
            "user_id BIGINT,payment_id STRING,event_time TIMESTAMP,kafka_partition INT,kafka_offset BIGINT,arrived_at TIMESTAMP");
    // With the catalog's name before it, it is the same table.
    assertThat(load(change("events.payments", "tarn.events.payments"))).isEqualTo(source);
  }

  @Test
  void eachSourceWithATimestampMayHaveAnEventId() {
    String files =
        "sources { a { format = json, path = x, schema = \"id STRING, n DOUBLE, at TIMESTAMP\", %s } }";
    assertThat(load(files.formatted("timestamp = at, event-id = id")).eventId())
        .contains(new EventId("id", Duration.ofDays(7)));
    assertRefused(
        files.formatted("event-id = id"),
        "a.conf:1: event-id goes with timestamp = …, which says which of two events is the first");
    assertRefused(
        files.formatted("timestamp = at, event-id-horizon = 7d"),
        "a.conf:1: event-id-horizon goes with event-id = …");
    assertRefused(
        files.formatted("timestamp = at, event-id = ids"),
        "a.conf:1: event-id = ids: there is no such column; did you mean 'id'?");
    assertRefused(
        files.formatted("timestamp = at, event-id = n"),
        "a.conf:1: event-id = n: the column is DOUBLE, and an id is string, int, bigint or binary");
  }

  @Test
  void anAvroSchemaMakesTheColumns() {
    writeSchema(FIELDS);
    assertThat(load(AVRO).schema().map(StructType::toDDL).orElseThrow())
        .isEqualTo(
            "user_id BIGINT,amount DECIMAL(12,2),kind STRING,tags ARRAY<STRING>,"
                + "at STRUCT<x: INT>,more MAP<STRING, DOUBLE>,day DATE,local TIMESTAMP_NTZ,"
                + "counted BIGINT,event_time TIMESTAMP");
  }

  @Test
  void aWrittenSchemaTakesSomeFieldsOfAvro() {
    writeSchema(FIELDS);
    String line = "timestamp = event_time";
    Source source =
        load(
            AVRO.replace(
                line,
                "timestamp = counted, epoch = seconds, schema = \"counted TIMESTAMP, user_id BIGINT\""));
    assertThat(source.schema().map(StructType::toDDL).orElseThrow())
        .isEqualTo("counted TIMESTAMP,user_id BIGINT");
    assertRefused(
        AVRO.replace(
            line, "timestamp = counted, schema = \"counted TIMESTAMP, user_id INT, x INT\""),
        "a.conf:7: schema: 'counted' is a number in the Avro schema; say what it counts: epoch = milliseconds (or seconds, microseconds)",
        "a.conf:7: schema: 'user_id' is INT, and the Avro schema makes it BIGINT: write that, and turn it into another type in SQL",
        "a.conf:7: schema: the Avro schema has no field 'x'; did you mean 'at'?");
    assertRefused(
        AVRO.replace(line, line + ", epoch = seconds"),
        "a.conf:7: epoch is for numbers under TIMESTAMP: say schema = \"…\" too, with those columns as TIMESTAMP");
  }

  @Test
  void anAvroSchemaThatMakesNoColumnsIsRefused() {
    assertRefused(
        AVRO,
        "a.conf:6: avro-schema = avro/payment.avsc: there is no text that can be read at "
            + folder.resolve("avro/payment.avsc"));
    write("{\"type\": \"recrd\"}");
    assertThatThrownBy(() -> load(AVRO))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a.conf:6: avro/payment.avsc is no schema of Avro: ");
    write("\"long\"");
    assertRefused(AVRO, "a.conf:6: avro-schema: its top level must be a record and is long");
    writeSchema(FIELDS + ", {\"name\": \"x\", \"type\": [\"int\", \"string\"]}");
    assertRefused(
        AVRO,
        "a.conf:6: avro-schema: 'x' is one of several types ([\"int\",\"string\"]), and a column has one; leave it out of the schema, or write it in another way");
    writeSchema(FIELDS + ", {\"name\": \"next\", \"type\": [\"null\", \"payment\"]}");
    assertRefused(
        AVRO, "a.conf:6: avro-schema: record payment has itself within it, and a column can't");
  }

  @Test
  void whatIsMissingIsNamedWithAnExample() {
    assertRefused(
        "sources { payments { format = kafka } }",
        "a.conf:1: topic is missing: topic = payments",
        "a.conf:1: value is missing: value = json",
        "a.conf:1: table is missing: table = events.payments",
        "a.conf:1: timestamp is missing: timestamp = event_time");
    assertRefused(
        change("schema = ", "# "),
        "a.conf:2: schema is missing, and JSON does not say its types:"
            + " schema = \"user_id BIGINT, amount DECIMAL(12,2), event_time TIMESTAMP\"");
    assertRefused(
        change("value = json", "value = xml"),
        "a.conf:5: there is no encoding 'xml' of messages; there are: json, avro");
  }

  @Test
  void whatDoesNotFitAStreamSourceIsRefused() {
    assertRefused(
        change("topic = payments", "topic = \"pay ments\""),
        "a.conf:4: 'pay ments' is no name of a topic: letters, digits, '.', '_' and '-', at most 249");
    assertRefused(
        change("events.payments", "payments"),
        "a.conf:10: table = payments: the event table is in Tarn's catalog, and its name is a namespace and a name, such as events.payments");
    assertRefused(
        change("timestamp = event_time", "timestamp = \"cast(event_time AS date)\""),
        "a.conf:7: timestamp = cast(event_time AS date): a stream source's timestamp is one of its columns; there are: user_id, payment_id, event_time");
    assertRefused(
        change("event_time TIMESTAMP", "event_time BIGINT"),
        "a.conf:7: timestamp = event_time: the column is BIGINT, and a stream source's timestamp must be TIMESTAMP: declare it so, and say what it counts, epoch = milliseconds (or seconds, microseconds)");
    assertRefused(
        change("user_id BIGINT", "user_id BIGINT, Kafka_Offset BIGINT, n SMALLINT"),
        "a.conf:6: schema: 'Kafka_Offset' is a column that each event table has already",
        "a.conf:6: schema: column 'n' is SMALLINT, which event tables can't hold; they have boolean, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp, timestamp_ntz, array<…>, struct<…>, map<string,…>");
    assertRefused(
        change("value = json", "value = json, missing-times = skip, missing-columns = null"),
        "a.conf:5: missing-columns is for files: a field that a message does not have is null",
        "a.conf:5: missing-times is for files: an event without its time is kept beside the event table");
    assertRefused(
        change("value = json", "value = json, avro-schema = x"),
        "a.conf:5: avro-schema goes with value = avro");
    assertRefused(
        JSON + JSON.replace("payments {", "others {"),
        "a.conf:22: events.payments is the event table of another source already, at a.conf:10");
  }

  private static String change(String from, String to) {
    assertThat(JSON).contains(from);
    return JSON.replace(from, to);
  }

  private void writeSchema(String fields) {
    write("{\"type\": \"record\", \"name\": \"payment\", \"fields\": [%s]}".formatted(fields));
  }

  private void write(String schema) {
    try {
      Files.createDirectories(folder.resolve("avro"));
      Files.writeString(folder.resolve("avro/payment.avsc"), schema);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void assertRefused(String text, String... problems) {
    assertThatThrownBy(() -> load(text))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "%s in the definitions\n  %s",
            problems.length == 1 ? "1 problem" : problems.length + " problems",
            String.join("\n  ", problems));
  }

  private Source load(String text) {
    try {
      Files.writeString(folder.resolve("a.conf"), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Definitions.load(folder, folder, ConfigFactory.empty()).sources().iterator().next();
  }
}
