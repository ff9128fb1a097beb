package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Reads what sources of the format {@code kafka} have beside what all sources have. */
final class StreamReader {

  /** The names that Kafka allows. */
  private static final Pattern TOPIC = Pattern.compile("[a-zA-Z0-9._-]{1,249}");

  private static final Pattern TABLE =
      Pattern.compile("[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)+", Pattern.CASE_INSENSITIVE);

  private static final String CATALOG = "tarn.";

  private final Problems problems;

  /** The event tables so far, each with the source that it is of. */
  private final Map<String, Position> tables = new HashMap<>();

  StreamReader(Problems problems) {
    this.problems = problems;
  }

  /**
   * What a stream source has.
   *
   * @param stream empty if a part of it is wrong
   * @param schema the columns of an event, whether they are written or those of the Avro schema
   */
  record Read(Optional<StreamSource> stream, Optional<StructType> schema) {}

  /**
   * Reads the keys that a stream source has.
   *
   * @param declared the columns that {@code schema} gives
   */
  Read read(Node node, Optional<StructType> declared, Optional<Epoch> epoch) {
    Optional<String> topic = topic(node);
    Optional<StreamSource.Value> value = value(node);
    Optional<String> table = table(node);
    Optional<Schema> avro = avro(node, value);
    Optional<StructType> schema = declared;
    if (value.equals(Optional.of(StreamSource.Value.JSON)) && !node.has("schema")) {
      problems.add(
          node.position(),
          "schema is missing, and JSON does not say its types:"
              + " schema = \"user_id BIGINT, amount DECIMAL(12,2), event_time TIMESTAMP\"");
    }
    if (avro.isPresent()) {
      if (node.has("schema")) {
        declared.ifPresent(columns -> requireFitting(node, columns, avro.get(), epoch));
      } else {
        schema = columns(node, avro.get(), field -> true);
        if (epoch.isPresent()) {
          problems.add(
              node.position("epoch"),
              "epoch is for numbers under TIMESTAMP: say schema = \"…\" too, with those columns as TIMESTAMP");
        }
      }
    }
    schema.ifPresent(columns -> requireStorable(node, columns));
    requireTime(node, schema);
    refuseForStreams(node);
    Optional<StreamSource> stream =
        topic.flatMap(
            t ->
                value.flatMap(
                    v -> table.map(at -> new StreamSource(t, v, avro.map(Schema::toString), at))));
    return new Read(stream, schema);
  }

  private Optional<String> topic(Node node) {
    Optional<String> topic = node.required("topic", "payments");
    if (topic.isPresent()
        && (!TOPIC.matcher(topic.get()).matches() || topic.get().matches("\\.\\.?"))) {
      problems.add(
          node.position("topic"),
          "'%s' is no name of a topic: letters, digits, '.', '_' and '-', at most 249"
              .formatted(topic.get()));
    }
    return topic;
  }

  private Optional<StreamSource.Value> value(Node node) {
    return node.required("value", "json")
        .flatMap(
            text -> {
              Optional<StreamSource.Value> value =
                  Stream.of(StreamSource.Value.values())
                      .filter(known -> known.name().equalsIgnoreCase(text))
                      .findFirst();
              if (value.isEmpty()) {
                problems.add(
                    node.position("value"),
                    "there is no encoding '%s' of messages%s"
                        .formatted(text, Suggestion.forName(text, List.of("json", "avro"))));
              }
              return value;
            });
  }

  private Optional<String> table(Node node) {
    return node.required("table", "events.payments")
        .map(text -> text.startsWith(CATALOG) ? text.substring(CATALOG.length()) : text)
        .filter(
            table -> {
              if (!TABLE.matcher(table).matches()) {
                problems.add(
                    node.position("table"),
                    "table = %s: the event table is in Tarn's catalog, and its name is a namespace and a name, such as events.payments"
                        .formatted(table));
                return false;
              }
              Position before =
                  tables.putIfAbsent(table.toLowerCase(Locale.ROOT), node.position("table"));
              if (before != null) {
                problems.add(
                    node.position("table"),
                    "%s is the event table of another source already, at %s"
                        .formatted(table, before));
              }
              return true;
            });
  }

  private Optional<Schema> avro(Node node, Optional<StreamSource.Value> value) {
    if (!value.equals(Optional.of(StreamSource.Value.AVRO))) {
      if (node.has("avro-schema") && value.isPresent()) {
        problems.add(node.position("avro-schema"), "avro-schema goes with value = avro");
      }
      return Optional.empty();
    }
    return node.required("avro-schema", "\"payment.avsc\"")
        .flatMap(
            name -> {
              Path file = node.beside("avro-schema", name);
              try {
                return Optional.of(new Schema.Parser().parse(Files.readString(file)));
              } catch (IOException e) {
                problems.add(
                    node.position("avro-schema"),
                    "avro-schema = %s: there is no text that can be read at %s"
                        .formatted(name, file));
              } catch (AvroRuntimeException e) {
                problems.add(
                    node.position("avro-schema"),
                    "%s is no schema of Avro: %s".formatted(name, e.getMessage()));
              }
              return Optional.empty();
            });
  }

