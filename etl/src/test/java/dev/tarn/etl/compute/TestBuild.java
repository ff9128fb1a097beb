package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class TestBuild {

  private static final String OF_JAN_2 = "[1,2026-01-02T00:00:00Z,1,10.0]";
  private static final String[] OF_BOTH = {
    OF_JAN_2, "[1,2026-01-03T00:00:00Z,2,30.0]", "[2,2026-01-03T00:00:00Z,1,5.0]"
  };

  @Test
  void buildingAnAsOfAgainReplacesItsRowsAndNoOthers() {
    Orders orders = new Orders();
    orders.bench().build("spending", JAN_2, JAN_3);
    orders.build(JAN_3);
    assertThat(orders.rows()).containsExactly(OF_BOTH);
    orders.build(JAN_2);
    assertThat(orders.rows()).containsExactly(OF_BOTH);
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @Test
  void asOfsOfOneDayAreReplacedEachByItself() {
    Orders orders = new Orders();
    orders.bench().build("spending", JAN_3, "2026-01-03T06:00:00Z", "2026-01-03T06:00:00.000001Z");
    List<String> before = orders.rows();
    assertThat(before).hasSize(6);
    orders.build("2026-01-03T06:00:00Z");
    assertThat(orders.rows()).isEqualTo(before);
  }

  @Test
  void anAsOfIsReplacedAlsoAfterFilesWereCompacted() {
    Orders orders = new Orders();
    String noon = "2026-01-03T12:00:00Z";
    orders.bench().build("spending", JAN_2, JAN_3, noon);
    List<String> before = orders.rows();
    orders
        .bench()
        .spark()
        .sql(
            "CALL tarn.system.rewrite_data_files(table => '%s', options => map('rewrite-all','true'))"
                .formatted(orders.name().substring("tarn.".length())));
    long filesOfJan3 =
        orders
            .bench()
            .spark()
            .sql(
                "SELECT * FROM %s.files WHERE partition.event_timestamp_day = DATE '2026-01-03'"
                    .formatted(orders.name()))
            .count();
    assertThat(filesOfJan3).isEqualTo(1);
    orders.define("sum(amount)", "sum(amount) + 1");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            before.get(0),
            "[1,2026-01-03T00:00:00Z,2,31.0]",
            "[2,2026-01-03T00:00:00Z,1,6.0]",
            before.get(3),
            before.get(4));
  }

  @Test
  void anAsOfThatHasNoRowsAnyMoreIsEmptied() {
    Orders orders = new Orders();
    orders.bench().build("spending", JAN_2, JAN_3);
    orders.define("FROM orders GROUP", "FROM orders WHERE false GROUP");
    Build.AsOfOutcome outcome = orders.build(JAN_3);
    assertThat(outcome.rows()).isZero();
    assertThat(orders.rows()).containsExactly(OF_JAN_2);
  }

  @Test
  void aRowFromExactlyTheAsOfIsNotSeen() {
    Orders orders = new Orders();
    orders.bench().build("spending", "2026-01-02T10:00:00Z", "2026-01-02T10:00:00.000001Z");
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T10:00:00Z,1,10.0]", "[1,2026-01-02T10:00:00.000001Z,2,30.0]");
  }

  @Test
  void theAsOfIsAParameterOfTheSql() {
    Orders orders = new Orders();
    orders.define("FROM orders GROUP", "FROM orders WHERE at >= :as_of - INTERVAL 1 DAY GROUP");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly("[1,2026-01-03T00:00:00Z,1,20.0]", "[2,2026-01-03T00:00:00Z,1,5.0]");
  }

  @Test
  void aRangeGoesByItsStepAndPassesOverWhatIsUpToDate() {
    Orders orders = new Orders();
    Workbench bench = orders.bench();
    String[] range = {
      "build", "view=spending", "from=2026-01-02", "to=2026-01-03T00:00:00Z", "every=12h"
    };
    assertThat(bench.run(range)).isZero();
    assertThat(bench.output())
        .contains("[1/3] spending as of 2026-01-02T00:00:00Z: 1 row in ")
        .contains("[2/3] spending as of 2026-01-02T12:00:00Z: 2 rows in ")
        .contains("[3/3] spending as of 2026-01-03T00:00:00Z: 2 rows in ");
    long built = orders.state().snapshotId();

    assertThat(bench.run(range)).isZero();
    assertThat(bench.output())
        .contains("[1/3] spending as of 2026-01-02T00:00:00Z is up to date")
        .contains("[2/3] spending as of 2026-01-02T12:00:00Z is up to date")
        .contains("[3/3] spending as of 2026-01-03T00:00:00Z is up to date");
    assertThat(orders.state().snapshotId()).isEqualTo(built);

    // Another definition: what was computed by the one before is out of date, and what is described
    // otherwise is not.
    orders.define("type = double }", "type = double, default = 0 }");
    bench.run(range);
    assertThat(bench.output()).contains("[3/3] spending as of 2026-01-03T00:00:00Z is up to date");
    orders.define("sum(amount)", "max(amount)");
    bench.run("build", "view=spending", "from=2026-01-03", "to=2026-01-03", "format=json");
    assertThat(bench.output())
        .contains("{\"as_of\":\"2026-01-03T00:00:00Z\",\"built\":true,\"rows\":2,");
    bench.run(range);
    assertThat(bench.output())
        .contains("[1/3] spending as of 2026-01-02T00:00:00Z: 1 row in ")
        .contains("[2/3] spending as of 2026-01-02T12:00:00Z: 2 rows in ")
        .contains("[3/3] spending as of 2026-01-03T00:00:00Z is up to date");

    bench.run("build", "view=spending", "from=2026-01-03", "to=2026-01-03", "rebuild=true");
    assertThat(bench.output()).contains("spending as of 2026-01-03T00:00:00Z: 2 rows in ");
  }

  @Test
  void anAsOfBuiltWithTheOldDefinitionAgainAfterANewOneIsNotTakenForUpToDate() {
    Orders orders = new Orders();
    orders.build(JAN_3);
    orders.define("sum(amount)", "max(amount)");
    orders.build(JAN_3);
    orders.define();
    assertThat(build(orders, true, JAN_3).built()).isTrue();
    assertThat(build(orders, true, JAN_3).built()).isFalse();
  }

  @Test
  void theSnapshotSaysWhatItWasComputedFrom() {
    Orders orders = new Orders();
    orders.build(JAN_3);
    Map<String, String> summary = orders.table().currentSnapshot().summary();
    assertThat(summary)
        .containsEntry("tarn.as-of", JAN_3)
        .containsEntry(
            "tarn.definition-hash", orders.bench().definitions().view("spending").definitionHash())
        .containsEntry("tarn.version", "dev");
    String sources = summary.get("tarn.sources");
    assertThat(sources).matches("\\{\"orders\":\"files \\d+ bytes \\d+ sha256 [0-9a-f]{64}\"}");

    orders.build(JAN_3);
    assertThat(orders.table().currentSnapshot().summary()).containsEntry("tarn.sources", sources);
    orders
        .bench()
        .spark()
        .sql(Orders.ROWS)
        .limit(1)
        .write()
        .mode("append")
        .parquet(orders.bench().path("orders").toString());
    orders.build(JAN_3);
    assertThat(orders.table().currentSnapshot().summary().get("tarn.sources"))
        .isNotEqualTo(sources);
  }

  @Test
  void olderSnapshotsStayReadableByIdByTagAndByTime() {
    Orders orders = new Orders();
    long first = orders.build(JAN_2).snapshotId();
    orders.table().manageSnapshots().createTag("golden", first).commit();
    orders.build(JAN_3);
    Table table = orders.table();
    Instant between = Instant.ofEpochMilli(table.history().get(0).timestampMillis());

    String select = "SELECT * FROM " + orders.name();
    assertThat(orders.rows()).containsExactly(OF_BOTH);
    assertThat(orders.rows(select + " VERSION AS OF " + first)).containsExactly(OF_JAN_2);
    assertThat(orders.rows(select + " VERSION AS OF 'golden'")).containsExactly(OF_JAN_2);
    assertThat(orders.rows(select + " TIMESTAMP AS OF '%s'".formatted(between)))
        .containsExactly(OF_JAN_2);
  }

  @Test
  void theTimeOfARebuildDoesNotReachBackIntoTheSnapshotsBefore() {
    Orders orders = new Orders();
    long first = orders.build(JAN_3).snapshotId();
    List<String> before = orders.rows();
    orders.define("sum(amount)", "max(amount)");
    orders.build(JAN_3);
    assertThat(orders.rows("SELECT * FROM %s VERSION AS OF %d".formatted(orders.name(), first)))
        .isEqualTo(before);
  }

  @Test
  void theBranchThatAKilledBuildLeftIsRemovedByTheNext() {
    Orders orders = new Orders();
    orders.build(JAN_2);
    Table table = orders.table();
    String branch = "audit_20260103T000000Z";
    table.manageSnapshots().createBranch(branch).commit();
    orders
        .bench()
        .spark()
        .sql(
            "INSERT INTO %s.branch_%s VALUES (9, TIMESTAMP '2026-01-03 00:00:00', 9, 9.0)"
                .formatted(orders.name(), branch));
    // It had dropped a feature as well, which is not to cost the values of the older as-ofs.
    String schema = table.schema().toString();
    table.updateSchema().deleteColumn("amount").commit();

    orders.build(JAN_3);
    assertThat(orders.rows()).containsExactly(OF_BOTH);
    assertThat(orders.state().refs()).containsExactly("main");
    assertThat(orders.state().schema()).isEqualTo(schema);
  }

  @Test
  void mainOnlyEverHadCompleteAsOfs() {
    Orders orders = new Orders();
    orders.bench().build("spending", JAN_2, JAN_3);
    orders.build(JAN_3);
    Table table = orders.table();
    long published = 0;
    for (var entry : table.history()) {
      Snapshot snapshot = table.snapshot(entry.snapshotId());
      if (snapshot.summary().containsKey(FeatureTable.AS_OF)) {
        published++;
      }
    }
    assertThat(published).isEqualTo(3);
    assertThat(SnapshotUtil.isAncestorOf(table, table.currentSnapshot().snapshotId())).isTrue();
  }

  @Test
  void anEntityMayHaveTwoKeys() {
    Orders orders = new Orders();
    orders.define(
        "keys = [{ name = user_id, type = bigint }]",
        "keys = [{ name = user_id, type = bigint }, { name = day, type = date }]",
        "SELECT user_id,",
        "SELECT user_id, date(at) AS day,",
        "GROUP BY user_id",
        "GROUP BY user_id, date(at)");
    orders.build(JAN_3);
    assertThat(orders.rows("SELECT * FROM " + orders.name()))
        .containsExactlyInAnyOrder(
            "[1,2026-01-01,2026-01-03T00:00:00Z,1,10.0]",
            "[1,2026-01-02,2026-01-03T00:00:00Z,1,20.0]",
            "[2,2026-01-02,2026-01-03T00:00:00Z,1,5.0]");
  }

  @Test
  void csvIsReadByTheNamesInItsHeader() throws Exception {
    Orders orders = new Orders();
    java.nio.file.Files.writeString(
        orders.bench().path("orders.csv"),
        "user_id,at,amount\n1,2026-01-01T10:00:00Z,10.0\n2,2026-01-02T11:00:00Z,5.5\n");
    defineText(orders, "csv", "orders.csv");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly("[1,2026-01-03T00:00:00Z,1,10.0]", "[2,2026-01-03T00:00:00Z,1,5.5]");
  }

  @Test
  void jsonIsReadByItsDeclaredSchema() throws Exception {
    Orders orders = new Orders();
    java.nio.file.Files.writeString(
        orders.bench().path("orders.json"),
        "{\"amount\":10.0,\"user_id\":1,\"at\":\"2026-01-01T10:00:00Z\"}\n{\"user_id\":2,\"at\":\"2026-01-02T11:00:00Z\"}\n");
    defineText(orders, "json", "orders.json");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly("[1,2026-01-03T00:00:00Z,1,10.0]", "[2,2026-01-03T00:00:00Z,1,null]");
  }

  @Test
  void aPartitionedFolderIsReadWithItsPartitionColumn() {
    Orders orders = new Orders();
    orders
        .bench()
        .spark()
        .sql(Orders.ROWS)
        .selectExpr("*", "date(at) AS dt")
        .write()
        .partitionBy("dt")
        .parquet(orders.bench().path("parted").toString());
    orders.define(
        orders.bench().path("orders").toString(),
        orders.bench().path("parted").toString(),
        "FROM orders GROUP",
        "FROM orders WHERE dt = DATE '2026-01-02' GROUP");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly("[1,2026-01-03T00:00:00Z,1,20.0]", "[2,2026-01-03T00:00:00Z,1,5.0]");
  }

  @Test
  void anIcebergSourceIsReadAtTheSnapshotThatItWasPinnedTo() {
    Orders orders = new Orders();
    SparkSession spark = orders.bench().spark();
    String source = orders.bench().lake().sqlName("raw_orders");
    spark.sql("CREATE TABLE %s USING iceberg AS %s".formatted(source, Orders.ROWS));
    orders.define(
        "format = parquet, path = \"" + orders.bench().path("orders") + "\"",
        "format = iceberg, table = \"" + source + "\"");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly("[1,2026-01-03T00:00:00Z,2,30.0]", "[2,2026-01-03T00:00:00Z,1,5.0]");
    long snapshot =
        spark.sql("SELECT snapshot_id FROM %s.snapshots".formatted(source)).head().getLong(0);
    assertThat(orders.table().currentSnapshot().summary())
        .containsEntry("tarn.sources", "{\"orders\":\"snapshot %d\"}".formatted(snapshot));

    // What comes in between opening and computing is not seen, though the summary is of before.
    var view = orders.bench().definitions().view("spending");
    var opened = dev.tarn.etl.source.SourceTables.open(spark, view.sources());
    spark.sql(
        "INSERT INTO %s VALUES (3L, TIMESTAMP '2026-01-01 00:00:00', 1.0D)".formatted(source));
    opened.show(Instant.parse(JAN_3));
    assertThat(spark.table("orders").count()).isEqualTo(3);
    assertThat(opened.fingerprint()).contains("snapshot " + snapshot);
    opened.hide();
  }

  @Test
  void anIcebergSourceWithoutSnapshotIsRefused() {
    Orders orders = new Orders();
    String source = orders.bench().lake().sqlName("empty_orders");
    orders
        .bench()
        .spark()
        .sql(
            "CREATE TABLE %s (user_id BIGINT, at TIMESTAMP, amount DOUBLE) USING iceberg"
                .formatted(source));
    orders.define(
        "format = parquet, path = \"" + orders.bench().path("orders") + "\"",
        "format = iceberg, table = \"" + source + "\"");
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(
            "features/users.conf:2: source 'orders': table %s has no snapshot yet", source);
  }

  private static Build.AsOfOutcome build(Orders orders, boolean skip, String asOf) {
    Workbench bench = orders.bench();
    return new Build(bench.lake(), new dev.tarn.etl.console.Console(System.out, System.out))
        .build(bench.definitions().view("spending"), List.of(Instant.parse(asOf)), skip)
        .get(0);
  }

  private static void defineText(Orders orders, String format, String file) {
    orders.define(
        "format = parquet, path = \"" + orders.bench().path("orders") + "\"",
        "format = %s, path = \"%s\", schema = \"user_id BIGINT, at TIMESTAMP, amount DOUBLE\""
            .formatted(format, orders.bench().path(file)));
  }

  @Test
  void aDayThatIsNotOverAtTheAsOfIsNotSeen() {
    Workbench bench = new Workbench();
    bench
        .spark()
        .sql(
            "SELECT * FROM VALUES (1L, DATE '2026-01-01'), (1L, DATE '2026-01-02') AS t(user_id, day)")
        .write()
        .parquet(bench.path("days").toString());
    bench.define(
        "days.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { days { format = parquet, path = "%s", timestamp = day } }
        feature-views {
          seen {
            entity = user
            sources = [days]
            sql = "SELECT user_id, count(*) AS days FROM days GROUP BY user_id"
            features = [{ name = days, type = bigint }]
          }
        }
        """
            .formatted(bench.path("days")));
    bench.build("seen", "2026-01-02T12:00:00Z", JAN_3);
    assertThat(
            bench
                .spark()
                .sql(
                    "SELECT days FROM %s ORDER BY event_timestamp"
                        .formatted(bench.lake().sqlName("seen")))
                .collectAsList())
        .extracting(row -> row.getLong(0))
        .containsExactly(1L, 2L);
  }
}
