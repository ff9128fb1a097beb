package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.TwoHistories.CHANGED;
import static dev.tarn.etl.compute.TwoHistories.EVERY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.CurrentRows;
import dev.tarn.etl.read.SnapshotLookup;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks what a table with history {@code changes} stores, and what a reader gets from it. */
class TestChanges {

  private static final String JAN_1 = "2026-01-01T00:00:00Z";
  private static final String JAN_2 = "2026-01-02T00:00:00Z";
  private static final String JAN_3 = "2026-01-03T00:00:00Z";
  private static final String JAN_4 = "2026-01-04T00:00:00Z";

  private static final String FEATURES =
      "{ name = points, type = bigint }, { name = level, type = double }";

  private static final AtomicInteger CALLS = new AtomicInteger();

  private TwoHistories histories;

  @BeforeEach
  void define() {
    histories = new TwoHistories("{ name = user_id, type = bigint }");
    histories.define("*", FEATURES, "");
  }

  @Test
  void onlyRowsThatChangedAreStoredAndWhatEndedIsClosed() {
    build(JAN_1, "(1L, 10L, 0.5D), (2L, 20L, 0.5D), (3L, 30L, CAST(null AS DOUBLE))");
    Build.AsOfOutcome second = build(JAN_2, "(1L, 10L, 0.5D), (2L, 21L, 0.5D), (4L, 40L, 1.0D)");
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-01,null,10,0.5]",
            "[2,2026-01-01,null,20,0.5]",
            "[3,2026-01-01,null,30,null]",
            "[2,2026-01-02,null,21,0.5]",
            "[3,2026-01-02,2026-01-01,30,null]",
            "[4,2026-01-02,null,40,1.0]");
    assertThat(second.rows()).isEqualTo(3);
    assertThat(second.changed()).contains(3L);
    assertThat(histories.bench().output())
        .contains("every as of 2026-01-02T00:00:00Z: 3 rows in ")
        .contains("changed as of 2026-01-02T00:00:00Z: 3 rows, 3 changed, in ");
    assertThat(current())
        .containsExactly(
            "1 2026-01-02T00:00:00Z 10 0.5:3fe0000000000000",
            "2 2026-01-02T00:00:00Z 21 0.5:3fe0000000000000",
            "3 2026-01-01T00:00:00Z 30 null",
            "4 2026-01-02T00:00:00Z 40 1.0:3ff0000000000000");
    assertThat(histories.newest(CHANGED).summary())
        .containsEntry("tarn.as-of", JAN_2)
        .containsEntry("tarn.as-ofs", JAN_1 + "/PT24H/2")
        .containsEntry("tarn.rows", "3")
        .containsKeys("tarn.definition-hash", "tarn.sources", "tarn.version");

    // What is gone stays closed, and what comes back with the values that it had is new.
    assertThat(build(JAN_3, "(2L, 21L, 0.5D), (4L, 40L, 1.0D)").changed()).contains(1L);
    assertThat(build(JAN_4, "(1L, 10L, 0.5D), (2L, 21L, 0.5D), (4L, 40L, 1.0D)").changed())
        .contains(1L);
    assertThat(histories.stored(CHANGED).subList(6, 8))
        .containsExactly("[1,2026-01-03,2026-01-02,10,0.5]", "[1,2026-01-04,null,10,0.5]");
    assertThat(current()).hasSize(4);
  }

  @Test
  void anAsOfAtWhichNothingChangedIsAnAsOf() {
    build(JAN_1, "(1L, 10L, 0.5D)");
    Build.AsOfOutcome second = build(JAN_2, "(1L, 10L, 0.5D)");
    assertThat(second.changed()).contains(0L);
    assertThat(second.snapshotId()).isEqualTo(histories.newest(CHANGED).snapshotId());
    assertThat(histories.stored(CHANGED)).containsExactly("[1,2026-01-01,null,10,0.5]");
    assertThat(current()).containsExactly("1 2026-01-02T00:00:00Z 10 0.5:3fe0000000000000");
    FeatureTable table = histories.table(CHANGED);
    assertThat(table.storesChanges(histories.newest(CHANGED))).isTrue();
    assertThat(histories.table(EVERY).storesChanges(histories.newest(EVERY))).isFalse();
    for (String view : List.of(CHANGED, EVERY)) {
      assertThat(
              CurrentRows.newestAsOf(
                  histories.bench().lake(), histories.table(view), histories.newest(view)))
          .contains(Instant.parse(JAN_2));
      String snapshot = Long.toString(histories.newest(view).snapshotId());
      assertThat(
              new SnapshotLookup(histories.bench().lake())
                  .get(view(view), snapshot, List.of("1"), List.of())
                  .getResultsOrThrow("1")
                  .getEventTimestampsOrThrow(view)
                  .getSeconds())
          .isEqualTo(Instant.parse(JAN_2).getEpochSecond());
    }

    // So a range passes over it, and over no other.
    histories.bench().run("build", "view=changed", "from=2026-01-01", "to=2026-01-03");
    assertThat(histories.bench().output())
        .contains("[1/3] changed as of 2026-01-01T00:00:00Z is up to date")
        .contains("[2/3] changed as of 2026-01-02T00:00:00Z is up to date")
        .contains("[3/3] changed as of 2026-01-03T00:00:00Z: 1 row, 0 changed, in ");
    histories.bench().run("build", "view=changed", "as-of=2026-01-03", "format=json");
    assertThat(histories.bench().output()).contains("\"rows\":1,\"changed\":0,");
  }

  @Test
  void zeroHasASignAndNanIsOneValue() {
    build(JAN_1, "(1L, 1L, 0.0D), (2L, 1L, DOUBLE('NaN')), (3L, 1L, -0.0D), (4L, 1L, null)");
    assertThat(
            build(JAN_2, "(1L, 1L, -0.0D), (2L, 1L, DOUBLE('NaN')), (3L, 1L, -0.0D), (4L, 1L, 0D)")
                .changed())
        .contains(2L);
    assertThat(current())
        .containsExactly(
            "1 2026-01-02T00:00:00Z 1 -0.0:8000000000000000",
            "2 2026-01-02T00:00:00Z 1 NaN:7ff8000000000000",
            "3 2026-01-02T00:00:00Z 1 -0.0:8000000000000000",
            "4 2026-01-02T00:00:00Z 1 0.0:0");
  }

  @Test
  void anAsOfBuiltLateChangesWhatTheNextOneSaysAndNoOther() {
    build(JAN_1, "(1L, 10L, null), (2L, 20L, null)");
    build(JAN_3, "(1L, 10L, null)");
    build(JAN_4, "(1L, 11L, null)");
    build(JAN_2, "(1L, 15L, null), (2L, 20L, null), (5L, 50L, null)");
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-01,null,10,null]",
            "[2,2026-01-01,null,20,null]",
            "[1,2026-01-02,null,15,null]",
            "[5,2026-01-02,null,50,null]",
            "[1,2026-01-03,null,10,null]",
            "[2,2026-01-03,2026-01-02,20,null]",
            "[5,2026-01-03,2026-01-02,50,null]",
            "[1,2026-01-04,null,11,null]");
    assertThat(current())
        .containsExactly(
            "1 2026-01-04T00:00:00Z 11 null",
            "2 2026-01-02T00:00:00Z 20 null",
            "5 2026-01-02T00:00:00Z 50 null");

    // Built again without what it had, it leaves nothing of that.
    build(JAN_2, "(1L, 10L, null)");
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-01,null,10,null]",
            "[2,2026-01-01,null,20,null]",
            "[2,2026-01-02,2026-01-01,20,null]",
            "[1,2026-01-04,null,11,null]");

    // The snapshot within that build, without the rows of two as-ofs, is not to be read from.
    FeatureTable table = histories.table(CHANGED);
    Snapshot newest = histories.newest(CHANGED);
    Snapshot within = table.iceberg().snapshot(newest.parentId());
    assertThat(within.summary()).containsEntry("tarn.replaces", JAN_2);
    assertThat(table.has(Long.toString(within.snapshotId()))).isFalse();
    assertThat(table.has(Long.toString(newest.snapshotId()))).isTrue();
  }

  @Test
  void checksSeeTheWholeAsOfAndTheSqlRunsOnce() {
    UDF1<Long, Long> counted = TestChanges::counted;
    histories.bench().spark().udf().register("counted", counted, DataTypes.LongType);
    histories.define(
        "user_id, counted(points) AS points, level",
        FEATURES,
        "checks { min-rows = 2, max-row-count-change = 0.5, range { points { max = 20 } } }");
    build(JAN_1, "(1L, 10L, null), (2L, 20L, null)");
    CALLS.set(0);
    write("(1L, 10L, null), (2L, 20L, null), (3L, 20L, null)");
    // One row changes, three are counted.
    assertThat(histories.bench().build(CHANGED, JAN_2).get(0).rows()).isEqualTo(3);
    assertThat(CALLS).hasValue(3);
    histories.bench().build(EVERY, JAN_2);

    List<String> before = histories.stored(CHANGED);
    long main = histories.newest(CHANGED).snapshotId();
    write("(1L, 99L, null)");
    for (String view : List.of(EVERY, CHANGED)) {
      assertThatThrownBy(() -> histories.bench().build(view, JAN_3))
          .isInstanceOf(TarnException.class)
          .hasMessageContaining(
              "build of %s as of %s: 3 checks failed; main stays at ", view, JAN_3)
          .hasMessageContaining("1 of 1 row fails: user_id=1 points=99")
          .hasMessageContaining("1 row, and at least 2 are expected")
          .hasMessageContaining("1 row after 3 in the as-of before, and at most 50.0 %");
    }
    write("(1L, 1L, null), (1L, 2L, null), (null, 3L, null)");
    assertThatThrownBy(() -> histories.bench().build(CHANGED, JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("entity key 'user_id' is not null")
        .hasMessageContaining("1 row too many: user_id=1 rows=2");
    assertThat(histories.stored(CHANGED)).isEqualTo(before);
    assertThat(histories.newest(CHANGED).snapshotId()).isEqualTo(main);
    assertThat(histories.table(CHANGED).iceberg().refs()).containsOnlyKeys("main");
  }

  @Test
  void theFirstAsOfMayHaveNoRows() {
    build(JAN_1, "(1L, 10L, null)");
    write("(1L, 10L, null)");
    TwoHistories fresh = new TwoHistories("{ name = user_id, type = bigint }");
    fresh.define("*", FEATURES, "");
    fresh.write(histories.bench().spark().table(histories.bench().lake().sqlName(EVERY)).limit(0));
    assertThat(fresh.build(JAN_1).rows()).isZero();
    assertThat(fresh.rows(CHANGED, fresh.newest(CHANGED)).count()).isZero();
    assertThat(fresh.rows(CHANGED, Instant.parse(JAN_2)).count()).isZero();
  }

  @Test
  void aNewFeatureIsAChangeOnlyWhereItHasAValue() {
    build(JAN_1, "(1L, 10L, 0.5D), (2L, 20L, 0.5D), (3L, 30L, 0.5D)");
    histories.define(
        "user_id, level AS height, nullif(points, 20) AS score",
        "{ name = height, was = level, type = double }, { name = score, type = bigint }",
        "");
    assertThat(build(JAN_2, "(1L, 10L, 0.5D), (2L, 20L, 0.5D)").changed()).contains(2L);
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-01,null,0.5,null]",
            "[2,2026-01-01,null,0.5,null]",
            "[3,2026-01-01,null,0.5,null]",
            "[1,2026-01-02,null,0.5,10]",
            "[3,2026-01-02,2026-01-01,0.5,null]");
    current();
  }

  @Test
  void theHistoryOfATableCantBeChanged() {
    build(JAN_1, "(1L, 10L, 0.5D)");
    Workbench bench = histories.bench();
    String file = read(bench);
    bench.define("views.conf", file.replace("history = changes", "history = full"));
    assertThatThrownBy(() -> bench.build(CHANGED, JAN_2))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "features/views.conf:9: view 'changed' has history = full and its table %s was made with history = changes, which can't be changed; put that back, or give the view another name",
            bench.lake().sqlName(CHANGED));
    bench.define("views.conf", file.replace("entity = user,", "history = changes, entity = user,"));
    assertThatThrownBy(() -> bench.build(EVERY, JAN_2))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("view 'every' has history = changes and its table ")
        .hasMessageContaining(" was made with history = full, ");
    assertThat(histories.stored(EVERY)).hasSize(1);
  }

  @Test
  void asOfsAreKnownAlsoAfterFilesWereCompactedAndSnapshotsExpired() {
    build(JAN_1, "(1L, 10L, null), (2L, 20L, null)");
    build(JAN_2, "(1L, 10L, null), (2L, 21L, null)");
    String name = histories.bench().lake().sqlName(CHANGED);
    histories
        .bench()
        .spark()
        .sql(
            "CALL tarn.system.rewrite_data_files(table => '%s', options => map('rewrite-all','true'))"
                .formatted(name.substring("tarn.".length())));
    assertThat(histories.newest(CHANGED).summary()).doesNotContainKey("tarn.as-of");
    current();
    histories
        .table(CHANGED)
        .iceberg()
        .expireSnapshots()
        .expireOlderThan(System.currentTimeMillis() + 1_000)
        .retainLast(1)
        .commit();
    assertThat(histories.table(CHANGED).iceberg().snapshots()).hasSize(1);
    current();
    build(JAN_3, "(1L, 10L, null), (2L, 20L, null)");
    assertThat(current()).hasSize(2);
  }

  private static Long counted(Long points) {
    CALLS.incrementAndGet();
    return points;
  }

  private Build.AsOfOutcome build(String asOf, String rows) {
    write(rows);
    return histories.build(asOf);
  }

  private void write(String rows) {
    histories.write(
        histories
            .bench()
            .spark()
            .sql(
                """
                SELECT CAST(user_id AS BIGINT) AS user_id, CAST(points AS BIGINT) AS points,
                  CAST(level AS DOUBLE) AS level
                FROM VALUES %s AS rows(user_id, points, level)
                """
                    .formatted(rows)));
  }

  /** The rows as they are served, which must be those of the view that stores all. */
  private List<String> current() {
    Map<String, Dataset<Row>> rows = new TreeMap<>();
    for (String view : List.of(EVERY, CHANGED)) {
      rows.put(view, histories.rows(view, histories.newest(view)));
    }
    Map<String, List<String>> text = TwoHistories.text(rows);
    assertThat(text.get(CHANGED)).isEqualTo(text.get(EVERY));
    return text.get(CHANGED);
  }

  private FeatureView view(String name) {
    return histories.bench().definitions().view(name);
  }

  private static String read(Workbench bench) {
    try {
      return java.nio.file.Files.readString(bench.path("features/views.conf"));
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
