package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.TwoHistories.CHANGED;
import static dev.tarn.etl.compute.TwoHistories.EVERY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.push.OnlineCopy;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

class TestDrop {

  private static final String JAN_1 = "2026-01-01T00:00:00Z";
  private static final String JAN_2 = "2026-01-02T00:00:00Z";
  private static final String JAN_3 = "2026-01-03T00:00:00Z";
  private static final String JAN_4 = "2026-01-04T00:00:00Z";

  private final TwoHistories histories = new TwoHistories("{ name = user_id, type = bigint }");

  @Test
  void anAsOfGoesAndTheOthersStayAsTheyAreInBothHistories() {
    Workbench bench = histories.bench().set("push.max-overlay", "1");
    histories.define("*", "{ name = points, type = bigint }", "");
    build(JAN_1, "(1L, 10L), (2L, 20L), (3L, 30L)");
    build(JAN_2, "(1L, 11L), (2L, 20L), (4L, 40L)");
    build(JAN_3, "(1L, 10L), (2L, 20L), (3L, 30L), (4L, 40L)");
    build(JAN_4, "(1L, 10L), (2L, 20L), (3L, 30L), (4L, 41L)");
    bench.push(EVERY);
    bench.push(CHANGED);
    long before = histories.newest(CHANGED).snapshotId();

    // One in between: the next one differs from the one before in its fourth row alone.
    assertThat(drop(JAN_2)).isEqualTo(3);
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-01,null,10]",
            "[2,2026-01-01,null,20]",
            "[3,2026-01-01,null,30]",
            "[4,2026-01-03,null,40]",
            "[4,2026-01-04,null,41]");
    assertThat(histories.stored(EVERY)).hasSize(11).noneMatch(row -> row.contains("2026-01-02"));
    assertThat(histories.newest(CHANGED).summary())
        .containsEntry("tarn.as-ofs", "2026-01-01T00:00:00Z/PT48H/2,2026-01-04T00:00:00Z")
        .containsEntry("tarn.dropped", JAN_2);
    assertThat(histories.table(CHANGED).iceberg().refs().keySet())
        .noneMatch(ref -> ref.startsWith("audit_"));
    assertSameAtEachMoment();

    // The newest: what is online goes back to the one before.
    assertThat(drop(JAN_4)).isEqualTo(4);
    assertSameAtEachMoment();
    assertThat(bench.push(EVERY).pushed()).isTrue();
    assertThat(bench.push(CHANGED).pushed()).isTrue();
    OnlineCopy.assertServedAsInIceberg(bench, EVERY);
    OnlineCopy.assertServedAsInIceberg(bench, CHANGED);
    assertThat(OnlineCopy.released(bench, CHANGED).getAsOf().getSeconds())
        .isEqualTo(Instant.parse(JAN_3).getEpochSecond());

    // The first, and at last the only one.
    assertThat(drop(JAN_1)).isEqualTo(3);
    assertThat(histories.stored(CHANGED))
        .containsExactly(
            "[1,2026-01-03,null,10]",
            "[2,2026-01-03,null,20]",
            "[3,2026-01-03,null,30]",
            "[4,2026-01-03,null,40]");
    assertSameAtEachMoment();
    for (String view : List.of(EVERY, CHANGED)) {
      assertThatThrownBy(() -> drop(view, JAN_1))
          .isInstanceOf(UsageException.class)
          .hasMessage(
              "as-of=%s: main of %s has no rows of it; its newest as-ofs are %s"
                  .formatted(JAN_1, bench.lake().sqlName(view), JAN_3));
    }
    assertThat(drop(JAN_3)).isEqualTo(4);
    assertThat(histories.stored(CHANGED)).isEmpty();
    assertThat(histories.stored(EVERY)).isEmpty();
    assertThatThrownBy(() -> drop(CHANGED, JAN_3))
        .hasMessageEndingWith("has no rows of it, nor of any other as-of");

    // Older snapshots have what they had, and a dropped as-of is not passed over.
    assertThat(histories.rows(CHANGED, histories.table(CHANGED).iceberg().snapshot(before)).count())
        .isEqualTo(4);
    assertThat(bench.run("build", "view=changed", "from=2026-01-03", "to=2026-01-04")).isZero();
    assertThat(bench.output()).doesNotContain("is up to date");
  }

  private void assertSameAtEachMoment() {
    List<String> moments = List.of(JAN_1, JAN_2, JAN_3, JAN_4);
    Map<String, Dataset<Row>> datasets = new TreeMap<>();
    for (String view : List.of(EVERY, CHANGED)) {
      moments.forEach(
          moment -> datasets.put(view + moment, histories.rows(view, Instant.parse(moment))));
    }
    Map<String, List<String>> rows = TwoHistories.text(datasets);
    for (String moment : moments) {
      assertThat(rows.get(CHANGED + moment)).as(moment).isEqualTo(rows.get(EVERY + moment));
    }
  }

  private void build(String asOf, String rows) {
    histories.write(
        histories
            .bench()
            .spark()
            .sql("SELECT * FROM VALUES %s AS rows(user_id, points)".formatted(rows)));
    histories.build(asOf);
  }

  /** Drops an as-of of both views; the result is the number of its rows. */
  private long drop(String asOf) {
    long rows = drop(EVERY, asOf);
    assertThat(drop(CHANGED, asOf)).isEqualTo(rows);
    return rows;
  }

  private long drop(String view, String asOf) {
    Workbench bench = histories.bench();
    return new Drop(
            bench.lake(), bench.definitions().view(view), histories.table(view), Console.silent())
        .drop(Instant.parse(asOf))
        .rows();
  }
}
