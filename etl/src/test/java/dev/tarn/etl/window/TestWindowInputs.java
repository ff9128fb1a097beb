package dev.tarn.etl.window;

import static dev.tarn.etl.train.TrainingScores.settings;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.train.Training;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Events as they come: keys and values of each type, times far away, many windows. */
@Tag("slow")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestWindowInputs {

  private static final String AS_OF = "2026-01-10T00:00:00Z";

  private final Workbench bench = new Workbench();

  @BeforeAll
  void write() {
    bench
        .spark()
        .sql(
            """
            SELECT s, i, CAST(i AS BIGINT) AS l, CAST(i AS SMALLINT) AS small, date_add(DATE '2026-01-01', i) AS d,
              CAST(at AS TIMESTAMP) AS at,
              named_struct('a', i, 'b', array(s, null), 'c', CAST(i AS DECIMAL(20, 3))) AS st,
              array(named_struct('x', CAST(i AS DOUBLE), 'y', s), null) AS ar,
              encode(s, 'UTF-8') AS bin, CAST(at AS TIMESTAMP_NTZ) AS ntz, i > 1 AS flag
            FROM VALUES
              ('k|1', 1, '2026-01-05T00:00:00Z'), ('k|1', 1, '2026-01-06T00:00:00Z'),
              ('ü', 2, '2026-01-05T00:00:00Z'), ('', 3, '2026-01-05T00:00:00Z'),
              (null, null, '2026-01-05T00:00:00Z'),
              ('k|1', 1, '0001-01-01T00:00:00Z'), ('k|1', 1, '9999-12-31T23:59:59.999999Z'),
              ('ü', 2, '2500-01-01T00:00:00Z'), ('ü', 2, '1500-01-01T00:00:00Z'),
              ('ü', 2, '1969-12-31T23:59:59.999999Z') AS rows(s, i, at)""")
        .write()
        .parquet(bench.path("events").toString());
    bench.define(
        "source.conf",
        "sources { events { format = parquet, path = \"%s\", timestamp = at } }"
            .formatted(bench.path("events")));
  }

  @ParameterizedTest
  @CsvSource({
    "string, s, '[[k|1,2,3], [ü,1,3]]'",
    "int, i, '[[1,2,3], [2,1,3], [3,1,1]]'",
    "bigint, i, '[[1,2,3], [2,1,3], [3,1,1]]'",
    "int, small, '[[1,2,3], [2,1,3], [3,1,1]]'",
    "date, d, '[[2026-01-02,2,3], [2026-01-03,1,3], [2026-01-04,1,1]]'"
  })
  void anEntityHasAKeyOfAnyType(String type, String column, String rows) {
    define(
        "keyed",
        "{ name = k, type = %s }".formatted(type),
        "keys { k = %s }, where = \"s <> ''  OR '%s' <> 'string'\"".formatted(column, type),
        """
        { name = in_window, aggregate = count, window = 3650d, type = bigint }
        { name = ever, aggregate = count, type = bigint }
        """);
    bench.build("keyed", AS_OF);
    assertThat(built("keyed", "k, in_window, ever", "k")).hasToString(rows);
    drop("keyed");
  }

  @Test
  void anEntityHasSeveralKeysAndAnOverflowNamesThem() {
    define(
        "pairs",
        "{ name = d, type = date }, { name = s, type = string }",
        "where = \"i = 1\"",
        "{ name = n, aggregate = sum, of = \"9000000000000000000 * i\", window = 3650d, type = bigint }");
    assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> bench.build("pairs", AS_OF)))
        .hasMessageContaining(
            "feature 'n' of d=2026-01-02 s=k|1 at 2026-01-10T00:00:00Z: the sum 18000000000000000000 does not fit into bigint");
  }

  @Test
  void valuesOfEachTypeAreKeptAsTheyAre() {
    define(
        "kept",
        "{ name = l, type = bigint }",
        "where = \"l = 1\"",
        """
        { name = st, aggregate = last, of = st, window = 30d, type = "struct<a:int,b:array<string>,c:decimal(20,3)>" }
        { name = ar, aggregate = { last = 2 }, of = ar, window = 30d, type = "array<array<struct<x:double,y:string>>>" }
        { name = bin, aggregate = first, of = bin, type = binary }
        { name = ntz, aggregate = { last = 3 }, of = ntz, type = "array<timestamp_ntz>" }
        { name = at, aggregate = max, of = at, type = timestamp }
        { name = d, aggregate = min, of = d, type = date }
        { name = flag, aggregate = last, of = flag, type = boolean }
        { name = distinct, aggregate = count-distinct, of = st, window = 30d, type = bigint }
        """);
    bench.build("kept", AS_OF);
    assertThat(built("kept", "to_json(struct(st, ar, bin, ntz, at, d, flag, distinct))", "l"))
        .hasToString(
            "[[{\"st\":{\"a\":1,\"b\":[\"k|1\",null],\"c\":1.000},\"ar\":[[{\"x\":1.0,\"y\":\"k|1\"},null],[{\"x\":1.0,\"y\":\"k|1\"},null]],\"bin\":\"a3wx\",\"ntz\":[\"2026-01-06T00:00:00.000\",\"2026-01-05T00:00:00.000\",\"0001-01-01T00:00:00.000\"],\"at\":\"2026-01-06T00:00:00.000Z\",\"d\":\"2026-01-02\",\"flag\":false,\"distinct\":1}]]");
  }

  @AfterEach
  void forgetOtherViews() {
    bench.define("other.conf", "");
  }

  @Test
  void aHundredWindowsOfTwoViewsAreTrainedOnTogether() {
    define(
        "many",
        "{ name = i, type = int }",
        "tags = []",
        IntStream.rangeClosed(1, 100)
            .mapToObj(
                days ->
                    "{ name = n%1$d, aggregate = count, window = %1$dd, resolution = 1d, type = bigint }"
                        .formatted(days))
            .collect(Collectors.joining("\n")));
    bench.define(
        "other.conf",
        """
        feature-views { other { entity = of_many, source = events, features = [
          { name = ever, aggregate = count, type = bigint }
          { name = lately, aggregate = seconds-since-last }
        ] } }
        feature-services { both { features = [many.n1, many.n5, many.n6, many.n100, other.ever, other.lately] } }
        """);
    bench.build("many", AS_OF);
    assertThat(built("many", "i, n1, n4, n5, n6, n99, n100", "i"))
        .hasToString("[[1,0,0,1,2,2,2], [2,0,0,0,1,1,1], [3,0,0,0,1,1,1]]");
    List<String> rows =
        Training.join(
                bench.spark(),
                bench
                    .spark()
                    .sql(
                        """
                        SELECT i, CAST(at AS TIMESTAMP) AS event_timestamp FROM VALUES
                          (1, '2026-01-10T00:00:00Z'), (2, '9999-12-31T23:59:59.999999Z'),
                          (2, '1500-01-01T00:00:00Z'), (2, '1499-12-31T23:59:59Z') AS rows(i, at)"""),
                "both",
                settings(bench))
            .rows()
            .drop("event_timestamp")
            .collectAsList()
            .stream()
            .map(Row::toString)
            .sorted()
            .toList();
    assertThat(rows)
        .containsExactly(
            "[1,0,1,2,2,3,345600]",
            "[2,1,1,1,1,1,0]",
            // The windows have no event then, and the view no row.
            "[2,null,null,null,null,4,236677075199]",
            "[2,null,null,null,null,null,null]");
  }

  @Test
  void aSortThatSpillsGivesTheSameRows() {
    bench
        .spark()
        .sql(
            """
            SELECT CAST(IF(id < 1500, 1, id % 50) AS INT) AS i, repeat('x', 100) AS s,
              timestamp_seconds(1767225600 + pmod(xxhash64(id), 700000)) AS at
            FROM range(3000)""")
        .coalesce(1)
        .write()
        .parquet(bench.path("more").toString());
    bench.define(
        "more.conf",
        "sources { more { format = parquet, path = \"%s\", timestamp = at } }"
            .formatted(bench.path("more")));
    define(
        "spilled",
        "{ name = i, type = int }",
        "source = more",
        "{ name = n, aggregate = count, window = 1h, type = bigint }\n{ name = last, aggregate = { last = 3 }, of = at, type = \"array<timestamp>\" }");
    String[] asOfs = {"2026-01-03T00:00:00Z", "2026-01-05T12:00:00Z", AS_OF};
    bench.build("spilled", asOfs);
    List<String> before = built("spilled", "*", "event_timestamp, i");
    assertThat(before).hasSizeGreaterThan(100);

    AtomicLong bytes = new AtomicLong();
    SparkListener spills =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd end) {
            bytes.addAndGet(end.taskMetrics().diskBytesSpilled());
          }
        };
    String threshold = "spark.shuffle.spill.numElementsForceSpillThreshold";
    bench.spark().sparkContext().addSparkListener(spills);
    SparkEnv.get().conf().set(threshold, "100");
    try {
      bench.build("spilled", asOfs);
    } finally {
      SparkEnv.get().conf().remove(threshold);
    }
    assertThat(built("spilled", "*", "event_timestamp, i")).isEqualTo(before);
    await().until(() -> bytes.get() > 0);
    bench.spark().sparkContext().removeSparkListener(spills);
  }

  private void define(String view, String keys, String more, String features) {
    bench.define(
        "view.conf",
        """
        entities { of_%1$s { keys = [%2$s] } }
        feature-views { %1$s { entity = of_%1$s
          %3$s
          features = [
          %4$s
        ] } }
        """
            .formatted(
                view,
                keys,
                more.contains("source =") ? more : "source = events\n" + more,
                features));
  }

  private List<String> built(String view, String columns, String order) {
    return bench
        .spark()
        .sql("SELECT %s FROM %s ORDER BY %s".formatted(columns, bench.lake().sqlName(view), order))
        .collectAsList()
        .stream()
        .map(Row::toString)
        .toList();
  }

  private void drop(String view) {
    bench.spark().sql("DROP TABLE " + bench.lake().sqlName(view));
  }
}
