package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import dev.tarn.etl.definition.Source.Format;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.util.CharVarcharUtils;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Reads the sources of a definition file. */
final class SourceReader {

  private static final Duration DEFAULT_HORIZON = Duration.ofDays(7);

  private final Problems problems;
  private final Names names;
  private final StreamReader streams;

  SourceReader(Problems problems, Names names) {
    this.problems = problems;
    this.names = names;
    this.streams = new StreamReader(problems);
  }

  /** Adds the sources below {@code sources} to those read before. */
  void read(Node file, Map<String, Source> sources) {
    for (Map.Entry<String, Node> entry : file.named("sources")) {
      Node node = entry.getValue();
      Optional<Format> format = format(node);
      boolean isIceberg = format.equals(Optional.of(Format.ICEBERG));
      Optional<StructType> schema = schema(node);
      Map<String, String> options = node.flat("options");
      boolean isText = format.filter(Format::isText).isPresent();
      if (isText && !node.has("schema")) {
        problems.add(
            node.position(),
            "schema is missing, and a guess would change with the data:"
                + " schema = \"user_id BIGINT, amount DECIMAL(10,2)\"");
      }
      if (isIceberg && schema.isPresent()) {
        problems.add(node.position("schema"), "an Iceberg table brings its own schema");
      }
      Optional<String> timestamp = node.text("timestamp");
      Optional<Epoch> epoch = epoch(node);
      Optional<StreamSource> stream = Optional.empty();
      Optional<String> location;
      boolean allowsMissingColumns = false;
      boolean skipsMissingTimes = false;
      if (format.equals(Optional.of(Format.KAFKA))) {
        StreamReader.Read read = streams.read(node, schema, epoch);
        stream = read.stream();
        schema = read.schema();
        location = stream.map(found -> "tarn." + found.table());
      } else {
        location =
            isIceberg
                ? node.required("table", "tarn.raw.transactions")
                : node.required("path", "\"s3://lake/transactions\"");
        if (epoch.isPresent() && format.isPresent() && !isText) {
          problems.add(node.position("epoch"), "epoch is for numbers in CSV and JSON");
        }
        allowsMissingColumns = allowsMissingColumns(node, isIceberg);
        skipsMissingTimes = skipsMissingTimes(node, timestamp);
      }
      Optional<EventId> eventId = eventId(node, schema, timestamp);
      node.refuseUnknownKeys();
      if (format.isPresent() && location.isPresent()) {
        Source source =
            new Source(
                entry.getKey(),
                format.get(),
                location.get(),
                schema,
                timestamp,
                options,
                epoch,
                allowsMissingColumns,
                skipsMissingTimes,
                eventId,
                stream,
                node.position());
        names.put(sources, "source", source.name(), source, Source::position);
      }
    }
  }

  private Optional<Format> format(Node node) {
    return node.required("format", "parquet")
        .flatMap(
            text -> {
              Optional<Format> format =
                  Stream.of(Format.values())
                      .filter(value -> value.name().equalsIgnoreCase(text))
                      .findFirst();
              if (format.isEmpty()) {
                List<String> known =
                    Stream.of(Format.values())
                        .map(value -> value.name().toLowerCase(Locale.ROOT))
                        .toList();
                problems.add(
                    node.position("format"),
                    "there is no format '%s'%s".formatted(text, Suggestion.forName(text, known)));
              }
              return format;
            });
  }