  private Optional<StructType> columns(Node node, Schema avro, Predicate<String> isWanted) {
    try {
      return Optional.of(AvroColumns.of(avro, isWanted));
    } catch (IllegalArgumentException e) {
      problems.add(node.position("avro-schema"), "avro-schema: " + e.getMessage());
      return Optional.empty();
    }
  }

  /** Refuses columns that the Avro schema does not have, or has with another type. */
  private void requireFitting(Node node, StructType declared, Schema avro, Optional<Epoch> epoch) {
    List<String> columns = Arrays.asList(declared.fieldNames());
    Optional<StructType> all = columns(node, avro, columns::contains);
    if (all.isEmpty()) {
      return;
    }
    StructType derived = all.get();
    List<String> names = avro.getFields().stream().map(Schema.Field::name).toList();
    for (StructField field : declared.fields()) {
      if (!names.contains(field.name())) {
        problems.add(
            node.position("schema"),
            "schema: the Avro schema has no field '%s'%s"
                .formatted(field.name(), Suggestion.forName(field.name(), names)));
        continue;
      }
      DataType type = derived.apply(field.name()).dataType();
      boolean isCounted =
          field.dataType().equals(DataTypes.TimestampType) && type.equals(DataTypes.LongType);
      if (isCounted && epoch.isEmpty()) {
        problems.add(
            node.position("schema"),
            "schema: '%s' is a number in the Avro schema; say what it counts: epoch = milliseconds (or seconds, microseconds)"
                .formatted(field.name()));
      } else if (!isCounted && !DataType.equalsIgnoreNullability(field.dataType(), type)) {
        problems.add(
            node.position("schema"),
            "schema: '%s' is %s, and the Avro schema makes it %s: write that, and turn it into another type in SQL"
                .formatted(field.name(), field.dataType().sql(), type.sql()));
      }
    }
  }

  private void requireStorable(Node node, StructType schema) {
    String key = node.has("schema") ? "schema" : "avro-schema";
    for (StructField field : schema.fields()) {
      if (StreamSource.PLACE.stream().anyMatch(field.name()::equalsIgnoreCase)) {
        problems.add(
            node.position(key),
            "%s: '%s' is a column that each event table has already".formatted(key, field.name()));
      }
      if (!isStorable(field.dataType())) {
        problems.add(
            node.position(key),
            "%s: column '%s' is %s, which event tables can't hold; they have %s, map<string,…>"
                .formatted(key, field.name(), field.dataType().sql(), SparkTypes.SUPPORTED));
      }
    }
  }

  private static boolean isStorable(DataType type) {
    if (type instanceof MapType map) {
      return map.keyType().equals(DataTypes.StringType) && isStorable(map.valueType());
    }
    if (type instanceof ArrayType array) {
      return isStorable(array.elementType());
    }
    if (type instanceof StructType struct) {
      return !struct.isEmpty()
          && Stream.of(struct.fields()).allMatch(field -> isStorable(field.dataType()));
    }
    return SparkTypes.stored(type).isPresent();
  }

  /** Events are stored by the day of their time, so it must be a column that each has. */
  private void requireTime(Node node, Optional<StructType> schema) {
    Optional<String> timestamp = node.required("timestamp", "event_time");
    if (timestamp.isEmpty() || schema.isEmpty()) {
      return;
    }
    List<String> names = Arrays.asList(schema.get().fieldNames());
    if (!names.contains(timestamp.get())) {
      problems.add(
          node.position("timestamp"),
          "timestamp = %s: a stream source's timestamp is one of its columns%s"
              .formatted(timestamp.get(), Suggestion.forName(timestamp.get(), names)));
    } else if (!schema.get().apply(timestamp.get()).dataType().equals(DataTypes.TimestampType)) {
      problems.add(
          node.position("timestamp"),
          "timestamp = %s: the column is %s, and a stream source's timestamp must be TIMESTAMP%s"
              .formatted(
                  timestamp.get(),
                  schema.get().apply(timestamp.get()).dataType().sql(),
                  schema.get().apply(timestamp.get()).dataType().equals(DataTypes.LongType)
                      ? ": declare it so, and say what it counts, epoch = milliseconds (or seconds, microseconds)"
                      : ""));
    }
  }

  private void refuseForStreams(Node node) {
    if (node.has("missing-columns")) {
      problems.add(
          node.position("missing-columns"),
          "missing-columns is for files: a field that a message does not have is null");
    }
    if (node.has("missing-times")) {
      problems.add(
          node.position("missing-times"),
          "missing-times is for files: an event without its time is kept beside the event table");
    }
  }
}
