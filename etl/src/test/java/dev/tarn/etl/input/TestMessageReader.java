package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import dev.tarn.cli.Settings;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Source;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestMessageReader {

  private static final Schema AVRO =
      new Schema.Parser()
          .parse(
              """
              {"type": "record", "name": "event", "fields": [
                {"name": "skipped", "type": ["null", "string", "long", {"type": "map", "values": "bytes"}]},
                {"name": "tree", "type": {"type": "record", "name": "node", "fields": [
                  {"name": "n", "type": "int"},
                  {"name": "below", "type": {"type": "array", "items": "node"}}]}},
                {"name": "flag", "type": "boolean"},
                {"name": "i", "type": ["int", "null"]},
                {"name": "l", "type": "long"},
                {"name": "f", "type": "float"},
                {"name": "d", "type": ["null", "double"]},
                {"name": "s", "type": ["null", "string"]},
                {"name": "b", "type": "bytes"},
                {"name": "x", "type": {"type": "fixed", "name": "three", "size": 3}},
                {"name": "e", "type": {"type": "enum", "name": "kind", "symbols": ["A", "B"]}},
                {"name": "m", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
                {"name": "day", "type": {"type": "int", "logicalType": "date"}},
                {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                {"name": "us", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
                {"name": "counted", "type": "long"},
                {"name": "a", "type": {"type": "array", "items": ["null", "long"]}},
                {"name": "p", "type": {"type": "map", "values": {"type": "record", "name": "pair", "fields": [
                  {"name": "one", "type": "int"}, {"name": "two", "type": ["null", "string"]}]}}},
                {"name": "last", "type": ["null", "string"]}]}
              """);

  private static final String COLUMNS =
      "counted TIMESTAMP, flag BOOLEAN, i INT, l BIGINT, f FLOAT, d DOUBLE, s STRING, b BINARY, x BINARY,"
          + " e STRING, m DECIMAL(9,2), day DATE, ms TIMESTAMP, us TIMESTAMP, local TIMESTAMP_NTZ,"
          + " a ARRAY<BIGINT>, p MAP<STRING, STRUCT<one: INT, two: STRING>>";

  @TempDir Path folder;

  @Test
  void oneObjectOfJsonIsOneEvent() {
    MessageReader reader = json("n INT, at TIMESTAMP, o STRUCT<a: ARRAY<DOUBLE>>", "");
    InternalRow row =
        reader.read(
            text("\uFEFF {\"o\": {\"a\": [1, null]}, \"at\": \"2026-01-01\", \"more\": 1}\n"));
    assertThat(row.isNullAt(0)).isTrue();
    assertThat(row.getLong(1)).isEqualTo(1_767_225_600_000_000L);
    assertThat(row.getStruct(2, 1).getArray(0).numElements()).isEqualTo(2);
    // A message that is refused leaves nothing behind.
    assertRefused(reader, text("{\"n\": 1, \"at\": \"2026-01-01\"} x"), "is no JSON: ");
    assertThat(reader.read(text("{\"at\": \"2026-01-01\"}")).isNullAt(0)).isTrue();
    assertRefused(reader, null, "has no value (a tombstone)");
    assertRefused(reader, text(" "), "is empty");
    assertRefused(reader, text("7"), "must be an object { … }");
    assertRefused(reader, text("{\"n\": 1}"), "has no 'at'");
    assertRefused(reader, text("{\"n\": 1, \"n\": 2}"), "has the field 'n' twice");
    assertRefused(reader, text("{\"at\": \"2026-01-01\"}{}"), "has more after its object");
    assertRefused(reader, text("{\"at\": \"2026-01-01\""), "is no JSON: Unexpected end-of-input");
    assertRefused(reader, text("[".repeat(5_000)), "must be an object");
    assertRefused(reader, text("{\"z\": " + "[".repeat(5_000)), "is no JSON: ");
    assertRefused(reader, new byte[] {(byte) 0xc3}, "is not UTF-8; ");
  }

  @Test
  void optionsSayHowJsonIsWritten() {
    MessageReader reader =
        json(
            "s STRING, at TIMESTAMP",
            "options { encoding = ISO-8859-1, timestampFormat = \"dd.MM.uuuu HH:mm\", allowComments = true }");
    InternalRow row =
        reader.read(
            "/* */ {\"s\": \"é\", \"at\": \"01.01.2026 00:00\"}"
                .getBytes(Charset.forName("ISO-8859-1")));
    assertThat(row.getString(0)).isEqualTo("é");
    assertThat(row.getLong(1)).isEqualTo(1_767_225_600_000_000L);
    assertThatThrownBy(() -> json("at TIMESTAMP", "options { multiLine = true }"))
        .isInstanceOf(InputException.class)
        .hasMessageStartingWith("there is no option 'multiLine' here; ");
  }

  /** Against the writer of Avro's own library. */
  @Test
  void avroIsWhatItsLibraryWrote() {
    MessageReader reader =
        avro("schema = \"%s\", timestamp = counted, epoch = seconds".formatted(COLUMNS));
    Random random = new Random(7);
    for (int i = 0; i < 500; i++) {
      GenericData.Record event = event(random);
      byte[] written = written(event);
      InternalRow row = reader.read(written);
      assertThat(row.getLong(0)).isEqualTo(1_000_000 * (long) event.get("counted"));
      assertThat(row.getBoolean(1)).isEqualTo(event.get("flag"));
      assertThat(row.isNullAt(2) ? null : row.getInt(2)).isEqualTo(event.get("i"));
      assertThat(row.getLong(3)).isEqualTo(event.get("l"));
      assertThat(row.getFloat(4)).isEqualTo(event.get("f"));
      assertThat(row.isNullAt(5) ? null : row.getDouble(5)).isEqualTo(event.get("d"));
      assertThat(row.isNullAt(6) ? null : row.getString(6)).isEqualTo(event.get("s"));
      assertThat(ByteBuffer.wrap(row.getBinary(7))).isEqualTo(event.get("b"));
      assertThat(row.getBinary(8)).isEqualTo(((GenericData.Fixed) event.get("x")).bytes());
      assertThat(row.getString(9)).isEqualTo(event.get("e").toString());
      assertThat(row.getDecimal(10, 9, 2).toJavaBigDecimal().unscaledValue())
          .isEqualTo(new BigInteger(((ByteBuffer) event.get("m")).array()));
      assertThat(row.getInt(11)).isEqualTo(event.get("day"));
      assertThat(row.getLong(12)).isEqualTo(1_000 * (long) event.get("ms"));
      assertThat(row.getLong(13)).isEqualTo(event.get("us"));
      assertThat(row.getLong(14)).isEqualTo(event.get("local"));
      ArrayData array = row.getArray(15);
      List<Long> numbers = new ArrayList<>();
      for (int k = 0; k < array.numElements(); k++) {
        numbers.add(array.isNullAt(k) ? null : array.getLong(k));
      }
      assertThat(numbers).isEqualTo(event.get("a"));
      MapData map = row.getMap(16);
      Map<String, List<Object>> pairs = new HashMap<>();
      for (int k = 0; k < map.numElements(); k++) {
        InternalRow pair = map.valueArray().getStruct(k, 2);
        pairs.put(
            map.keyArray().getUTF8String(k).toString(),
            Arrays.asList(pair.getInt(0), pair.isNullAt(1) ? null : pair.getString(1)));
      }
      Map<String, List<Object>> expected = new HashMap<>();
      ((Map<?, ?>) event.get("p"))
          .forEach(
              (key, value) -> {
                GenericData.Record pair = (GenericData.Record) value;
                expected.put(key.toString(), Arrays.asList(pair.get("one"), pair.get("two")));
              });
      assertThat(pairs).isEqualTo(expected);

      // What is cut short or longer is refused, and what is spoilt is refused or read, and no more.
      assertRefused(
          reader,
          Arrays.copyOf(written, random.nextInt(written.length)),
          "is not of the Avro schema: it ");
      assertRefused(
          reader, Arrays.copyOf(written, written.length + 1), "is not of the Avro schema: it ");
      written[random.nextInt(written.length)] = (byte) random.nextInt();
      try {
        reader.read(written);
      } catch (InputException e) {
        assertThat(e).hasMessageStartingWith("is not of the Avro schema: it ");
      }
    }
  }

  @Test
  void whatAvroCantBeIsNamed() {
    MessageReader reader = avro("schema = \"ms TIMESTAMP, s STRING\", timestamp = ms");
    GenericData.Record event = event(new Random(1));
    event.put("ms", 1_767_225_600_000_000L);
    assertRefused(
        reader,
        written(event),
        "is not of the Avro schema: it has the number 1767225600000000 for 'ms', which is outside the years 0001 to 9999");
    byte[] framed = new byte[written(event).length + 5];
    framed[4] = 17;
    assertRefused(
        reader,
        framed,
        "; it begins with 0, as with the id of a schema registry: then say options { schema-id = 17 }");
  }

  @Test
  void anIdOfASchemaRegistryIsExpectedOrRefused() {
    MessageReader reader =
        avro(
            "schema = \"ms TIMESTAMP, s STRING\", timestamp = ms, options { schema-id = \"17, 18\" }");
    GenericData.Record event = event(new Random(1));
    byte[] plain = written(event);
    byte[] framed = new byte[plain.length + 5];
    System.arraycopy(plain, 0, framed, 5, plain.length);
    framed[4] = 18;
    assertThat(reader.read(framed).getLong(0)).isEqualTo(1_000 * (long) event.get("ms"));
    framed[4] = 19;
    assertRefused(reader, framed, "has the schema id 19, and the source says [17, 18]");
    assertRefused(reader, new byte[3], "has no schema id");
    assertThatThrownBy(
            () -> avro("schema = \"ms TIMESTAMP\", timestamp = ms, options { schema-id = x }"))
        .isInstanceOf(InputException.class)
        .hasMessageStartingWith("option schema-id = x: write the id");
  }

  private static GenericData.Record event(Random random) {
    GenericData.Record event = new GenericData.Record(AVRO);
    Object[] skipped = {null, "text", 7L, Map.of("k", ByteBuffer.wrap(new byte[] {1, 2}))};
    event.put("skipped", skipped[random.nextInt(4)]);
    event.put("tree", node(random, 3));
    event.put("flag", random.nextBoolean());
    event.put("i", random.nextBoolean() ? null : random.nextInt());
    event.put("l", random.nextLong());
    event.put("f", random.nextFloat());
    event.put("d", random.nextBoolean() ? null : random.nextGaussian());
    event.put("s", random.nextBoolean() ? null : "ä".repeat(random.nextInt(90)));
    byte[] bytes = new byte[random.nextInt(80)];
    random.nextBytes(bytes);
    event.put("b", ByteBuffer.wrap(bytes));
    event.put(
        "x",
        new GenericData.Fixed(
            AVRO.getField("x").schema(), new byte[] {1, (byte) random.nextInt(), 3}));
    event.put(
        "e",
        new GenericData.EnumSymbol(AVRO.getField("e").schema(), random.nextBoolean() ? "A" : "B"));
    BigDecimal decimal = BigDecimal.valueOf(random.nextInt(1_999_999_999) - 999_999_999L, 2);
    event.put("m", ByteBuffer.wrap(decimal.unscaledValue().toByteArray()));
    event.put("day", (int) LocalDate.parse("0001-01-01").toEpochDay() + random.nextInt(3_000_000));
    event.put("ms", (long) random.nextInt() * 1_000);
    event.put("us", (long) random.nextInt() * 100_000);
    event.put("local", (long) random.nextInt());
    event.put("counted", (long) random.nextInt());
    List<Long> array = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      array.add(random.nextBoolean() ? null : random.nextLong());
    }
    event.put("a", array);
    Map<String, GenericData.Record> map = new HashMap<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      Schema pair = AVRO.getField("p").schema().getValueType();
      GenericData.Record record = new GenericData.Record(pair);
      record.put("one", i);
      record.put("two", random.nextBoolean() ? null : "t" + i);
      map.put("k" + i, record);
    }
    event.put("p", map);
    event.put("last", "end");
    return event;
  }

  private static GenericData.Record node(Random random, int depth) {
    GenericData.Record node = new GenericData.Record(AVRO.getField("tree").schema());
    node.put("n", random.nextInt());
    List<GenericData.Record> below = new ArrayList<>();
    for (int i = depth == 0 ? 0 : random.nextInt(3); i > 0; i--) {
      below.add(node(random, depth - 1));
    }
    node.put("below", below);
    return node;
  }

  private static byte[] written(GenericData.Record event) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    try {
      new GenericDatumWriter<GenericData.Record>(AVRO).write(event, encoder);
      encoder.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private MessageReader json(String schema, String more) {
    return reader("value = json, timestamp = at, schema = \"%s\", %s".formatted(schema, more));
  }

  private MessageReader avro(String more) {
    try {
      Files.writeString(folder.resolve("e.avsc"), AVRO.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return reader("value = avro, avro-schema = \"e.avsc\", " + more);
  }

  private MessageReader reader(String keys) {
    try {
      Files.writeString(
          folder.resolve("a.conf"),
          "sources { s { format = kafka, topic = t, table = \"events.t\", %s } }".formatted(keys));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Settings settings =
        Settings.load(
            ConfigFactory.empty()
                .withValue("tarn.definitions", ConfigValueFactory.fromAnyRef(folder.toString())));
    Source source = Definitions.load(settings).streamSource("s");
    return MessageFormat.of(source).reader();
  }

  private static void assertRefused(MessageReader reader, byte[] value, String message) {
    assertThatThrownBy(() -> reader.read(value))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message);
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
