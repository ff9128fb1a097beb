package dev.tarn.etl.train;

import static dev.tarn.etl.train.TrainingScores.MONDAY;
import static dev.tarn.etl.train.TrainingScores.TUESDAY;
import static dev.tarn.etl.train.TrainingScores.build;
import static dev.tarn.etl.train.TrainingScores.join;
import static dev.tarn.etl.train.TrainingScores.settings;
import static dev.tarn.etl.train.TrainingScores.spine;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.base.Supplier;
import com.google.common.base.Suppliers;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.Scores;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TestTraining {

  /** What is only read: the view with one row. */
  private static final Supplier<Workbench> BUILT =
      Suppliers.memoize(
          () -> {
            Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
            build(bench, MONDAY, "1, 10, 'a'");
            return bench;
          });

  private static final String WITH_DEFAULT =
      "[{ name = points, type = bigint, default = -1 }, { name = level, type = string }]";

  @ParameterizedTest
  @ValueSource(strings = {"history = full", "history = changes"})
  void aRowAtExactlyTheTimeCountsAndALaterOneNever(String history) {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, history);
    build(bench, MONDAY, "1, 10, 'a'", "2, 20, 'a'");
    build(bench, TUESDAY, "1, 11, 'b'");

    assertThat(
            join(
                bench,
                spine(
                    bench,
                    """
                    (1, '2026-01-04T23:59:59.999999Z'), (1, '2026-01-05T00:00:00Z'),
                    (1, '2026-01-05T23:59:59.999999Z'), (1, '2026-01-06T00:00:00Z'),
                    (1, '2026-01-06T00:00:00.000001Z'), (2, '2026-01-09T00:00:00Z'),
                    (2, '2026-01-09T00:00:00Z'), (3, '2026-01-09T00:00:00Z')
                    """)))
        .containsExactly(
            "[1,4T23:59:59.999999Z,null,null]",
            "[1,5,10,a]",
            "[1,5T23:59:59.999999Z,10,a]",
            "[1,6,11,b]",
            "[1,6T00:00:00.000001Z,11,b]",
            "[2,9,20,a]",
            "[2,9,20,a]",
            "[3,9,null,null]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"history = full", "history = changes"})
  void correctionsDoNotLeakIntoWhatIsPinned(String history) throws Exception {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, history);
    long first = build(bench, MONDAY, "1, 10, 'a'", "2, 20, 'a'");
    Instant afterFirst = Instant.now();
    build(bench, TUESDAY, "1, 11, 'b'");
    // Monday again, and an older as-of that was not there before.
    build(bench, MONDAY, "1, 99, 'z'", "3, 30, 'z'");
    build(bench, "2026-01-04T00:00:00Z", "4, 40, 'z'");
    FeatureTable table = FeatureTable.find(bench.lake().catalog(), "score").orElseThrow();
    table.refs().change(refs -> refs.createTag("audited", first));
    Dataset<Row> spine =
        spine(
            bench,
            "(1, '2026-01-05T12:00:00Z'), (1, '2026-01-06T12:00:00Z'), (2, '2026-01-06T12:00:00Z'),"
                + " (3, '2026-01-06T12:00:00Z'), (4, '2026-01-06T12:00:00Z')");
    List<String> asOfFirst =
        List.of(
            "[1,5T12:00:00Z,10,a]",
            "[1,6T12:00:00Z,10,a]",
            "[2,6T12:00:00Z,20,a]",
            "[3,6T12:00:00Z,null,null]",
            "[4,6T12:00:00Z,null,null]");

    for (String at :
        List.of(
            "at=" + first,
            "at.score=" + first,
            "at=audited",
            "at=" + afterFirst,
            "at.score=" + afterFirst)) {
      assertThat(join(bench, spine, at)).as(at).isEqualTo(asOfFirst);
    }
    assertThat(join(bench, spine))
        .containsExactly(
            "[1,5T12:00:00Z,99,z]",
            "[1,6T12:00:00Z,11,b]",
            "[2,6T12:00:00Z,null,null]",
            "[3,6T12:00:00Z,30,z]",
            "[4,6T12:00:00Z,40,z]");
    assertThatThrownBy(() -> join(bench, spine, "at=2026-01-01"))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("what tarn.%s.score was then is not known", table(bench));
    assertThatThrownBy(() -> join(bench, spine, "at=audted"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no published snapshot or tag of that name");
    assertThatThrownBy(() -> join(bench, spine, "at.skore=audited"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("at.skore=…: feature service 'ranking' has no feature of that view");
  }

  @ParameterizedTest
  @ValueSource(strings = {"history = full", "history = changes"})
  void asServedGivesWhatWasLiveWithItsMaxAgeAndDefaults(String history) throws Exception {
    Workbench bench = TrainingScores.bench(WITH_DEFAULT, history);
    build(bench, MONDAY, "1, 10, 'a'", "2, 20, 'a'");
    Instant first = release(bench);
    // Of the same as-of, a correction that is released later; and then back.
    build(bench, MONDAY, "1, 99, NULL", "3, NULL, 'z'");
    Instant second = release(bench);
    assertThat(bench.run("rollback", "view=score")).isZero();
    Instant third = bench.versions().released("score").orElseThrow().releasedAt();
    // No longer live than a second, and another default.
    TrainingScores.define(
        bench,
        "[{ name = points, type = bigint, default = -2 }, { name = level, type = string }]",
        history + "\nmax-age = 1s");
    bench.push(new Push.Request(Optional.empty(), Push.Mode.FULL, true), "score");
    Instant fourth = bench.versions().released("score").orElseThrow().releasedAt();

    StringBuilder rows = new StringBuilder();
    for (Instant at :
        List.of(
            first.minusNanos(1_000),
            first,
            second.minusNanos(1_000),
            second,
            third.minusNanos(1_000),
            third,
            fourth.minusNanos(1_000),
            fourth)) {
      for (int user = 1; user <= 3; user++) {
        rows.append(rows.isEmpty() ? "" : ", ").append("(%d, '%s')".formatted(user, at));
      }
    }
    List<String> served =
        Training.join(
                bench.spark(),
                spine(bench, rows.toString()),
                "ranking",
                settings(bench, "as=served"))
            .rows()
            .orderBy("event_timestamp", "user_id")
            .collectAsList()
            .stream()
            .map(row -> row.get(2) + " " + row.get(3))
            .toList();

    List<String> ofFirst = List.of("10 a", "20 a", "null null");
    List<String> ofSecond = List.of("99 null", "null null", "-1 z");
    List<String> ofFourth = List.of("-2 null", "null null", "-2 null");
    assertThat(served.subList(0, 3)).containsOnly("null null");
    assertThat(served.subList(3, 6)).isEqualTo(ofFirst);
    assertThat(served.subList(6, 9)).isEqualTo(ofFirst);
    assertThat(served.subList(9, 12)).isEqualTo(ofSecond);
    assertThat(served.subList(12, 15)).isEqualTo(ofSecond);
    assertThat(served.subList(15, 18)).isEqualTo(ofFirst);
    assertThat(served.subList(18, 21)).isEqualTo(ofFirst);
    assertThat(served.subList(21, 24)).isEqualTo(ofFourth);
  }

  @Test
  void whatWasServedAndHasExpiredIsToldAndNotReplaced() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "").set("push.keep", "1");
    build(bench, MONDAY, "1, 10, 'a'");
    Instant first = release(bench);
    build(bench, TUESDAY, "1, 11, 'b'");
    release(bench);
    assertThat(bench.run("expire", "older-than=0s")).isZero();

    assertThatThrownBy(() -> join(bench, spine(bench, "(1, '%s')".formatted(first)), "as=served"))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("of 'score' was released from " + first)
        .hasMessageContaining("has expired")
        .hasMessageContaining("1 row of the spine was served");
  }

  @Test
  void releasesFromBeforeTheirManifestsWereNotedAreTold() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    Instant first = release(bench);
    Table history = bench.lake().catalog().find(Ledger.RELEASES).orElseThrow();
    history.updateSchema().deleteColumn("manifest").commit();
    build(bench, TUESDAY, "1, 11, 'b'");
    Instant second = release(bench);

    assertThat(
            Training.join(
                    bench.spark(),
                    spine(bench, "(1, '%s')".formatted(second)),
                    "ranking",
                    settings(bench, "as=served"))
                .rows()
                .head()
                .getLong(2))
        .isEqualTo(11);
    assertThatThrownBy(() -> join(bench, spine(bench, "(1, '%s')".formatted(first)), "as=served"))
        .hasMessageContaining("was released before releases noted how they are answered");
  }

  @Test
  void whatTheSpineHasStaysAsItIs() {
    Workbench bench = TrainingScores.bench(WITH_DEFAULT, "max-age = 1h");
    build(bench, MONDAY, "1, 10, 'a'", "2, NULL, NULL");
    Dataset<Row> spine =
        bench
            .spark()
            .sql(
                """
                SELECT 1 AS user_id, TIMESTAMP '2026-01-05T01:00:00Z' AS `when`, CAST(0.1 AS FLOAT) AS `a.b c`,
                  ARRAY(1, NULL) AS list, MAP('k', 1.50) AS map, X'00FF' AS bytes
                UNION ALL SELECT 1, TIMESTAMP '2026-01-05T01:00:00.000001Z', NULL, NULL, NULL, NULL
                UNION ALL SELECT 2, TIMESTAMP '2026-01-05T00:00:00Z', NULL, NULL, NULL, NULL
                UNION ALL SELECT 3, TIMESTAMP '2026-01-05T00:00:00Z', NULL, NULL, NULL, NULL
                """);

    Dataset<Row> joined =
        Training.join(bench.spark(), spine, "ranking", settings(bench, "time=when")).rows();

    assertThat(joined.schema().simpleString())
        .isEqualTo(
            "struct<user_id:int,when:timestamp,a.b c:float,list:array<int>,map:map<string,decimal(3,2)>,"
                + "bytes:binary,points:bigint,level:string>");
    assertThat(joined.drop("bytes", "map").collectAsList().stream().map(Row::toString).sorted())
        .containsExactly(
            "[1,2026-01-05T01:00:00.000001Z,null,null,-1,null]",
            "[1,2026-01-05T01:00:00Z,0.1,WrappedArray(1, null),10,a]",
            "[2,2026-01-05T00:00:00Z,null,null,-1,null]",
            "[3,2026-01-05T00:00:00Z,null,null,null,null]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "1L AS user_id, 'x' AS label # has no column 'event_timestamp' for the time of its rows",
        "1L AS user_id, 'x' AS event_timestmp # did you mean 'event_timestmp'?",
        "1L AS user_id, '2026-01-05' AS event_timestamp # is string, and the time of a row must be a timestamp with a zone: write CAST(event_timestamp AS TIMESTAMP)",
        "1L AS user_id, TIMESTAMP_NTZ '2026-01-05 00:00:00' AS event_timestamp # say which one its times are in, e.g. df[\"event_timestamp\"].dt.tz_localize(\"UTC\")",
        "1L AS user_id, DATE '2026-01-05' AS event_timestamp # is date",
        "1L AS usr_id, now() AS event_timestamp # has no column 'user_id', a key of entity 'user'; did you mean 'usr_id'?",
        "'1' AS user_id, now() AS event_timestamp # 'user_id' is string, and entity 'user' has it as bigint; write CAST(user_id AS bigint)",
        "CAST(NULL AS BIGINT) AS user_id, now() AS event_timestamp # 1 of 1 row has no user_id, e.g. [null,",
        "7L AS user_id, CAST(NULL AS TIMESTAMP) AS event_timestamp # 1 of 1 row has no event_timestamp, e.g. [7,null]",
        "1L AS user_id, now() AS event_timestamp, 5 AS Points # the spine has 'Points' already, which feature service 'ranking' would add",
        "1L AS user_id, now() AS event_timestamp, 5 AS x, 6 AS X # has two columns 'X'",
        "1L AS user_id, now() AS event_timestamp, 5 AS _tarn_spine # has a name that Tarn uses itself"
      })
  void aSpineThatDoesNotFitIsRefused(String columns, String message) {
    Workbench bench = BUILT.get();
    Dataset<Row> spine = bench.spark().sql("SELECT " + columns);

    assertThatThrownBy(() -> join(bench, spine))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"time=event_timestamp", "as=served"})
  void aSpineWithoutRowsGivesASetWithoutRows(String option) {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    release(bench);
    TrainingSet set =
        Training.join(
            bench.spark(),
            spine(bench, "(1, '2026-01-05T12:00:00Z')").limit(0),
            "ranking",
            settings(bench, option));
    set.save(bench.path("set").toString());
    Dataset<Row> saved = bench.spark().read().parquet(bench.path("set").toString());
    for (Dataset<Row> rows : List.of(set.rows(), saved)) {
      assertThat(rows.columns()).containsExactly("user_id", "event_timestamp", "points", "level");
      assertThat(rows.count()).isZero();
    }
  }

  @Test
  void badOptionsAreRefused() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    Dataset<Row> spine = spine(bench, "(1, '2026-01-05T12:00:00Z')");

    assertThatThrownBy(() -> join(bench, spine))
        .hasMessageContaining("nothing has been built of 'score' yet");
    assertThatThrownBy(() -> Training.join(bench.spark(), spine, "rankin", settings(bench)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("there is no feature service 'rankin'; did you mean 'ranking'?");
    assertThatThrownBy(() -> join(bench, spine, "as=now"))
        .hasMessageContaining("as=now: there are known, built and served");
    assertThatThrownBy(() -> join(bench, spine, "as=served", "at.score=v1"))
        .hasMessageContaining("give one of the two");
    assertThatThrownBy(() -> join(bench, spine, "out=x"))
        .hasMessageContaining("'out' is no option here");
    assertThatThrownBy(() -> join(bench, spine, "tme=at"))
        .hasMessageContaining("'train' takes no 'tme'");
  }

  @Test
  void featuresThatWereRenamedAndWidenedAreReadFromOlderSnapshots() {
    Workbench bench =
        TrainingScores.bench(
            "[{ name = points, type = int }, { name = level, type = string }]", "");
    Scores.define(
        bench,
        "user_id, at, CAST(points AS INT) AS points, level",
        "[{ name = points, type = int }, { name = level, type = string }]",
        "");
    long first = build(bench, MONDAY, "1, 10, 'a'");
    Scores.define(
        bench,
        "user_id, at, points, level AS grade, 1.5D AS more",
        "[{ name = points, type = bigint }, { name = grade, type = string, was = level },"
            + " { name = more, type = double }]",
        "");
    TrainingScores.service(bench, "score.points, score.grade");
    build(bench, TUESDAY, "1, 11, 'b'");
    Dataset<Row> spine = spine(bench, "(1, '2026-01-07T00:00:00Z')");

    assertThat(join(bench, spine, "at=" + first)).containsExactly("[1,7,10,a]");
    assertThat(join(bench, spine)).containsExactly("[1,7,11,b]");
    TrainingScores.service(bench, "score.points, score.more");
    assertThatThrownBy(() -> join(bench, spine, "at=" + first))
        .hasMessageContaining("is from before the feature 'more'");
    assertThat(join(bench, spine)).containsExactly("[1,7,11,1.5]");
  }

  private static Instant release(Workbench bench) {
    bench.push("score");
    return bench.versions().released("score").orElseThrow().releasedAt();
  }

  private static String table(Workbench bench) {
    return bench.settings().read(tarn -> tarn.getString("database"));
  }
}
