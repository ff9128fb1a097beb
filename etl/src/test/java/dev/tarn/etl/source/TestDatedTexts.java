package dev.tarn.etl.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.THROWABLE;

import com.google.common.base.Throwables;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.input.InputException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A text without a day is no timestamp, wherever SQL makes one of it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestDatedTexts {

  private SparkSession spark;

  @BeforeAll
  void open() {
    Workbench bench = new Workbench();
    spark = bench.spark();
    // Of a file, so that Spark does not compute it while it plans.
    spark
        .sql("SELECT '10:15:00' AS t, TIMESTAMP '2026-01-01 00:00:00' AS at")
        .write()
        .parquet(bench.path("times").toString());
    spark.read().parquet(bench.path("times").toString()).createOrReplaceTempView("times");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "CAST(t AS TIMESTAMP)",
        "CAST('T' || t AS TIMESTAMP)",
        "CAST(concat('  ', t, 'Z ') AS TIMESTAMP)",
        "CAST(substr(t, 1, 5) AS TIMESTAMP)",
        "CAST('T10' || substr(t, 9) AS TIMESTAMP)",
        "timestamp(t)",
        "to_timestamp(t)",
        "try_to_timestamp(t)",
        "try_cast(t AS TIMESTAMP)",
        "to_timestamp_ltz(t)",
        "at < t",
        "t BETWEEN at AND at",
        "date_trunc('HOUR', t)",
        "from_utc_timestamp(t, 'Europe/Berlin')",
        "date_format(t, 'yyyy')",
        "unix_micros(CAST(t AS TIMESTAMP))",
        "max(CAST(t AS TIMESTAMP))",
        "max(at) OVER (PARTITION BY CAST(t AS TIMESTAMP))",
        "CAST(array(t) AS ARRAY<TIMESTAMP>)",
        "CAST(map('a', t) AS MAP<STRING, TIMESTAMP>)",
        "CAST(named_struct('a', 1, 'b', array(t)) AS STRUCT<a: INT, b: ARRAY<TIMESTAMP>>)",
        "transform(array(t), x -> CAST(x AS TIMESTAMP))",
        "(SELECT max(CAST(u.t AS TIMESTAMP)) FROM times u)",
        "EXISTS (SELECT 1 FROM times u WHERE u.at > times.t)",
        "from_json(concat('{\"a\": 1, \"b\": \"', t, '\"}'), 'a INT, b TIMESTAMP')",
        "from_json(concat('[{\"a\": {\"b\": \"', t, '\"}}]'), 'ARRAY<STRUCT<a: MAP<STRING, TIMESTAMP>>>')",
        "from_csv(concat('1,', t), 'a INT, b TIMESTAMP')",
        "CAST(nvl(NULL, '10:15') AS TIMESTAMP)",
      })
  void aTimeOfDayIsNoTimestamp(String expression) {
    Dataset<Row> rows =
        DatedTexts.required(spark.sql("SELECT %s FROM times".formatted(expression)));
    assertThatThrownBy(rows::collectAsList)
        .extracting(Throwables::getRootCause, THROWABLE)
        .isInstanceOf(InputException.class)
        .hasMessageMatching(
            "the text '\\s*(T?10(:15(:00)?)?)Z? *' is a time without a day, and as a timestamp it would be of the day on which the job runs: put the day before it, .*");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "hour(t) + minute(t) + second(t) # 25",
        "extract(SECOND FROM t) # 0.000000",
        "to_timestamp(t, 'HH:mm:ss') # 1970-01-01T10:15:00Z",
        "to_timestamp(concat('2026-01-05 ', t)) # 2026-01-05T10:15:00Z",
        "to_timestamp(concat('2026-01-05T', t, '+01:00')) # 2026-01-05T09:15:00Z",
        "CASE WHEN t LIKE '____-%' THEN CAST(t AS TIMESTAMP) END # null",
        "CAST(t AS DATE) # null",
        "to_date(t) # null",
        "CAST(t AS TIMESTAMP_NTZ) # null",
        "CAST(concat(t, ' junk') AS TIMESTAMP) # null",
        "CAST(replace(t, '10:15:00', 'Tuesday') AS TIMESTAMP) # null",
        "CAST(replace(t, '10:15:00', '25:00') AS TIMESTAMP) # null",
        "CAST(replace(t, '10:15:00', '2026') AS TIMESTAMP) # 2026-01-01T00:00:00Z",
        // What is the clock where it is a constant is no moment in a column.
        "CAST(replace(t, '10:15:00', 'now') AS TIMESTAMP) # null",
        "CAST(replace(t, '10:15:00', 'today') AS DATE) # null",
        "CAST(replace(t, '10:15:00', 'yesterday') AS TIMESTAMP_NTZ) # null",
        "CAST(replace(t, '10:15:00', 'epoch') AS TIMESTAMP) # null",
        "CAST('epoch' AS TIMESTAMP) # 1970-01-01T00:00:00Z",
        "from_json(concat('{\"a\": \"', t, '\"}'), 'a STRING').a # 10:15:00",
        "from_json('{\"a\": \"2026-01-05T10:15:00Z\"}', 'a TIMESTAMP').a # 2026-01-05T10:15:00Z",
        "from_json('{\"a\": 1767225600}', 'a TIMESTAMP').a # 2026-01-01T00:00:00Z",
        "from_json(concat('{\"a\": \"', t, '\"}'), 'a TIMESTAMP', map('timestampFormat', 'HH:mm:ss')).a # 1970-01-01T10:15:00Z",
        "CAST(array(concat('2026-01-05 ', t)) AS ARRAY<TIMESTAMP>)[0] # 2026-01-05T10:15:00Z",
      })
  void anyOtherTextIsReadAsSparkReadsIt(String expression, String value) {
    Dataset<Row> unguarded = spark.sql("SELECT %s FROM times".formatted(expression));
    Dataset<Row> rows = DatedTexts.required(DatedTexts.required(unguarded));
    assertThat(String.valueOf(rows.collectAsList().get(0).get(0))).isEqualTo(value);
    assertThat(rows.schema()).isEqualTo(unguarded.schema());
  }

  @Test
  void constantsOfTheClockAreRefusedWhereSparkComputesThemLate() {
    for (String expression :
        new String[] {
          "CAST(nvl(NULL, 'today') AS DATE)",
          "CAST(nvl(NULL, 'now') AS TIMESTAMP)",
          "CAST(nvl(NULL, 'now') AS TIMESTAMP_NTZ)"
        }) {
      assertThatThrownBy(
              () ->
                  DatedTexts.required(spark.sql("SELECT %s FROM times".formatted(expression)))
                      .collectAsList())
          .as(expression)
          .extracting(Throwables::getRootCause, THROWABLE)
          .hasMessageContaining("is the clock of the machine");
    }
  }

  @Test
  void rowsThatMakeNoTimestampsOfTextsStayWhatTheyAre() {
    Dataset<Row> rows = spark.sql("SELECT t, at + INTERVAL 1 DAY FROM times WHERE t > 'a'");
    assertThat(DatedTexts.required(rows)).isSameAs(rows);
  }
}
