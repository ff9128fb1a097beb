package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.etl.catalog.FeatureTable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.iceberg.Table;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Builds of one view at the same time, as a scheduler's backfill starts them. */
class TestConcurrentBuilds {

  private static final String JAN_2_NOON = "2026-01-02T12:00:00Z";

  /** Static, so that the tasks of the same process find it. */
  private static Table overtaken;

  @Test
  void buildsOfDifferentAsOfsArePublishedAll() throws Exception {
    Orders orders = new Orders();
    buildAtOnce(orders, JAN_2, JAN_2_NOON, JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,1,10.0]",
            "[1,2026-01-02T12:00:00Z,2,30.0]",
            "[2,2026-01-02T12:00:00Z,1,5.0]",
            "[1,2026-01-03T00:00:00Z,2,30.0]",
            "[2,2026-01-03T00:00:00Z,1,5.0]");
    assertThat(orders.state().refs()).containsExactly("main");

    // And replaced all.
    orders.define("sum(amount)", "-sum(amount)");
    buildAtOnce(orders, JAN_2, JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,1,-10.0]",
            "[1,2026-01-02T12:00:00Z,2,30.0]",
            "[2,2026-01-02T12:00:00Z,1,5.0]",
            "[1,2026-01-03T00:00:00Z,2,-30.0]",
            "[2,2026-01-03T00:00:00Z,1,-5.0]");
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @Test
  void whereChangesAreStoredTheyAreThoseFromTheAsOfBeforeWhicheverBuildIsFirst() throws Exception {
    Orders orders = new Orders();
    orders.define("checks {}", "history = changes");
    buildAtOnce(orders, JAN_2, JAN_2_NOON, JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,null,1,10.0]",
            "[1,2026-01-02T12:00:00Z,null,2,30.0]",
            "[2,2026-01-02T12:00:00Z,null,1,5.0]");
    assertThat(orders.table().currentSnapshot().summary())
        .containsEntry("tarn.as-ofs", "2026-01-02T00:00:00Z/PT12H/3");
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @ParameterizedTest
  @ValueSource(strings = {"full", "changes"})
  void buildsOfOneAsOfHaveEachEntityOnce(String history) throws Exception {
    Orders orders = new Orders();
    orders.define("checks {}", "history = " + history);
    // Three as when a scheduler tries again while the first job still lives: on a fresh table
    // first.
    buildAtOnce(orders, JAN_3, JAN_3, JAN_3);
    List<String> once = orders.rows();
    assertThat(once).hasSize(2).anyMatch(row -> row.endsWith("2,30.0]"));
    assertThat(orders.state().refs()).containsExactly("main");

    orders.define("sum(amount)", "-sum(amount)", "checks {}", "history = " + history);
    buildAtOnce(orders, JAN_3, JAN_3, JAN_3);
    assertThat(orders.rows())
        .containsExactlyElementsOf(once.stream().map(row -> negated(row)).toList());
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @Test
  void asOfsOfOneSecondArePublishedEachAfterItsOwnChecks() throws Exception {
    Orders orders = new Orders();
    String[] asOfs = {
      "2026-01-02T00:00:00.100Z",
      "2026-01-02T00:00:00.200Z",
      "2026-01-02T00:00:00.900Z",
      "2026-01-02T00:00:01Z"
    };
    buildAtOnce(orders, asOfs);
    assertThat(orders.rows()).hasSize(4);
    for (String asOf : asOfs) {
      assertThat(orders.rows()).anyMatch(row -> row.contains(Instant.parse(asOf).toString()));
    }
    assertThat(orders.state().refs()).containsExactly("main");
  }

  private static String negated(String row) {
    int amount = row.lastIndexOf(',') + 1;
    return row.substring(0, amount) + "-" + row.substring(amount);
  }

  @Test
  void aBuildWhoseMainHasMovedIsDoneOnceMore() {
    Orders orders = new Orders();
    orders.build(JAN_2);
    // The SQL publishes another as-of while it is read: no build can be overtaken more surely.
    overtaken = orders.table();
    UDF1<Double, Double> overtake = TestConcurrentBuilds::overtake;
    orders.bench().spark().udf().register("overtake", overtake, DataTypes.DoubleType);
    orders.define("sum(amount)", "overtake(sum(amount))");
    orders.bench().output();
    orders.build(JAN_3);
    assertThat(orders.bench().output())
        .startsWith("another build of spending was published first; once more\n")
        .contains("spending as of 2026-01-03T00:00:00Z: 2 rows");
    assertThat(orders.rows()).hasSize(3);
    List<String> asOfs = new ArrayList<>();
    orders
        .table()
        .history()
        .forEach(
            entry ->
                asOfs.add(orders.table().snapshot(entry.snapshotId()).summary().get("tarn.as-of")));
    assertThat(asOfs).containsExactly(JAN_2, JAN_2_NOON, JAN_3);
  }

  @Test
  void mainMovesOnlyToABranchThatIsAsItWasLeftAndOnTopOfMain() {
    Orders orders = new Orders();
    orders.build(JAN_2);
    FeatureTable table =
        FeatureTable.find(orders.bench().lake().catalog(), "spending").orElseThrow();
    String branch = table.audits().create(Instant.parse(JAN_3));
    Table iceberg = orders.table();
    iceberg.newAppend().toBranch(branch).commit();
    long written = iceberg.snapshot(branch).snapshotId();
    assertThatThrownBy(() -> table.audits().publish(branch, written + 1))
        .isInstanceOf(CommitFailedException.class)
        .hasMessage("somebody else has changed branch %s of %s", branch, table.sqlName());

    iceberg.newAppend().commit();
    long main = iceberg.currentSnapshot().snapshotId();
    assertThatThrownBy(() -> table.audits().publish(branch, written))
        .isInstanceOf(CommitFailedException.class)
        .hasMessage("main of %s has moved on", table.sqlName());
    assertThat(orders.table().currentSnapshot().snapshotId()).isEqualTo(main);

    iceberg.manageSnapshots().rollbackTo(iceberg.currentSnapshot().parentId()).commit();
    table.audits().publish(branch, written);
    assertThat(orders.table().currentSnapshot().snapshotId()).isEqualTo(written);
    assertThat(orders.state().refs()).containsExactly("main");
  }

  private static synchronized Double overtake(Double amount) {
    overtaken.refresh();
    if (overtaken.currentSnapshot().summary().get(FeatureTable.AS_OF).equals(JAN_2)) {
      overtaken.newAppend().set(FeatureTable.AS_OF, JAN_2_NOON).commit();
    }
    return amount;
  }

  private static void buildAtOnce(Orders orders, String... asOfs) throws Exception {
    SparkSession spark = orders.bench().spark();
    ExecutorService threads = Executors.newFixedThreadPool(asOfs.length);
    try {
      List<Future<?>> builds = new ArrayList<>();
      for (String asOf : asOfs) {
        builds.add(
            threads.submit(
                () -> {
                  // What a source is called in SQL is the session's own, as it is a process's.
                  SparkSession.setActiveSession(spark.newSession());
                  orders.build(asOf);
                }));
      }
      for (Future<?> build : builds) {
        build.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
