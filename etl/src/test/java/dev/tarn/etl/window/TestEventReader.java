package dev.tarn.etl.window;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.definition.EventExpression;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.input.EventMessages;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.MessageFormat;
import dev.tarn.etl.lake.EntityIds;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** What is read of an event without Spark's jobs is what a build reads of it, to the bit. */
class TestEventReader {

  private static final String SCHEMA =
      "shop STRING, account INT, b BOOLEAN, i INT, l BIGINT, f FLOAT, d DOUBLE, m DECIMAL(12,2), big DECIMAL(38,10), s STRING, day DATE, at TIMESTAMP, ntz TIMESTAMP_NTZ, parts ARRAY<INT>, tags MAP<STRING,STRING>, nest STRUCT<x: DOUBLE, y: STRING>";

  private static final List<String> EXPRESSIONS =
      List.of(
          "b",
          "i",
          "l",
          "f",
          "d",
          "m",
          "big",
          "s",
          "CAST(s AS BINARY)",
          "day",
          "at",
          "ntz",
          "m * i",
          "d / i",
          "l % 7",
          "l * l",
          "i + i",
          "f + d",
          "-d",
          "round(d, 2)",
          "m + 0.1",
          "CAST(d AS INT)",
          "CAST(s AS INT)",
          "CAST(s AS DOUBLE)",
          "CAST(s AS DATE)",
          "CAST(s AS TIMESTAMP)",
          "CAST(at AS STRING)",
          "CAST(d AS STRING)",
          "CAST(ntz AS TIMESTAMP)",
          "upper(s)",
          "coalesce(s, 'none')",
          "nullif(i, 3)",
          "nvl2(s, i, -1)",
          "CASE WHEN i > 3 THEN s WHEN b THEN 'b' ELSE 'x' END",
          "if(isnan(d), 0, d)",
          "regexp_extract(s, '([0-9]+)', 1)",
          "s LIKE '%1%'",
          "s ILIKE 'A%'",
          "s IN ('a', 'b', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12')",
          "parts[0]",
          "size(parts)",
          "aggregate(parts, 0, (sum, x) -> sum + x)",
          "tags['a']",
          "element_at(tags, 'b')",
          "nest.x",
          "nest.y",
          "date_trunc('HOUR', at)",
          "date_format(at, 'yyyy-MM-dd HH:mm')",
          "hour(at)",
          "date_part('DOW', day)",
          "from_unixtime(l)",
          "to_date(s)",
          "try_divide(i, l)",
          "try_add(l, l)",
          "xxhash64(s, i)",
          "sha2(s, 256)",
          "get_json_object(s, '$.a')",
          "to_json(nest)",
          "greatest(d, f)",
          "d <=> f",
          "bround(m, 1)",
          "kafka_partition",
          "kafka_offset",
          "arrived_at",
          "1",
          "CAST('epoch' AS TIMESTAMP)");

  private final Workbench bench = new Workbench();

  @Test
  void anEventIsReadAsABuildReadsIt() throws Exception {
    define("where = \"i IS NULL OR i <> 5\", keys { bought_on = \"CAST(at AS DATE)\" }");
    FeatureView view = bench.definitions().view("all");
    Source source = view.windows().orElseThrow().source();
    Lake lake = bench.lake();
    List<InternalRow> events = decoded(source, messages(400));
    write(lake, source, events);
    Map<String, List<Object>> expected = built(lake, view);
    assertThat(expected).hasSizeGreaterThan(100).hasSizeLessThan(events.size());

    // As the job does, by generated code, and as Spark does where that fails.
    for (String mode : List.of("CODEGEN_ONLY", "NO_CODEGEN")) {
      SQLConf settings = Lake.sqlSettings(bench.settings());
      settings.setConfString("spark.sql.codegen.factoryMode", mode);
      Map<String, List<Object>> read = new TreeMap<>();
      EventReader reader = EventReader.under(settings, () -> EventReader.of(view));
      EventReader.under(
          settings,
          () -> {
            events.forEach(
                event ->
                    reader
                        .read(event)
                        .ifPresent(found -> read.put(place(source, event), of(found))));
            return true;
          });
      assertThat(read.keySet()).isEqualTo(expected.keySet());
      read.forEach(
          (place, values) ->
              assertThat(values).as(mode + " " + place).isEqualTo(expected.get(place)));
      assertThat(reader.withoutKey()).isPositive();
    }
  }

