package dev.tarn.etl.train;

import static dev.tarn.etl.train.TrainingScores.MONDAY;
import static dev.tarn.etl.train.TrainingScores.settings;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.Scores;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What goes into a training set comes out, in all tools and whatever the session is set to. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestTrainValues {

  private static final String FEATURES =
      """
      [
        { name = open_end, type = timestamp }
        { name = early, type = timestamp }
        { name = born, type = date }
        { name = score, type = double, default = "NaN" }
        { name = low, type = float, default = "-Infinity" }
        { name = place, type = "struct<`a b`:int,`geo-lat`:double,`größe`:string,`select`:array<int>>" }
      ]
      """;

  private static final String ALL =
      "score.open_end, score.early, score.born, score.score, score.low, score.place";

  private static final String VALUES =
      "9999-12-31T23:59:59Z, 1850-06-01T12:00:00.000001Z, 0001-01-01, NaN, -Infinity, [1,2.5,x,";

  private Workbench bench;

  @BeforeAll
  void build() {
    bench = new Workbench();
    Scores.query(
        bench,
        """
        SELECT 1L AS user_id, TIMESTAMP '%s' AS at, TIMESTAMP '9999-12-31 23:59:59Z' AS open_end,
          TIMESTAMP '1850-06-01 12:00:00.000001Z' AS early, DATE '0001-01-01' AS born,
          CAST(NULL AS DOUBLE) AS score, CAST(NULL AS FLOAT) AS low,
          named_struct('a b', 1, 'geo-lat', 2.5D, 'größe', 'x', 'select', array(3)) AS place
        """
            .formatted(MONDAY));
    Scores.define(bench, FEATURES, "");
    TrainingScores.service(bench, ALL);
    bench.build("score", MONDAY);
    bench.push("score");
  }

  private Dataset<Row> spine() {
    return bench
        .spark()
        .sql(
            "SELECT 1L AS user_id, TIMESTAMP '%s' AS event_timestamp, TIMESTAMP '1500-01-01 00:00:00Z' AS seen"
                .formatted(MONDAY));
  }

  @Test
  void aFolderHasTimesInMicrosecondsOfUtcAndEveryValue() throws IOException {
    String set = bench.path("set").toString();
    TrainingSet made = Training.join(bench.spark(), spine(), "ranking", settings(bench));
    made.save(set);
    MessageType schema = schema(set + "/part-00000.parquet");
    for (String column : List.of("event_timestamp", "seen", "open_end", "early")) {
      assertThat(schema.getType(column).toString())
          .contains("int64 %s (TIMESTAMP(MICROS,true))".formatted(column));
    }
    Dataset<Row> read = bench.spark().read().parquet(set);
    Row row = read.head();
    assertThat(row.toString())
        .startsWith("[1,%s,1500-01-01T00:00:00Z,%s".formatted(MONDAY, VALUES.replace(", ", ",")));
    // The set is a spine of its own, and made again it is the same.
    bench.define("other.conf", "feature-services { dates { features = [score.born] } }");
    Dataset<Row> without = read.drop("born");
    assertThat(
            Training.join(bench.spark(), without, "dates", settings(bench))
                .rows()
                .head()
                .toString())
        .endsWith("0001-01-01]");
    spine().write().parquet(bench.path("spine").toString());
    assertThat(
            bench.run(
                "train",
                "manifest=" + set,
                "spine=" + bench.path("spine"),
                "out=" + bench.path("again")))
        .isZero();
    assertThat(bench.spark().read().parquet(bench.path("again").toString()).head()).isEqualTo(row);
  }

  @Test
  void theSessionOfAProgramDecidesNothing() throws IOException {
    SparkSession theirs = bench.spark().newSession();
    Map.of(
            "spark.sql.ansi.enabled", "true",
            "spark.sql.session.timeZone", "Asia/Tokyo",
            "spark.sql.timestampType", "TIMESTAMP_NTZ",
            "spark.sql.datetime.java8API.enabled", "false",
            "spark.sql.parquet.outputTimestampType", "INT96",
            "spark.sql.parquet.int96RebaseModeInWrite", "LEGACY",
            "spark.sql.parquet.datetimeRebaseModeInWrite", "LEGACY",
            "spark.sql.caseSensitive", "true")
        .forEach(theirs.conf()::set);
    Dataset<Row> rows =
        theirs.sql(
            "SELECT 1L AS user_id, TIMESTAMP_LTZ '2026-01-05 09:00:00' AS event_timestamp, TIMESTAMP_LTZ '1500-01-01 00:00:00Z' AS seen");
    String set = bench.path("theirs").toString();
    Training.join(theirs, rows, "ranking", settings(bench)).save(set);
    assertThat(schema(set + "/part-00000.parquet").getType("open_end").toString())
        .contains("TIMESTAMP(MICROS,true)");
    assertThat(bench.spark().read().parquet(set).head().toString())
        .startsWith("[1,%s,1500-01-01T00:00:00Z,%s".formatted(MONDAY, VALUES.replace(", ", ",")));
    assertThat(theirs.conf().get("spark.sql.session.timeZone")).isEqualTo("Asia/Tokyo");
    assertThat(theirs.conf().get("spark.sql.ansi.enabled")).isEqualTo("true");
  }

  @Test
  void defaultsThatJsonHasNoNumbersForAreServedAndTrainedOn() {
    Dataset<Row> later =
        bench
            .spark()
            .sql("SELECT 1L AS user_id, current_timestamp() + INTERVAL 1 DAY AS event_timestamp");
    Row served =
        Training.join(bench.spark(), later, "ranking", settings(bench, "as=served")).rows().head();
    assertThat(served.<Double>getAs("score")).isNaN();
    assertThat(served.<Float>getAs("low")).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(bench.run("verify", "view=score", "format=json")).isZero();
    assertThat(bench.output()).contains("\"equal\"");
  }

  @Test
  void aSnapshotAnswersTheSameWhateverSparkIsSetTo() {
    String snapshot = Long.toString(bench.build("score", MONDAY).get(0).snapshotId());
    bench.output();
    assertThat(bench.run("get", "ids=1,abc,[]", "snapshot=" + snapshot, "format=json")).isZero();
    String plain = bench.output();
    assertThat(plain).contains("\"1\":{\"features\"", "\"score\":\"NaN\"", "\"abc\":");
    bench.stopSpark();
    assertThat(
            bench.run(
                "get",
                "ids=1,abc,[]",
                "snapshot=" + snapshot,
                "format=json",
                "spark.sql.ansi.enabled=true",
                "spark.sql.caseSensitive=true",
                "spark.sql.legacy.timeParserPolicy=LEGACY",
                "spark.sql.session.timeZone=Asia/Tokyo"))
        .isZero();
    assertThat(bench.output()).isEqualTo(plain);
  }

  private static MessageType schema(String file) throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(new Path(file), new Configuration()))) {
      return reader.getFileMetaData().getSchema();
    }
  }
}
