package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.FileAsOfs;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Ranges of a window view: written together, and each as-of published by itself. */
class TestWindowRanges {

  /** Two days of which one has four as-ofs. */
  private static final String[] AS_OFS = {
    "2026-01-02T00:00:00Z",
    "2026-01-02T06:00:00Z",
    "2026-01-02T12:00:00Z",
    "2026-01-02T18:00:00Z",
    "2026-01-03T00:00:00Z"
  };

  private final Workbench bench = new Workbench();

  /** Users 1 to 9 each spend as much as their number, once an hour from the first as-of on. */
  @BeforeEach
  void write() {
    bench
        .spark()
        .sql(
            """
            SELECT id %% 9 + 1 AS user_id, id %% 9 + 1 AS amount,
              TIMESTAMP '%s' + make_interval(0, 0, 0, 0, CAST(id / 9 AS INT)) AS at
            FROM range(9 * 24)"""
                .formatted(AS_OFS[0]))
        .write()
        .parquet(bench.path("events").toString());
    define("spend", "");
  }

  @Test
  void eachAsOfHasASnapshotAndFilesOfItsOwn() {
    assertThat(bench.build("spend", AS_OFS))
        .allSatisfy(outcome -> assertThat(outcome.rows()).isEqualTo(9));
    define("alone", "");
    for (String asOf : AS_OFS) {
      bench.build("alone", asOf);
    }
    // The hours up to the as-of are 1, 7, 13, 19 and 24.
    assertThat(rows("spend", "spend")).hasSize(45).isEqualTo(rows("alone", "alone"));
    assertThat(rows("spend", "spend").get(44)).isEqualTo("[9,2026-01-03T00:00:00Z,216]");

    Table table = table("spend");
    List<Snapshot> main = snapshots(table);
    assertThat(main.stream().map(snapshot -> snapshot.summary().get(FeatureTable.AS_OF)))
        .endsWith(AS_OFS);
    assertThat(
            main.stream()
                .filter(snapshot -> snapshot.summary().containsKey(FeatureTable.AS_OF))
                .map(snapshot -> snapshot.summary().get("added-records")))
        .containsExactly("9", "9", "9", "9", "9");
    assertThat(FileAsOfs.of(table, table.currentSnapshot().snapshotId()))
        .allSatisfy(file -> assertThat(file.only()).isPresent());
    assertThat(table.refs()).containsOnlyKeys("main");
  }

  @Test
  void aCheckThatFailsStopsTheRangeAtItsAsOfAndTheNextRunGoesOn() {
    define("spend", "checks { range { spend { max = 150 } }, max-row-count-change = 0.1 }");
    assertThatThrownBy(() -> bench.build("spend", AS_OFS))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("build of spend as of 2026-01-02T18:00:00Z: 1 check failed")
        .hasMessageContaining("range of 'spend' (- to 150)")
        .hasMessageContaining("2 of 9 rows fail: user_id=8 spend=152; user_id=9 spend=171");
    assertThat(rows("spend", "spend")).hasSize(27);
    assertThat(table("spend").refs()).containsOnlyKeys("main");

    define("spend", "checks { range { spend { max = 999 } }, max-row-count-change = 0.1 }");
    bench.output();
    String[] range = {"view=spend", "from=2026-01-02", "to=2026-01-03", "every=6h"};
    assertThat(bench.run("build", range[0], range[1], range[2], range[3])).isZero();
    List<String> said = bench.output().lines().filter(line -> line.startsWith("[")).toList();
    assertThat(said).hasSize(5);
    assertThat(said.subList(0, 3)).allMatch(line -> line.endsWith("is up to date"));
    assertThat(said.subList(3, 5)).allMatch(line -> line.contains(": 9 rows in "));
    assertThat(rows("spend", "spend")).hasSize(45);
  }

  @Test
  void aRangeThatIsBuiltAgainReplacesItsRowsAndTheSchemaFollows() {
    bench.build("spend", AS_OFS);
    define("spend", "where = \"amount < 9\"", "{ name = n, aggregate = count }");
    bench.build("spend", AS_OFS[1], AS_OFS[2], AS_OFS[4]);
    assertThat(
            bench
                .spark()
                .sql(
                    "SELECT event_timestamp, count(*), sum(n) FROM %s GROUP BY 1 ORDER BY 1"
                        .formatted(bench.lake().sqlName("spend")))
                .collectAsList()
                .stream()
                .map(Row::toString))
        .containsExactly(
            "[2026-01-02T00:00:00Z,9,null]",
            "[2026-01-02T06:00:00Z,8,56]",
            "[2026-01-02T12:00:00Z,8,104]",
            "[2026-01-02T18:00:00Z,9,null]",
            "[2026-01-03T00:00:00Z,8,192]");
  }

  @Test
  void aRangeOfWhichNothingIsPublishedLeavesTheSchema() {
    bench.build("spend", AS_OFS[0]);
    String before = table("spend").schema().toString();
    define("spend", "checks { min-rows = 10 }", "{ name = n, aggregate = count }");
    assertThatThrownBy(() -> bench.build("spend", AS_OFS))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("9 rows, and at least 10 are expected");
    assertThat(table("spend").schema().toString()).isEqualTo(before);
    assertThat(table("spend").refs()).containsOnlyKeys("main");
  }

  @Test
  void rangesThatMeetArePublishedEachWhole() throws Exception {
    SparkSession spark = bench.spark();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<?>> builds = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        builds.add(
            threads.submit(
                () -> {
                  SparkSession.setActiveSession(spark.newSession());
                  bench.build("spend", AS_OFS);
                }));
      }
      for (Future<?> build : builds) {
        build.get();
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(rows("spend", "spend")).hasSize(45).doesNotHaveDuplicates();
    assertThat(table("spend").refs()).containsOnlyKeys("main");
  }

  private static List<Snapshot> snapshots(Table table) {
    List<Snapshot> oldestFirst = new ArrayList<>();
    SnapshotUtil.ancestorsOf(table.currentSnapshot().snapshotId(), table::snapshot)
        .forEach(snapshot -> oldestFirst.add(0, snapshot));
    return oldestFirst;
  }

  private Table table(String view) {
    return FeatureTable.find(bench.lake().catalog(), view).orElseThrow().iceberg();
  }

  private List<String> rows(String view, String feature) {
    return bench
        .spark()
        .sql(
            "SELECT user_id, event_timestamp, %s FROM %s ORDER BY event_timestamp, user_id"
                .formatted(feature, bench.lake().sqlName(view)))
        .collectAsList()
        .stream()
        .map(Row::toString)
        .toList();
  }

  private void define(String view, String more, String... features) {
    bench.define(
        view + ".conf",
        """
        entities { user_of_%1$s { keys = [{ name = user_id, type = bigint }] } }
        sources { events_of_%1$s {
          format = parquet, path = "%2$s", timestamp = at
          schema = "user_id BIGINT, amount BIGINT, at TIMESTAMP"
        } }
        feature-views { %1$s { entity = user_of_%1$s, source = events_of_%1$s, %3$s, features = [
          { name = %1$s, aggregate = sum, of = amount }
          %4$s
        ] } }
        """
            .formatted(
                view,
                bench.path("events"),
                more.isEmpty() ? "tags = []" : more,
                String.join("\n", features)));
  }
}