  private void define(String more) {
    StructType columns = StreamSource.eventColumns(StructType.fromDDL(SCHEMA));
    List<String> features = new ArrayList<>();
    for (int i = 0; i < EXPRESSIONS.size(); i++) {
      EventExpression.Resolved resolved = EventExpression.resolve(EXPRESSIONS.get(i), columns);
      assertThat(resolved.problem()).as(EXPRESSIONS.get(i)).isEmpty();
      features.add(
          "{ name = v%d, aggregate = last, window = 1h, of = \"%s\", type = \"%s\" }"
              .formatted(i, EXPRESSIONS.get(i), resolved.type().orElseThrow().sql()));
    }
    bench.define(
        "all.conf",
        """
        entities { account { keys = [{ name = shop, type = string }, { name = account, type = bigint }, { name = bought_on, type = date }] } }
        sources { events {
          format = kafka, topic = events, table = "%s.events", value = json, timestamp = at
          schema = "%s"
        } }
        feature-views { all { entity = account, source = events, live {}, %s
          features = [
            %s
          ]
        } }
        """
            .formatted(
                "e" + bench.settings().read(tarn -> tarn.getString("database")),
                SCHEMA,
                more,
                String.join("\n", features)));
  }

  private static List<String> messages(int count) {
    Random random = new Random(7);
    String[] texts = {
      "null",
      "\"\"",
      "\"a|b\"",
      "\"A1\"",
      "\"12\"",
      "\"2026-01-02\"",
      "\"{\\\"a\\\": 1}\"",
      "\"2026-01-02T03:04:05Z\"",
      "\"1e3\"",
      "\"zür\\\\ich\""
    };
    String[] doubles = {
      "null", "0.0", "-0.0", "1e308", "-2.5", "0.1", "\"NaN\"", "1e-320", "3.005"
    };
    String[] longs = {
      "null", "0", "7", "-1", "9223372036854775807", "-9223372036854775808", "1767225600"
    };
    String[] ints = {"null", "1", "2", "3", "5", "-2147483648", "2147483647"};
    List<String> messages = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      if (n % 40 == 3) {
        messages.add("garbage");
        continue;
      }
      Map<String, String> fields = new HashMap<>();
      fields.put("shop", texts[random.nextInt(texts.length)]);
      fields.put("account", ints[random.nextInt(ints.length)]);
      fields.put("b", random.nextInt(3) == 0 ? "null" : Boolean.toString(random.nextBoolean()));
      fields.put("i", ints[random.nextInt(ints.length)]);
      fields.put("l", longs[random.nextInt(longs.length)]);
      fields.put("f", random.nextInt(3) == 0 ? "null" : Float.toString(random.nextFloat() - 0.5f));
      fields.put("d", doubles[random.nextInt(doubles.length)]);
      fields.put("m", random.nextInt(4) == 0 ? "null" : random.nextInt(100_000) + ".25");
      fields.put("big", random.nextInt(4) == 0 ? "null" : random.nextLong() + ".0123456789");
      fields.put("s", texts[random.nextInt(texts.length)]);
      fields.put("day", "\"2026-0%d-15\"".formatted(1 + random.nextInt(9)));
      fields.put(
          "at",
          n % 50 == 9
              ? "null"
              : "\"2026-01-01T%02d:30:0%d.12345%dZ\""
                  .formatted(random.nextInt(24), random.nextInt(10), random.nextInt(10)));
      fields.put("ntz", random.nextInt(4) == 0 ? "null" : "\"2026-03-29T02:30:00.5\"");
      fields.put(
          "parts", random.nextInt(4) == 0 ? "null" : "[%d, null, 3]".formatted(random.nextInt(9)));
      fields.put("tags", random.nextInt(4) == 0 ? "null" : "{\"a\": \"x\", \"c\": null}");
      fields.put(
          "inner",
          random.nextInt(4) == 0
              ? "null"
              : "{\"x\": %s, \"y\": \"q\"}".formatted(doubles[random.nextInt(doubles.length)]));
      messages.add(
          "{"
              + String.join(
                  ", ",
                  fields.entrySet().stream()
                      .map(field -> "\"" + field.getKey() + "\": " + field.getValue())
                      .toList())
              + "}");
    }
    return messages;
  }

  private static List<InternalRow> decoded(Source source, List<String> messages) {
    EventMessages reader = new EventMessages(MessageFormat.of(source));
    List<InternalRow> events = new ArrayList<>();
    int undecoded = 0;
    for (int n = 0; n < messages.size(); n++) {
      OptionalLong arrivedAt =
          n % 7 == 0 ? OptionalLong.empty() : OptionalLong.of(1_767_225_600_000_000L + n * 1_000L);
      try {
        events.add(
            reader.read(messages.get(n).getBytes(StandardCharsets.UTF_8), n % 3, n / 3, arrivedAt));
      } catch (InputException e) {
        undecoded++;
      }
    }
    assertThat(undecoded).isBetween(10, messages.size() / 2);
    return events;
  }

  private static void write(Lake lake, Source source, List<InternalRow> events) throws Exception {
    EventTable.findOrCreate(
        lake.catalog(), source, SparkSchemaUtil.convert(source.columns().orElseThrow()));
    SparkSession spark = lake.spark();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    spark
        .internalCreateDataFrame(
            context.parallelize(events, 1).rdd(), source.columns().orElseThrow(), false)
        .writeTo("tarn." + source.stream().orElseThrow().table())
        .append();
  }

  /** By place: the entity id, the time and the values of each event, as builds have them. */
  private static Map<String, List<Object>> built(Lake lake, FeatureView view) {
    Windows windows = view.windows().orElseThrow();
    WindowPlan plan = LiveDefinition.plan(windows);
    SourceTables sources = SourceTables.open(lake.spark(), List.of(windows.source()));
    Dataset<Row> rows =
        EventColumns.of(
            sources,
            windows,
            view.entity(),
            plan,
            false,
            Long.MIN_VALUE,
            Values.micros(Instant.parse("9999-01-01T00:00:00Z")));
    int keys = view.entity().keys().size();
    List<Column> columns = new ArrayList<>();
    List<String> keyNames = EntityColumns.keyNames(keys);
    IntStream.range(0, keys)
        .forEach(
            i ->
                columns.add(functions.col(keyNames.get(i)).as(view.entity().keys().get(i).name())));
    for (String name : rows.columns()) {
      if (!keyNames.contains(name)) {
        columns.add(functions.col(name));
      }
    }
    Dataset<Row> named =
        rows.select(columns.toArray(new Column[0]))
            .na()
            .drop("any", view.entity().keyNames().toArray(new String[0]));
    Dataset<Row> withId = named.withColumn("id", EntityIds.of(view.entity()));
    List<EventValue> values = plan.valueTypes().stream().map(EventValue::new).toList();
    EventColumns.Layout layout = EventColumns.layout(view.entity());
    int id = withId.columns().length - 1;
    Map<String, List<Object>> built = new TreeMap<>();
    for (InternalRow row : withId.queryExecution().executedPlan().executeCollect()) {
      List<Object> read = new ArrayList<>();
      read.add(row.getUTF8String(id).toString());
      read.add(row.getLong(layout.micros()));
      for (int i = 0; i < values.size(); i++) {
        int ordinal = layout.value(i);
        read.add(row.isNullAt(ordinal) ? "null" : shown(values.get(i).read(row, ordinal)));
      }
      built.put(row.getInt(layout.partition()) + " " + row.getLong(layout.offset()), read);
    }
    return built;
  }

  private static List<Object> of(EventReader.EntityEvent event) {
    List<Object> read = new ArrayList<>();
    read.add(new String(event.id(), StandardCharsets.UTF_8));
    read.add(event.micros());
    for (Object value : event.values()) {
      read.add(value == null ? "null" : shown(value));
    }
    return read;
  }

  /** A value whose equality is that of its bits. */
  private static Object shown(Object value) {
    if (value instanceof byte[] bytes) {
      return "bytes " + HexFormat.of().formatHex(bytes);
    }
    if (value instanceof Double number) {
      return "double " + Double.doubleToRawLongBits(number);
    }
    return Optional.of(value);
  }

  private static String place(Source source, InternalRow event) {
    int columns = source.schema().orElseThrow().length();
    return event.getInt(columns) + " " + event.getLong(columns + 1);
  }
}