  private Optional<Epoch> epoch(Node node) {
    return node.text("epoch")
        .flatMap(
            text -> {
              Optional<Epoch> epoch =
                  Stream.of(Epoch.values())
                      .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(text))
                      .findFirst();
              if (epoch.isEmpty()) {
                problems.add(
                    node.position("epoch"),
                    "epoch = %s is none of seconds, milliseconds, microseconds".formatted(text));
              }
              return epoch;
            });
  }

  private boolean allowsMissingColumns(Node node, boolean isTable) {
    if (!node.has("missing-columns")) {
      return false;
    }
    Optional<String> text = node.text("missing-columns");
    if (text.isPresent() && !text.get().equals("null")) {
      problems.add(
          node.position("missing-columns"),
          "missing-columns = %s: there is null, and without it such files are refused"
              .formatted(text.get()));
    } else if (isTable) {
      problems.add(node.position("missing-columns"), "an Iceberg table has all of its columns");
    }
    return true;
  }

  private boolean skipsMissingTimes(Node node, Optional<String> timestamp) {
    Optional<String> text = node.text("missing-times");
    if (text.isPresent() && !text.get().equals("skip")) {
      problems.add(
          node.position("missing-times"),
          "missing-times = %s: there is skip, and without it such rows are refused"
              .formatted(text.get()));
    } else if (text.isPresent() && timestamp.isEmpty()) {
      problems.add(node.position("missing-times"), "missing-times goes with timestamp = …");
    }
    return text.isPresent();
  }

  private Optional<EventId> eventId(
      Node node, Optional<StructType> schema, Optional<String> timestamp) {
    Optional<String> column = node.text("event-id");
    Optional<Duration> horizon = node.duration("event-id-horizon");
    if (column.isEmpty()) {
      if (node.has("event-id-horizon")) {
        problems.add(node.position("event-id-horizon"), "event-id-horizon goes with event-id = …");
      }
      return Optional.empty();
    }
    if (timestamp.isEmpty()) {
      problems.add(
          node.position("event-id"),
          "event-id goes with timestamp = …, which says which of two events is the first");
    }
    schema.ifPresent(columns -> requireIdentity(node, column.get(), columns));
    return Optional.of(new EventId(column.get(), horizon.orElse(DEFAULT_HORIZON)));
  }

  private void requireIdentity(Node node, String column, StructType columns) {
    List<String> known = List.of(columns.fieldNames());
    if (!known.contains(column)) {
      problems.add(
          node.position("event-id"),
          "event-id = %s: there is no such column%s"
              .formatted(column, Suggestion.forName(column, known)));
      return;
    }
    DataType type = columns.apply(column).dataType();
    if (!type.equals(DataTypes.StringType)
        && !type.equals(DataTypes.IntegerType)
        && !type.equals(DataTypes.LongType)
        && !type.equals(DataTypes.BinaryType)) {
      problems.add(
          node.position("event-id"),
          "event-id = %s: the column is %s, and an id is string, int, bigint or binary"
              .formatted(column, type.sql()));
    }
  }

  private Optional<StructType> schema(Node node) {
    return node.text("schema")
        .flatMap(
            ddl -> {
              try {
                StructType schema = SparkTypes.parseColumns(ddl);
                refuseUnreadable(node, schema);
                return Optional.of(schema);
              } catch (Exception e) { // Scala does not declare ParseException
                problems.add(
                    node.position("schema"),
                    "schema does not parse, e.g. \"user_id BIGINT, amount DECIMAL(10,2)\": "
                        + firstLine(e));
                return Optional.empty();
              }
            });
  }

  /** Refuses what Spark declares and no file can be read as. */
  private void refuseUnreadable(Node node, StructType schema) {
    boolean isCsv = node.text("format").filter("csv"::equalsIgnoreCase).isPresent();
    Set<String> names = new HashSet<>();
    for (StructField field : schema.fields()) {
      DataType type = field.dataType();
      if (!names.add(field.name().toLowerCase(Locale.ROOT))) {
        problems.add(
            node.position("schema"),
            "schema has two columns '%s', which SQL can't tell apart".formatted(field.name()));
      }
      if (CharVarcharUtils.hasCharVarchar(type)) {
        problems.add(
            node.position("schema"),
            "schema: column '%s' is %s, and files have no texts of a fixed length: write STRING"
                .formatted(field.name(), type.sql()));
      } else if (isCsv
          && (type instanceof ArrayType || type instanceof StructType || type instanceof MapType)) {
        problems.add(
            node.position("schema"),
            "schema: column '%s' is %s, and a CSV file has none such; read it as STRING, and make it of that in the SQL, e.g. from_json(%s, '…')"
                .formatted(field.name(), type.sql(), field.name()));
      }
    }
  }

  private static String firstLine(Throwable e) {
    return e.getMessage().strip().lines().findFirst().orElse("");
  }
}
