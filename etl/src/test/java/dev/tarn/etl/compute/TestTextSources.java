package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Builds from files: what goes in is what was written, or it is refused with its place. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestTextSources {

  private static final String AS_OF = "2026-01-03T00:00:00Z";

  private static final String SCHEMA =
      "schema = \"user_id BIGINT, at TIMESTAMP, note STRING, amount DOUBLE, qty INT\"";

  private static final String HEADER = "user_id,at,note,amount,qty\n";

  private Workbench bench;
  private Path folder;
  private int number;

  @BeforeAll
  void open() {
    bench = new Workbench();
  }

  @BeforeEach
  void anotherView() throws IOException {
    number++;
    folder = Files.createDirectories(bench.path("data" + number));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "2,2026-01-01T00:00:00Z,3,50,12.00,1 # line 3 (record 2) has 6 values where there are 5 columns: 2,2026-01-01T00:00:00Z,3,50,12.00,1",
        "3,2026-01-01T00:00:00Z,cut # line 3 (record 2) has 3 values where there are 5 columns",
        "3 # line 3 (record 2) has 1 value where there are 5 columns",
        "2,2026-01-01T00:00:00Z,x,1,one # line 3 (record 2): 'qty' has the text 'one', which is no int",
        "2,10:30,x,1,1 # line 3 (record 2): 'at' has the text '10:30', which is no timestamp",
        "2,202601,x,1,1 # line 3 (record 2): 'at' has the text '202601', which is no timestamp",
        "2,,x,1,1 # line 3 (record 2) has no 'at', so no build could ever tell whether it may see it",
        "2,2026-01-01T00:00:00Z,5\" pipe,1,1 # line 3 (record 2) has a quote in a field that does not begin",
        "2,2026-01-01T00:00:00Z,\"x,1,1 # line 3 (record 2) has a quote that is not closed"
      })
  void aRecordThatDoesNotFitStopsTheBuildWhateverTheSqlReads(String record, String message)
      throws IOException {
    Path file = write("bad.csv", HEADER + "1,2026-01-01T00:00:00Z,x,1,1\n" + record + "\n");
    // The SQL reads neither the column that is broken nor the time.
    assertRefused(
        csv("bad.csv", "timestamp = at"),
        "CAST(count(*) AS STRING)",
        "source 'events' (features/view.conf:2): file:" + file + " " + message);
  }

  @Test
  void csvIsReadByRfc4180() throws IOException {
    write(
        "a.csv",
        "\uFEFF"
            + HEADER
            + "1,2026-01-01T00:00:00Z,\"5\"\" pipe, \"\"steel\"\"\",1e1,\r\n"
            + "2,2026-01-02 01:00:00+0200,\"two\nlines\",NaN,7\n"
            + "3,2026-01-01,\"\",,\"\"\n"
            + "4,2026-01-01,,\"\",1\n");
    assertThat(build(csv("a.csv", "timestamp = at"), "max(note)"))
        .containsExactly("[1,5\" pipe, \"steel\"]", "[2,two\nlines]", "[3,]", "[4,null]");
    assertThat(
            build(
                csv("a.csv", "timestamp = at"),
                "CAST(struct(max(amount), max(qty), max(at)) AS STRING)"))
        .containsExactly(
            "[1,{10.0, null, 2026-01-01 00:00:00}]",
            "[2,{NaN, 7, 2026-01-01 23:00:00}]",
            "[3,{null, null, 2026-01-01 00:00:00}]",
            "[4,{null, 1, 2026-01-01 00:00:00}]");
  }

  @Test
  void optionsNameAnotherDialect() throws IOException {
    write(
        "a.csv",
        "user_id;at;note;amount;qty\n1;01.01.2026 06:30;Müller;1;1\n",
        StandardCharsets.ISO_8859_1);
    String options =
        "options { sep = \";\", encoding = ISO-8859-1, timestampFormat = \"dd.MM.yyyy HH:mm\" }";
    assertThat(build(csv("a.csv", "timestamp = at, " + options), "max(note)"))
        .containsExactly("[1,Müller]");
    assertRefused(
        csv("a.csv", "options { seperator = \";\" }"),
        "max(note)",
        "there is no option 'seperator' here; there are: sep");
    assertRefused(
        csv("a.csv", "options { mode = PERMISSIVE }"),
        "max(note)",
        "option mode = PERMISSIVE would lose");
    assertRefused(
        csv("a.csv", "options { encoding = latin-nine }"),
        "max(note)",
        "there is no such encoding");
  }

  @Test
  void anotherEncodingIsRefusedAndNotReplaced() throws IOException {
    Path file =
        write(
            "a.csv",
            HEADER + "1,2026-01-01,Müller,1,1\n1,2026-01-01,Mäller,1,1\n",
            StandardCharsets.ISO_8859_1);
    assertRefused(
        csv("a.csv", ""),
        "CAST(count(*) AS STRING)",
        "file:%s line 2 (record 1) is not UTF-8; say which encoding it has: options { encoding = \"ISO-8859-1\" }"
            .formatted(file));
    write("b.json", "{\"user_id\":1,\"note\":\"Müller\"}\n", StandardCharsets.ISO_8859_1);
    assertRefused(json("b.json", ""), "max(note)", "b.json is not UTF-8; say which encoding");
    assertThat(
            build(
                json("b.json", "missing-columns = null, options { encoding = ISO-8859-1 }"),
                "max(note)"))
        .containsExactly("[1,Müller]");
  }

  @Test
  void numbersAreMomentsOnlyWhereTheSourceSaysSo() throws IOException {
    write(
        "a.json",
        "{\"user_id\":1,\"at\":1767225600000,\"note\":\"x\",\"amount\":1,\"qty\":1}\n"
            + "{\"user_id\":2,\"at\":1769904000000,\"note\":\"later\",\"amount\":1,\"qty\":1}\n");
    assertRefused(
        json("a.json", "timestamp = at"),
        "max(note)",
        "line 1 (record 1): 'at' has the text '1767225600000', which is no timestamp; if it counts time since 1970, its source must say so: epoch = milliseconds (or seconds, microseconds)");
    assertRefused(
        json("a.json", "timestamp = at, epoch = seconds"),
        "max(note)",
        "which is outside the years 0001 to 9999 as seconds since 1970: the source's epoch is another one");
    assertThat(build(json("a.json", "timestamp = at, epoch = milliseconds"), "max(note)"))
        .containsExactly("[1,x]");
  }

  @Test
  void jsonIsRefusedWhereAFieldHasAnotherName() throws IOException {
    write(
        "a.json", "{\"user_id\":1,\"At\":\"2026-01-01\",\"note\":\"x\",\"amount\":1,\"qty\":1}\n");
    assertRefused(
        json("a.json", ""),
        "max(note)",
        "line 1 (record 1): has the field 'At', and the schema has 'at'");
    write(
        "a.json",
        "{\"user_id\":1,\"when\":\"2026-01-01\",\"note\":\"x\",\"amount\":1,\"qty\":1}\n");
    assertRefused(json("a.json", "timestamp = at"), "max(note)", "line 1 (record 1) has no 'at'");
    assertRefused(
        json("a.json", ""),
        "max(note)",
        "no record of file:" + folder + "/a.json has the field 'at' of the schema");
    assertThat(build(json("a.json", "missing-columns = null"), "max(note)"))
        .containsExactly("[1,x]");
  }

  @Test
  void aBuildSaysWhenNoRowIsFromBeforeItsAsOf() throws IOException {
    write("a.csv", HEADER + "1,2026-02-01,x,1,1\n");
    bench.output();
    assertThat(build(csv("a.csv", "timestamp = at"), "max(note)")).isEmpty();
    assertThat(bench.output())
        .contains("source 'events' has rows, and none of them is from before 2026-01-03T00:00:00Z");
  }

  @Test
  void rowsWithoutATimeAreLeftOutOnlyWhereTheSourceSaysSo() throws IOException {
    write("a.csv", HEADER + "1,2026-01-01,x,1,1\n2,,y,1,1\n");
    bench.output();
    assertThat(build(csv("a.csv", "timestamp = at, missing-times = skip"), "max(note)"))
        .containsExactly("[1,x]");
    assertThat(bench.output()).contains("source 'events': 1 row without 'at' is left out");

    bench
        .spark()
        .sql("SELECT 1L AS user_id, CAST(NULL AS TIMESTAMP) AS at, 'x' AS note")
        .write()
        .parquet(folder.resolve("p").toString());
    assertRefused(
        parquet("p", "timestamp = at"),
        "max(note)",
        "source 'events' has rows without 'at', so no build could ever tell whether it may see them, e.g. [1,null,x]");
  }

  @Test
  void aMomentThatOthersCantReadIsRefused() throws IOException {
    bench
        .spark()
        .sql("SELECT 1L AS user_id, timestamp_micros(1767225600000000000) AS at, 'x' AS note")
        .write()
        .parquet(folder.resolve("p").toString());
    assertRefused(
        parquet("p", "timestamp = at"),
        "max(note)",
        "at is outside the years 0001 to 9999 in the row [1,");
    assertThatThrownBy(() -> build(parquet("p", ""), "max(at)", "timestamp"))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(
            "'x' is within the years 0001 to 9999 (features/view.conf:4): 1 of 1 row fails");
  }

  @Test
  void aTypeThatSparkHasNotIsRefusedWithItsFile() throws IOException {
    Path file =
        writeParquet(
            "message m { required int64 user_id; required int64 at (TIMESTAMP(NANOS,true)); }",
            group -> group.append("user_id", 1L).append("at", 1L));
    for (String path : List.of("p", "p/one.parquet")) {
      assertRefused(
          parquet(path, ""),
          "CAST(count(*) AS STRING)",
          "source 'events' can't be read at %s: column 'at' of file:%s is INT64 (TIMESTAMP(NANOS,true)), which Spark has no type for; write times in microseconds: df.to_parquet(…, "
              .formatted(folder.resolve(path), file));
    }
  }

  @Test
  void aParquetFileWithoutAColumnIsRefused() {
    bench
        .spark()
        .sql(
            "SELECT 1L AS user_id, TIMESTAMP '2026-01-01' AS at, 'x' AS note, named_struct('a', 1) AS s")
        .repartition(1)
        .write()
        .parquet(folder.resolve("p").toString());
    bench
        .spark()
        .sql(
            "SELECT 2L AS user_id, TIMESTAMP '2026-01-01' AS happened, 'y' AS note, named_struct('a', 1) AS s")
        .repartition(1)
        .write()
        .mode("append")
        .parquet(folder.resolve("p").toString());
    String schema = "schema = \"user_id BIGINT, at TIMESTAMP, note STRING\"";
    assertRefused(
        parquet("p", schema),
        "max(note)",
        "has no column 'at'; has it another name there? missing-columns = null in the source reads nulls there");
    assertThat(build(parquet("p", schema + ", missing-columns = null"), "max(note)"))
        .containsExactly("[1,x]", "[2,y]");
    bench
        .spark()
        .sql(
            "SELECT 2L AS user_id, TIMESTAMP '2026-01-01' AS at, 'y' AS note, named_struct('b', 1) AS s")
        .repartition(1)
        .write()
        .parquet(folder.resolve("q").toString());
    assertRefused(
        parquet("q", "schema = \"user_id BIGINT, note STRING, s STRUCT<a: INT>\""),
        "max(note)",
        "has no column 's.a'");
  }

  @Test
  void aTextWithoutADayIsNoTimestamp() throws IOException {
    write("a.csv", HEADER + "1,2026-01-01,10:15:00,1,1\n2,2026-01-01,2026-01-01 10:15,1,1\n");
    String problem =
        "the text '10:15:00' is a time without a day, and as a timestamp it would be of the day on which the job runs: put the day before it, e.g. to_timestamp(concat(day, ' ', time)), or read it by a pattern: to_timestamp(time, 'HH:mm:ss')";
    assertRefused(
        csv("a.csv", "timestamp = at"),
        "CAST(max(to_timestamp(note)) AS STRING)",
        "as of %s failed; what was published stays as it was: %s".formatted(AS_OF, problem));
    assertRefused(
        csv("a.csv", "timestamp = \"to_timestamp(note)\""),
        "max(note)",
        "features/view.conf:2: source 'events' can't be read at %s: %s"
            .formatted(folder.resolve("a.csv"), problem));
    assertThat(
            build(
                csv("a.csv", "timestamp = \"to_timestamp(concat(date(at), ' ', right(note, 5)))\""),
                "max(note)"))
        .containsExactly("[1,10:15:00]", "[2,2026-01-01 10:15]");
  }

  @Test
  void aWindowOverATextWithoutADayIsRefused() throws IOException {
    write("a.csv", HEADER + "1,2026-01-01,10:15:00,1,1\n");
    String windows =
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events { SOURCE } }
        feature-views { late { entity = user, source = events, MORE
          features = [{ name = x, OF }] } }
        """
            .replace("SOURCE", csv("a.csv", "timestamp = at"));
    for (String[] more :
        new String[][] {
          {"where = \"at < CAST(note AS TIMESTAMP)\"", "aggregate = count"},
          {"", "aggregate = last, of = \"CAST(note AS TIMESTAMP)\""},
          {"keys { user_id = \"unix_micros(CAST(note AS TIMESTAMP))\" }", "aggregate = count"}
        }) {
      bench.define("view.conf", windows.replace("MORE", more[0]).replace("OF", more[1]));
      assertThatThrownBy(() -> bench.build("late", AS_OF))
          .as(more[0] + more[1])
          .isInstanceOf(TarnException.class)
          .hasMessageContaining("the text '10:15:00' is a time without a day");
    }
  }

  @Test
  void aTextThatIsNoUtf8IsRefused() {
    String text = "CAST(unhex('4DFC6C6C6572') AS STRING)";
    String schema = "schema = \"user_id BIGINT, note STRING\"";
    rows("p", "SELECT 1L AS user_id, 'Müller' AS note");
    assertThat(build(parquet("p", schema), "max(note)")).containsExactly("[1,Müller]");
    rows("p", "SELECT 2L AS user_id, %s AS note".formatted(text));
    for (String declared : List.of("", schema)) {
      assertRefused(
          parquet("p", declared),
          "max(note)",
          "has a text that is no UTF-8: 'M\uFFFDller'; write the file anew in UTF-8, or say note BINARY in the schema and decode it in the SQL: decode(note, 'ISO-8859-1')");
    }
    assertThat(
            build(
                parquet("p", schema.replace("STRING", "BINARY")),
                "max(decode(note, if(user_id = 1, 'UTF-8', 'ISO-8859-1')))"))
        .containsExactly("[1,Müller]", "[2,Müller]");
    rows("bytes", "SELECT 1L AS user_id, unhex('4DFC') AS note");
    assertRefused(parquet("bytes", schema), "max(note)", "column 'note' of file:" + folder);
    int folders = 0;
    for (String nested :
        List.of(
            "array('a', %s)",
            "map('a', %s)",
            "map(%s, 'a')",
            "array(named_struct('n', 1, 's', named_struct('t', %s)))")) {
      String name = "nested" + folders++;
      rows(name, "SELECT 1L AS user_id, %s AS note".formatted(nested.formatted(text)));
      assertRefused(
          parquet(name, ""),
          "to_json(struct(max_by(note, user_id) AS x))",
          "column 'note' of file:" + folder + "/" + name);
    }
    // What SQL makes of bytes is looked at before it is published.
    assertRefused(
        parquet("bytes", ""),
        "max(CAST(note AS STRING))",
        "'x' is UTF-8 (features/view.conf:4): 1 of 1 row fails: user_id=1 x=M");
  }

  @Test
  void aTextOfAnIcebergTableThatIsNoUtf8IsNotPublished() {
    bench
        .spark()
        .sql(
            "CREATE TABLE tarn.raw.broken AS SELECT 1L AS user_id, CAST(unhex('4DFC') AS STRING) AS note");
    assertRefused(
        "format = iceberg, table = tarn.raw.broken",
        "max(note)",
        "'x' is UTF-8 (features/view.conf:4)");
  }

  @Test
  void aFieldOfAStructThatNoRecordHasIsRefused() throws IOException {
    String schema =
        "schema = \"user_id BIGINT, s STRUCT<a: INT, t: STRUCT<b: INT>>, l ARRAY<STRUCT<c: INT>>, m MAP<STRING, STRUCT<d: INT>>\"";
    String whole =
        "{\"user_id\":1,\"s\":{\"a\":1,\"t\":{\"b\":2}},\"l\":[{},{\"c\":3}],\"m\":{\"k\":{\"d\":4}}}\n";
    for (String field : List.of("a", "b", "c", "d")) {
      write("a.json", whole.replace("\"%s\"".formatted(field), "\"other\""));
      String path =
          java.util.Map.of("a", "s.a", "b", "s.t.b", "c", "l[].c", "d", "m{}.d").get(field);
      assertRefused(
          csv("a.json", "", schema).replace("format = csv", "format = json"),
          "CAST(count(*) AS STRING)",
          "no record of file:%s/a.json has the field '%s' of the schema; if that is right, say missing-columns = null in the source"
              .formatted(folder, path));
    }
    // One record that has it is enough, and so is none that could have it.
    for (String other : List.of(whole, "{\"user_id\":1,\"s\":null,\"l\":[],\"m\":{}}\n")) {
      write("a.json", other + "{\"user_id\":2,\"s\":null,\"l\":[],\"m\":{}}\n");
      assertThat(
              build(
                  csv("a.json", "", schema).replace("format = csv", "format = json"),
                  "CAST(count(*) AS STRING)"))
          .containsExactly("[1,1]", "[2,1]");
    }
    rows("p", "SELECT 1L AS user_id, map('k', named_struct('e', 1)) AS m, 'x' AS note");
    assertRefused(
        parquet("p", "schema = \"user_id BIGINT, note STRING, m MAP<STRING, STRUCT<d: INT>>\""),
        "max(note)",
        "has no column 'm{}.d'");
  }

  @Test
  void aFileWithoutAByteIsRefusedUnlessItMayHaveNoRecords() throws IOException {
    rows("p", "SELECT 1L AS user_id, 'x' AS note");
    write("p/part-9.parquet", "");
    assertRefused(
        parquet("p", ""),
        "max(note)",
        "p/part-9.parquet has no byte, so it is no Parquet file: was its writer stopped? write it anew, or take it away");
    write("c/a.csv", HEADER + "1,2026-01-01,x,1,1\n");
    write("c/b.csv", "");
    for (String none : List.of("", "\n\n", "\uFEFF")) {
      write("c/b.csv", none);
      assertRefused(
          csv("c", ""),
          "max(note)",
          "c/b.csv has no header, not even a record: was its writer stopped?");
    }
    write("d/a.csv", "1,2026-01-01,x,1,1\n");
    write("d/b.csv", "");
    assertThat(build(csv("d", "options { header = false }"), "max(note)")).containsExactly("[1,x]");
    write("j/a.json", "{\"user_id\":1,\"at\":null,\"note\":\"x\",\"amount\":1,\"qty\":1}\n");
    write("j/b.json", "");
    assertThat(build(json("j", ""), "max(note)")).containsExactly("[1,x]");
  }

  @Test
  void filesThatWerePutTogetherAreRefused() throws IOException {
    String schema = "schema = \"user_id BIGINT, note STRING\"";
    for (String second :
        List.of("user_id,note\n", "\uFEFFuser_id,note\n", "\uFEFF", "\"user_id\",note\n")) {
      write("a.csv", "\uFEFFuser_id,note\n1,x\n" + second + "2,y\n");
      assertRefused(
          csv("a.csv", "", schema),
          "max(note)",
          "line 3 (record 2) begins as a file does (%s): were files put together?"
              .formatted(
                  second.startsWith("\uFEFF") ? "a byte order mark" : "the header once more"));
    }
  }

  @Test
  void utf16IsReadWhereTheSourceSaysSo() throws IOException {
    String csv = HEADER + "1,2026-01-01,Müller,1,1\n";
    String json = "{\"user_id\":1,\"at\":null,\"note\":\"Müller\",\"amount\":1,\"qty\":1}\n";
    write("a.csv", "\uFEFF" + csv, StandardCharsets.UTF_16LE);
    write("a.json", json, StandardCharsets.UTF_16);
    write("b.csv", csv, StandardCharsets.UTF_16LE);
    write("b.json", json, StandardCharsets.UTF_16BE);
    String hint = "it begins as UTF-16 does: options { encoding = \"UTF-16\" }";
    assertRefused(csv("a.csv", ""), "max(note)", hint);
    assertRefused(json("a.json", ""), "max(note)", hint);
    assertRefused(
        csv("b.csv", ""),
        "max(note)",
        "b.csv is no text in UTF-8; it begins as UTF-16 does: options { encoding = \"UTF-16LE\" }");
    assertRefused(
        json("b.json", ""),
        "max(note)",
        "it begins as UTF-16 does: options { encoding = \"UTF-16BE\" }");
    write("c.json", json.replace("ü", "u"), StandardCharsets.UTF_16LE);
    assertRefused(
        json("c.json", ""),
        "max(note)",
        "it begins as UTF-16 does: options { encoding = \"UTF-16LE\" }");
    for (String[] read :
        new String[][] {
          {"a.csv", "UTF-16"}, {"a.json", "UTF-16"}, {"b.csv", "UTF-16LE"}, {"b.json", "UTF-16BE"}
        }) {
      String options = "options { encoding = \"%s\" }".formatted(read[1]);
      assertThat(
              build(
                  read[0].endsWith("csv") ? csv(read[0], options) : json(read[0], options),
                  "max(note)"))
          .as(read[0])
          .containsExactly("[1,Müller]");
    }
  }

  @Test
  void numbersAndDaysInOneColumnAreRefused() throws IOException {
    write("a.csv", HEADER + "1,2026-01-01,x,1,1\n2,20260105,y,1,1\n");
    assertRefused(
        csv("a.csv", "timestamp = at, epoch = seconds"),
        "max(note)",
        "line 3 (record 2): 'at' has the text '20260105', which is a number, and the file had 2026-01-01 before: which one does the column have?");
  }

  @Test
  void columnsThatSqlCantTellApartAreRefusedWithTheirFile() throws IOException {
    Path file =
        writeParquet(
            "message m { required int64 user_id; required int64 V; required int64 v; optional group s { optional int64 A; optional int64 a; } }",
            group -> group.append("user_id", 1L).append("V", 1L).append("v", 2L));
    String message = " has the columns 'V' and 'v', which SQL can't tell apart: rename one of them";
    assertRefused(parquet("p", ""), "CAST(count(*) AS STRING)", "file:" + file + message);
    assertRefused(
        parquet("p", "schema = \"user_id BIGINT, v BIGINT\""),
        "CAST(max(v) AS STRING)",
        "file:" + file + message);
    assertRefused(
        parquet("p", "schema = \"user_id BIGINT, s STRUCT<a: BIGINT>\""),
        "CAST(max(s.a) AS STRING)",
        "has the columns 's.A' and 's.a'");
    assertThat(build(parquet("p", "schema = \"user_id BIGINT\""), "CAST(count(*) AS STRING)"))
        .containsExactly("[1,1]");
  }

  @Test
  void aTypeOfParquetThatSparkDoesNotKnowIsRefusedWithItsFile() throws IOException {
    // One row of user_id BIGINT and h FLOAT16, by PyArrow.
    String file =
        "UEFSMRUAFRwVHCwVAhUAFQYVBhwAAAACAAAAAgEBAAAAAAAAABUAFRAVECwVAhUAFQYVBhwAAAACAAAAAgEAPhUEGT"
            + "w1ABgGc2NoZW1hFQQAFQQlAhgHdXNlcl9pZAAVDhUEFQIYAWhs/AAAABYCGRwZLCYAHBUEGSUGABkYB3VzZXJfaWQV"
            + "ABYCFkIWQiYISRwVABUAFQIAPCkGGSYAAgAAACYAHBUOGSUGABkYAWgVABYCFjYWNiZKSRwVABUAFQIAPCkGGSYAAg"
            + "AAABZ4FgImCBZ4ACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZLBwAABwAAADBAAAAUEFSMQ==";
    Files.write(
        Files.createDirectories(folder.resolve("p")).resolve("a.parquet"),
        Base64.getDecoder().decode(file));
    for (String schema : List.of("", "schema = \"user_id BIGINT\"")) {
      assertRefused(
          parquet("p", schema),
          "CAST(count(*) AS STRING)",
          "file:%s/p/a.parquet has a column of a type that Spark does not know, such as FLOAT16; write the file anew with another type"
              .formatted(folder));
    }
  }

  @Test
  void aTimeThatMicrosecondsCantHoldIsRefusedWithItsFile() throws IOException {
    Path file =
        writeParquet(
            "message m { required int64 user_id; required int64 at (TIMESTAMP(MILLIS,true)); }",
            group -> group.append("user_id", 1L).append("at", Long.MAX_VALUE / 10));
    assertRefused(
        parquet("p", ""),
        "CAST(max(at) AS STRING)",
        "file:%s has a time that microseconds since 1970 can't hold, in one of the columns at: write the file anew without it"
            .formatted(file));
  }

  @Test
  void whatPartitionFoldersGiveIsTextUnlessDeclared() throws IOException {
    for (String store : List.of("007", "7")) {
      bench
          .spark()
          .sql("SELECT %sL AS user_id, 'x' AS note".formatted(store))
          .repartition(1)
          .write()
          .parquet(folder.resolve("p/store=" + store).toString());
    }
    assertThat(build(parquet("p", ""), "concat_ws(',', array_sort(collect_set(store)))"))
        .containsExactly("[7,007,7]");
    String declared = "schema = \"user_id BIGINT, note STRING, store INT\"";
    assertThat(build(parquet("p", declared), "CAST(max(store) AS STRING)"))
        .containsExactly("[7,7]");
    write("c/store=007/a.csv", HEADER + "1,2026-01-01,x,1,1\n");
    write("c/store=7/a.csv", HEADER + "1,2026-01-01,x,1,1\n");
    assertThat(
            build(
                csv("c", "", SCHEMA.replace("qty INT", "qty INT, store STRING")),
                "concat_ws(',', array_sort(collect_set(store)))"))
        .containsExactly("[1,007,7]");
    write("c/store=x/a.csv", HEADER + "1,2026-01-01,x,1,1\n");
    assertRefused(
        csv("c", "", SCHEMA.replace("qty INT", "qty INT, store INT")),
        "CAST(count(*) AS STRING)",
        "'store' has the text 'x', which is no int");
    bench
        .spark()
        .sql("SELECT 1L AS user_id")
        .write()
        .parquet(folder.resolve("d/day=2026-01-05 junk").toString());
    assertRefused(
        parquet("d", "schema = \"user_id BIGINT, day DATE\""),
        "CAST(max(day) AS STRING)",
        "'day' has the text '2026-01-05 junk', which is no date");
  }

  @Test
  void aPathThatExistsIsReadByThatVeryName() throws IOException {
    write("e1.csv", HEADER + "1,2026-01-01,wrong,1,1\n");
    write("e[1].csv", HEADER + "1,2026-01-01,right,1,1\n");
    assertThat(build(csv("e[1].csv", ""), "max(note)")).containsExactly("[1,right]");
    write("f/_2026-01-05T06:00 x%20.csv", HEADER + "1,2026-01-01,colon,1,1\n");
    assertThat(build(csv("f/_2026-01-05T06:00 x%20.csv", ""), "max(note)"))
        .containsExactly("[1,colon]");
    bench
        .spark()
        .sql("SELECT 1L AS user_id, 'right' AS note")
        .write()
        .parquet(folder.resolve("p[1]").toString());
    bench
        .spark()
        .sql("SELECT 1L AS user_id, 'wrong' AS note")
        .write()
        .parquet(folder.resolve("p1").toString());
    assertThat(build(parquet("p[1]", ""), "max(note)")).containsExactly("[1,right]");
    Path part;
    try (var files = Files.list(folder.resolve("p1"))) {
      part = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow();
    }
    Files.copy(part, folder.resolve("p1/a:b.parquet"));
    assertRefused(
        parquet("p1", ""),
        "max(note)",
        "a:b.parquet has a ':' in its name, which Parquet's reader does not take");
    Files.createDirectories(folder.resolve("p2"));
    Files.copy(part, folder.resolve("p2/_a.parquet"));
    assertRefused(
        parquet("p2", ""),
        "max(note)",
        "p2/_a.parquet would not be read, as names that begin with _");
    assertRefused(parquet("p2/_a.parquet", ""), "max(note)", "passes over names that begin with _");
  }

  @Test
  void filesThatWouldBePassedOverAreRefused() throws IOException {
    write("f/a.csv", HEADER + "1,2026-01-01,a,1,1\n");
    write("f/2026/01/b.csv", HEADER + "1,2026-01-01,b,1,1\n");
    write("f/_logs/c.csv", "a log\n");
    assertRefused(
        csv("f", ""),
        "max(note)",
        "1 file in its subfolders would not be read, e.g. file:"
            + folder
            + "/f/2026/01/b.csv; options { recursiveFileLookup = true } reads them");
    assertThat(build(csv("f", "options { recursiveFileLookup = true }"), "max(note)"))
        .containsExactly("[1,b]");
    Files.createDirectories(folder.resolve("empty"));
    assertRefused(csv("empty", ""), "max(note)", "source 'events': there are no files at ");
  }

  @Test
  void compressedFilesAreReadWhole() throws IOException {
    try (OutputStream out =
        new GZIPOutputStream(Files.newOutputStream(folder.resolve("a.csv.gz")))) {
      out.write((HEADER + "1,2026-01-01,x,1,1\n").getBytes(StandardCharsets.UTF_8));
    }
    assertThat(build(csv("a.csv.gz", ""), "max(note)")).containsExactly("[1,x]");
    byte[] whole = Files.readAllBytes(folder.resolve("a.csv.gz"));
    Files.write(folder.resolve("a.csv.gz"), java.util.Arrays.copyOf(whole, whole.length - 12));
    assertRefused(csv("a.csv.gz", ""), "max(note)", "a.csv.gz can't be read: ");
  }

  @Test
  void aHeaderMustBeTheSchema() throws IOException {
    write("a.csv", "user_id,note,at,amount,qty\n1,x,2026-01-01,1,1\n");
    assertRefused(
        csv("a.csv", ""),
        "max(note)",
        "has a file whose header is not its schema: file:"
            + folder
            + "/a.csv has user_id, note, at, amount, qty; the schema has");
    write("a.csv", "note,user_id\nx,1\n");
    assertRefused(csv("a.csv", ""), "max(note)", "header is not its schema");
    assertThat(build(csv("a.csv", "missing-columns = null"), "max(note)")).containsExactly("[1,x]");
  }

  private String csv(String name, String more) {
    return csv(name, more, SCHEMA);
  }

  private String csv(String name, String more, String schema) {
    return "format = csv, path = \"%s\", %s%s"
        .formatted(folder.resolve(name), schema, more.isEmpty() ? "" : ", " + more);
  }

  private String json(String name, String more) {
    return csv(name, more).replace("format = csv", "format = json");
  }

  private String parquet(String name, String more) {
    return "format = parquet, path = \"%s\"%s"
        .formatted(folder.resolve(name), more.isEmpty() ? "" : ", " + more);
  }

  /** Writes rows of SQL as Parquet, beside what is there. */
  private void rows(String name, String sql) {
    bench.spark().sql(sql).write().mode("append").parquet(folder.resolve(name).toString());
  }

  /** Writes a file of one row, the only one of the folder p. */
  private Path writeParquet(String type, Consumer<Group> fill) throws IOException {
    MessageType schema = MessageTypeParser.parseMessageType(type);
    Path file = folder.resolve("p").resolve("one.parquet");
    HadoopOutputFile out =
        HadoopOutputFile.fromPath(new org.apache.hadoop.fs.Path(file.toUri()), new Configuration());
    try (ParquetWriter<Group> writer = ExampleParquetWriter.builder(out).withType(schema).build()) {
      Group row = new SimpleGroupFactory(schema).newGroup();
      fill.accept(row);
      writer.write(row);
    }
    return file;
  }

  private Path write(String name, String text) throws IOException {
    return write(name, text, StandardCharsets.UTF_8);
  }

  private Path write(String name, String text, Charset encoding) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.write(file, text.getBytes(encoding));
  }

  private List<String> build(String source, String expression) {
    return build(source, expression, "string");
  }

  // Builds a view of one feature; the result is its rows.
  private List<String> build(String source, String expression, String type) {
    number++;
    String view = "view" + number;
    bench.define(
        "view.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { events { SOURCE } }
        feature-views { VIEW { entity = user, sources = [events], sql = "SELECT user_id, SQL AS x FROM events GROUP BY user_id"
          features = [{ name = x, type = TYPE }] } }
        """
            .replace("SOURCE", source)
            .replace("VIEW", view)
            .replace("SQL", expression)
            .replace("TYPE", type));
    bench.build(view, AS_OF);
    FeatureTable table = FeatureTable.find(bench.lake().catalog(), view).orElseThrow();
    return bench
        .spark()
        .table(table.sqlName())
        .select("user_id", "x")
        .orderBy("user_id")
        .collectAsList()
        .stream()
        .map(Row::toString)
        .toList();
  }

  private void assertRefused(String source, String expression, String message) {
    assertThatThrownBy(() -> build(source, expression))
        .as(source)
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(message);
  }
}
