package dev.tarn.etl.train;

import static dev.tarn.etl.train.TrainingScores.MONDAY;
import static dev.tarn.etl.train.TrainingScores.build;
import static dev.tarn.etl.train.TrainingScores.settings;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.push.Scores;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Spines of text: all their columns stay as they were, or the file is refused with its place. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestTextSpines {

  private Workbench bench;
  private Path folder;
  private int number;

  @BeforeAll
  void open() {
    bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
  }

  @BeforeEach
  void anotherFolder() throws IOException {
    folder = Files.createDirectories(bench.path("spines" + number++));
  }

  @Test
  void columnsAreTextAsItStands() throws IOException {
    write(
        "labels.csv",
        """
        user_id,event_timestamp,zip,code,phone,account,when,e,nan,pipe,empty,nothing
        1,2026-01-06T00:00:00Z,01234,1.10,+49170123,00000000000000000001,10:30,1e5,NaN,"5"" pipe, ""steel""\",\"\",
        1,2026-01-06T00:00:00Z,1234,1.1,49170123,1,2026,100000,,"two
        lines",NULL,x
        """);
    Dataset<Row> rows = train("labels.csv").rows();
    assertThat(rows.schema().toDDL())
        .startsWith("user_id BIGINT,event_timestamp TIMESTAMP,zip STRING,code STRING,phone STRING");
    assertThat(texts(rows))
        .containsExactlyInAnyOrder(
            "[1,2026-01-06T00:00:00Z,01234,1.10,+49170123,00000000000000000001,10:30,1e5,NaN,5\" pipe, \"steel\",,null,10,a]",
            "[1,2026-01-06T00:00:00Z,1234,1.1,49170123,1,2026,100000,null,two\nlines,NULL,x,10,a]");
    assertThat(texts(rows.filter("zip = '01234'"))).hasSize(1);
  }

  @Test
  void typesSayWhatATextIs() throws IOException {
    write("labels.csv", "user_id,event_timestamp,zip,label\n1,2026-01-06T00:00:00Z,01234,007\n");
    Dataset<Row> rows = train("labels.csv", "types=label int, zip string").rows();
    assertThat(texts(rows)).containsExactly("[1,2026-01-06T00:00:00Z,01234,7,10,a]");
    assertThat(rows.schema().apply("label").dataType().simpleString()).isEqualTo("int");
    assertRefused(
        "has no column of text 'lable' to give a type; did you mean 'label'?",
        "labels.csv",
        "types=lable int");
    assertRefused(
        "'zip' has the text '01234', which is neither true nor false",
        "labels.csv",
        "types=zip boolean");
    assertRefused(
        "types=zip what int can't be read: write \"zip string, label int\"",
        "labels.csv",
        "types=zip what int");
    bench
        .spark()
        .sql("SELECT 1L AS user_id, TIMESTAMP '2026-01-06' AS event_timestamp")
        .write()
        .parquet(folder.resolve("p").toString());
    assertRefused("has no column of text 'user_id'", "p", "types=user_id int");
    assertRefused("options= is for a spine of text", "p", "options=sep = ;");
  }

  @Test
  void aSetIsMadeAgainByItsTypesAndOptions() throws IOException {
    write(
        "labels.csv",
        "user_id;event_timestamp;zip;label\n1;2026-01-06 01:00:00+01;01234;Müller\n",
        StandardCharsets.ISO_8859_1);
    TrainingSet set =
        train("labels.csv", "types=zip string", "options=sep = \";\", encoding = ISO-8859-1");
    set.save(folder.resolve("set").toString());
    TrainingSet again = Training.again(bench.spark(), set.id(), settings(bench));
    assertThat(texts(again.rows())).containsExactly("[1,2026-01-06T00:00:00Z,01234,Müller,10,a]");
  }

  @Test
  void aSetFromWhenTypesWereGuessedIsMadeAgain() throws IOException {
    write("labels.csv", "user_id,event_timestamp,zip\n1,2026-01-06T00:00:00Z,01234\n");
    Dataset<Row> guessed =
        bench
            .spark()
            .sql(
                "SELECT 1L AS user_id, TIMESTAMP '2026-01-06T00:00:00Z' AS event_timestamp, 1234 AS zip");
    TrainingSet set = Training.join(bench.spark(), guessed, "ranking", settings(bench));
    set.save(folder.resolve("set").toString());
    String location = folder.resolve("labels.csv").toString();
    TrainingSet again =
        Training.again(bench.spark(), set.id(), settings(bench, "spine=" + location));
    assertThat(texts(again.rows())).containsExactly("[1,2026-01-06T00:00:00Z,1234,10,a]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "user_id,event_timestamp,label,label # 1,2026-01-06T00:00:00Z,8,9 # has two columns 'label': rename one of them",
        "user_id,event_timestamp,label,Label # 1,2026-01-06T00:00:00Z,8,9 # has two columns 'Label': rename one of them",
        "user_id,event_timestamp # 1,2026-02-30T00:00:00Z # line 2 (record 1): 'event_timestamp' has the text '2026-02-30T00:00:00Z', which is no moment with a zone: there is no day 2026-02-30",
        "user_id,event_timestamp # 1,2026-01-06T00:00:60Z # has the text '2026-01-06T00:00:60Z', which is no moment with a zone: there is no second 60",
        "user_id,event_timestamp # 1,2026-01-06 00:00:00 # has the text '2026-01-06 00:00:00', which is no moment with a zone",
        "user_id,event_timestamp # one,2026-01-06T00:00:00Z # 'user_id' has the text 'one', which is no bigint",
        "user_id,event_timestamp # 1,2026-01-06T00:00:00Z,x # line 2 (record 1) has 3 values where there are 2 columns",
        "user_id,event_timestamp # 1, # 1 of 1 row has no event_timestamp"
      })
  void whatDoesNotFitIsRefusedWithItsPlace(String header, String record, String message)
      throws IOException {
    write("labels.csv", header + "\n" + record + "\n");
    assertRefused(message, "labels.csv");
  }

  @Test
  void timesOfPostgresqlAndPandasAreRead() throws IOException {
    write(
        "labels.csv",
        """
        user_id,event_timestamp
        1,2026-01-05 06:00:00+00
        1,2026-01-05 07:00:00.123456789+0100
        1,2026-01-05 06:00:00.5+00:00
        """);
    assertThat(texts(train("labels.csv").rows()))
        .containsExactlyInAnyOrder(
            "[1,2026-01-05T06:00:00Z,10,a]",
            "[1,2026-01-05T06:00:00.123456Z,10,a]",
            "[1,2026-01-05T06:00:00.500Z,10,a]");
  }

  @Test
  void aSpineInAnotherEncodingIsRefused() throws IOException {
    write(
        "labels.csv",
        "user_id,event_timestamp,name\n1,2026-01-06T00:00:00Z,Müller\n",
        StandardCharsets.ISO_8859_1);
    assertRefused(
        "line 2 (record 1) is not UTF-8; say which encoding it has: options", "labels.csv");
    write(
        "names.csv",
        "user_id,event_timestamp,größe\n1,2026-01-06T00:00:00Z,1\n",
        StandardCharsets.ISO_8859_1);
    assertRefused("names.csv is not UTF-8; say which encoding it has", "names.csv");
  }

  @Test
  void aTextThatIsNoUtf8IsRefused() {
    String broken =
        "SELECT 1L AS user_id, TIMESTAMP '2026-01-06' AS event_timestamp, array(CAST(unhex('4DFC') AS STRING)) AS names";
    bench.spark().sql(broken).write().parquet(folder.resolve("p").toString());
    assertRefused("column 'names' of file:" + folder + "/p/", "p");
    assertThatThrownBy(
            () ->
                Training.join(bench.spark(), bench.spark().sql(broken), "ranking", settings(bench)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "the spine: the texts of 'names' are no UTF-8 in 1 of 1 row, e.g. [1,2026-01-06T00:00:00Z,");
  }

  @Test
  void anOptionThatIsGivenTwiceIsRefused() throws IOException {
    write("labels.csv", "user_id;event_timestamp\n");
    assertRefused(
        "options=sep = \";\", sep = \"|\": 'sep' has a value already (line 1), and HOCON keeps only the last of the two",
        "labels.csv",
        "options=sep = \";\", sep = \"|\"");
  }

  @Test
  void filesThatWerePutTogetherAreRefused() throws IOException {
    String labels = "user_id,event_timestamp,label\n1,2026-01-06T00:00:00Z,x\n";
    write("labels.csv", labels + labels);
    assertRefused("line 3 (record 2) begins as a file does (the header once more)", "labels.csv");
  }

  @Test
  void theFileOfThatVeryNameIsRead() throws IOException {
    String row = "user_id,event_timestamp,label\n1,2026-01-06T00:00:00Z,%s\n";
    write("labels1.csv", row.formatted("wrong"));
    write("labelsa.csv", row.formatted("wrong"));
    for (String name :
        List.of("labels[1].csv", "labels{a}.csv", "labels_2026-01-05T06:00.csv", "_labels.csv")) {
      write(name, row.formatted("right"));
      assertThat(texts(train(name).rows()))
          .as(name)
          .containsExactly("[1,2026-01-06T00:00:00Z,right,10,a]");
    }
    assertRefused("there is no such file or folder", "labels?.csv");
    write("folder/a.csv", row.formatted("x"));
    write("folder/2026/b.csv", row.formatted("y"));
    assertRefused("1 file in its subfolders would not be read, e.g. ", "folder");
  }

  @Test
  void foldersGiveText() throws IOException {
    String row = "user_id,event_timestamp\n1,2026-01-06T00:00:00Z\n";
    write("labels/store=007/a.csv", row);
    write("labels/store=7/a.csv", row);
    assertThat(texts(train("labels").rows()))
        .containsExactlyInAnyOrder(
            "[1,2026-01-06T00:00:00Z,007,10,a]", "[1,2026-01-06T00:00:00Z,7,10,a]");
    Dataset<Row> rows =
        bench
            .spark()
            .sql("SELECT 1L AS user_id, TIMESTAMP '2026-01-06T00:00:00Z' AS event_timestamp");
    rows.write().parquet(folder.resolve("p/store=007").toString());
    rows.write().parquet(folder.resolve("p/store=7").toString());
    TrainingSet set = train("p");
    assertThat(texts(set.rows()))
        .containsExactlyInAnyOrder(
            "[1,2026-01-06T00:00:00Z,007,10,a]", "[1,2026-01-06T00:00:00Z,7,10,a]");
    assertThat(set.stored().getSpine().getTextTypes()).isEqualTo("store STRING");
  }

  @Test
  void aSetMayHaveAnyNameOrIsRefusedBefore() throws IOException {
    write("labels.csv", "user_id,event_timestamp\n1,2026-01-06T00:00:00Z\n");
    TrainingSet set = train("labels.csv");
    for (String name : List.of("set[1]", "set{a}", "set?")) {
      set.save(folder.resolve(name).toString());
      assertThat(folder.resolve(name).resolve("_manifest.json")).exists();
    }
    assertNoPlace("can't have a ':' in its path", folder.resolve("set_06:00").toString());
    assertNoPlace("labels.csv is no folder", folder.resolve("labels.csv/set").toString());
    assertNoPlace("there is no catalog 'lakes'", "lakes.sets.one");
    assertNoPlace("catalog 'tarn' has no namespace 'no_such'", "tarn.no_such.one");
    assertThat(new TrainingSets(bench.lake().catalog()).all()).isNotEmpty();
  }

  @Test
  void aParquetSpineMustHaveAllColumnsInAllFiles() {
    String row = "SELECT 1L AS user_id, TIMESTAMP '2026-01-06T00:00:00Z' AS event_timestamp, 1 AS ";
    bench.spark().sql(row + "label").write().parquet(folder.resolve("p").toString());
    bench
        .spark()
        .sql(row + "target")
        .write()
        .mode("append")
        .parquet(folder.resolve("p").toString());
    assertRefused("has no column '", "p");
  }

  private void assertNoPlace(String message, String out) {
    assertThatThrownBy(() -> Output.of(bench.lake(), out, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }

  private TrainingSet train(String name, String... words) {
    List<String> all =
        new ArrayList<>(List.of("train", "spine=" + folder.resolve(name), "service=ranking"));
    all.addAll(List.of(words));
    CommandLine line = CommandLine.parse(all.toArray(new String[0])).orElseThrow();
    return new Training(bench.lake(), bench.settings(), Console.silent())
        .newSet(line, Optional.empty());
  }

  private void assertRefused(String message, String name, String... words) {
    assertThatThrownBy(() -> train(name, words))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }

  private static List<String> texts(Dataset<Row> rows) {
    return rows.collectAsList().stream().map(Row::toString).toList();
  }

  private void write(String name, String text) throws IOException {
    write(name, text, StandardCharsets.UTF_8);
  }

  private void write(String name, String text, Charset encoding) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.write(file, text.getBytes(encoding));
  }
}
