package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Each check, failing: main must be what it was, and the message must say which rows. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestAudit {

  private Orders orders;
  private Orders.State before;

  @BeforeAll
  void publish() {
    orders = new Orders();
    orders.bench().build("spending", JAN_2, JAN_3);
    before = orders.state();
  }

  @Test
  void aNullIsRefusedWhereNoneMayBe() {
    assertFails(
        "not-null of 'amount' (features/users.conf:12): 1 of 2 rows fails: user_id=2 amount=null",
        "checks {}",
        "checks { not-null = [amount, orders] }",
        "sum(amount)",
        "nullif(sum(amount), 5.0D)");
  }

  @Test
  void aValueOutsideItsRangeIsRefused() {
    assertFails(
        "range of 'amount' (10 to -) (features/users.conf:12): 1 of 2 rows fails: user_id=2 amount=5.0",
        "checks {}",
        "checks { range { amount { min = 10 } } }");
    assertFails(
        "range of 'amount' (- to 5) (features/users.conf:12): 1 of 2 rows fails: user_id=1 amount=30.0",
        "checks {}",
        "checks { range { amount { max = 5 } } }");
  }

  @Test
  void nanIsInNoRange() {
    String nan =
        "range of 'amount' (%s) (features/users.conf:12): 2 of 2 rows fail: user_id=1 amount=NaN; user_id=2 amount=NaN";
    assertFails(
        nan.formatted("0 to -"),
        "checks {}",
        "checks { range { amount { min = 0 } } }",
        "sum(amount)",
        "CAST('NaN' AS DOUBLE)");
  }

  @Test
  void anUnexpectedValueIsRefused() {
    assertFails(
        "accepted-values of 'orders' (features/users.conf:12): 1 of 2 rows fails: user_id=1 orders=2",
        "checks {}",
        "checks { accepted-values { orders = [1, 3] } }");
  }

  @Test
  void numbersAreComparedAsTheyWereWritten() {
    Orders numbers = new Orders();
    numbers.define(
        "count(*) AS orders",
        "9007199254740993L AS orders, CAST(1.5 AS DECIMAL(10,1)) AS rate, CAST(0.1 AS FLOAT) AS small, CAST('00501' AS STRING) AS zip",
        "{ name = orders, type = bigint }",
        "{ name = orders, type = bigint }, { name = rate, type = \"decimal(10,1)\" }, { name = small, type = float }, { name = zip, type = string }",
        "checks {}",
        "checks { accepted-values { zip = [00501], rate = [1.50], small = [0.10], amount = [30.00, 5.0] }, range { orders { min = 9007199254740993, max = 9007199254740993 }, small { max = 0.1 } } }");
    assertThat(numbers.build(JAN_3).rows()).isEqualTo(2);
    numbers.define(
        "count(*) AS orders", "9007199254740993L AS orders",
        "checks {}", "checks { range { orders { max = 9007199254740992 } } }");
    assertThatThrownBy(() -> numbers.build(JAN_3))
        .hasMessageContaining("range of 'orders' (- to 9007199254740992)")
        .hasMessageContaining("2 of 2 rows fail: user_id=1 orders=9007199254740993");
  }

  @Test
  void aRowThatNobodyCanAskForIsRefused() {
    Orders texts = new Orders();
    String[] change = {
      "name = user_id, type = bigint",
      "name = user_id, type = string",
      "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id",
      "SELECT IF(user_id = 1, '', 'b') AS user_id, 1L AS orders, 1D AS amount FROM orders GROUP BY user_id"
    };
    texts.define(change);
    assertThatThrownBy(() -> texts.build(JAN_3))
        .hasMessageContaining(
            "entity id is not the empty text, which nobody can ask for (features/users.conf:1): 1 of 2 rows fails: user_id=");
    change[3] =
        "SELECT repeat('ä', 512 + CAST(user_id - 1 AS INT)) AS user_id, 1L AS orders, 1D AS amount FROM orders GROUP BY user_id";
    texts.define(change);
    assertThatThrownBy(() -> texts.build(JAN_3))
        .hasMessageContaining(
            "entity id has at most 1,024 bytes (serving.max-id-bytes) (features/users.conf:1): 1 of 2 rows fails: user_id=ää");
    change[3] =
        "SELECT IF(user_id = 1, CAST(unhex('4DFC') AS STRING), 'Mü') AS user_id, 1L AS orders, 1D AS amount FROM orders GROUP BY user_id";
    texts.define(change);
    assertThatThrownBy(() -> texts.build(JAN_3))
        .hasMessageContaining(
            "entity id is UTF-8 (features/users.conf:1): 1 of 2 rows fails: user_id=M");

    // With a second key, an id is never empty.
    change[1] = "name = user_id, type = string }, { name = orders_on, type = string";
    change[3] =
        "SELECT '' AS user_id, IF(user_id = 1, '', 'x') AS orders_on, 1L AS orders, 1D AS amount FROM orders GROUP BY user_id";
    Orders two = new Orders();
    two.define(change);
    assertThat(two.build(JAN_3).rows()).isEqualTo(2);
  }

  @Test
  void rowsAreCountedWhateverTheStatisticsOfTheFiles() {
    for (String properties :
        java.util.List.of(
            "'write.metadata.metrics.default'='none'",
            "'write.format.default'='orc', 'write.metadata.metrics.default'='counts'")) {
      Orders other = new Orders();
      other.build(JAN_2);
      other
          .bench()
          .spark()
          .sql("ALTER TABLE %s SET TBLPROPERTIES (%s)".formatted(other.name(), properties));
      // The same as-of again, in files that say nothing of it.
      other.build(JAN_2);
      other.define("checks {}", "checks { max-row-count-change = 0.5 }");
      assertThatThrownBy(() -> other.build(JAN_3))
          .as(properties)
          .hasMessageContaining("2 rows after 1 in the as-of before");
    }
  }

  @Test
  void aNullEntityKeyIsRefused() {
    assertFails(
        "entity key 'user_id' is not null (features/users.conf:1): 1 of 2 rows fails: user_id=null",
        "SELECT user_id,",
        "SELECT nullif(user_id, 2) AS user_id,",
        "FROM orders GROUP BY user_id",
        "FROM orders GROUP BY 1");
  }

  @Test
  void anEntityThatComesTwiceIsRefused() {
    assertFails(
        "unique entity (features/users.conf:1): 1 row too many: user_id=1 rows=2",
        "GROUP BY user_id",
        "GROUP BY user_id, at");
  }

  @Test
  void tooFewRowsAreRefused() {
    assertFails(
        "min-rows (features/users.conf:12): 2 rows, and at least 3 are expected",
        "checks {}",
        "checks { min-rows = 3 }");
    assertFails(
        "min-rows (features/users.conf:12): 0 rows, and at least 1 is expected",
        "checks {}",
        "checks { min-rows = 1 }",
        "GROUP BY user_id",
        "WHERE false GROUP BY user_id");
  }

  @Test
  void aRowCountFarFromTheAsOfBeforeIsRefused() {
    assertFails(
        "max-row-count-change (features/users.conf:12): 2 rows after 1 in the as-of before, and at most 50.0 % change is expected",
        "checks {}", "checks { max-row-count-change = 0.5 }");
  }

  @Test
  void allChecksThatFailAreToldAtOnce() {
    orders.define(
        "checks {}",
        "checks { min-rows = 3, range { amount { max = 5 } }, accepted-values { orders = [2] } }");
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "build of spending as of %s: 3 checks failed; main stays at snapshot %d\n  %s\n  %s\n  %s",
            JAN_3,
            before.snapshotId(),
            "range of 'amount' (- to 5) (features/users.conf:12): 1 of 2 rows fails: user_id=1 amount=30.0",
            "accepted-values of 'orders' (features/users.conf:12): 1 of 2 rows fails: user_id=2 orders=1",
            "min-rows (features/users.conf:12): 2 rows, and at least 3 are expected");
    assertThat(orders.state()).isEqualTo(before);
  }

  @Test
  void onlyTheFirstRowsOfManyAreNamed() {
    orders.define(
        "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id",
        "SELECT user_id + id AS user_id, id AS orders, amount FROM orders CROSS JOIN range(10)"
            + " WHERE user_id = 2",
        "checks {}",
        "checks { range { orders { max = 2 } } }");
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessageEndingWith(
            "7 of 10 rows fail: user_id=5 orders=3; user_id=6 orders=4; user_id=7 orders=5;"
                + " user_id=8 orders=6; user_id=9 orders=7; …");
  }

  @Test
  void checksThatHoldLetTheBuildThrough() {
    Orders other = new Orders();
    other.define(
        "checks {}",
        """
        checks {
          not-null = [orders]
          range { amount { min = 5, max = 30 }, orders { min = 1 } }
          accepted-values { orders = [1, 2] }
          min-rows = 1
          max-row-count-change = 1
        }
        """);
    other.bench().build("spending", JAN_2, JAN_3);
    assertThat(other.rows()).hasSize(3);
  }

  @Test
  void aFailedBuildThatAddedDroppedAndRenamedFeaturesLeavesTheSchemaAsItWas() {
    String[] evolved = {
      "sum(amount) AS amount",
      "sum(amount) AS total, max(amount) AS largest",
      "count(*) AS orders, ",
      "",
      "{ name = orders, type = bigint }",
      "{ name = largest, type = double }",
      "{ name = amount, type = double }",
      "{ name = total, was = amount, type = double }"
    };
    Orders other = new Orders();
    other.build(JAN_2);
    Orders.State state = other.state();
    String[] failing = java.util.Arrays.copyOf(evolved, evolved.length + 2);
    failing[evolved.length] = "checks {}";
    failing[evolved.length + 1] = "checks { min-rows = 9 }";
    other.define(failing);
    assertThatThrownBy(() -> other.build(JAN_3)).hasMessageContaining("min-rows");
    assertThat(other.state()).isEqualTo(state);

    int amount = other.table().schema().findField("amount").fieldId();
    other.define(evolved);
    other.build(JAN_3);
    assertThat(other.table().schema().findField("total").fieldId()).isEqualTo(amount);
    assertThat(other.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,10.0,null]",
            "[1,2026-01-03T00:00:00Z,30.0,20.0]",
            "[2,2026-01-03T00:00:00Z,5.0,5.0]");
  }

  @Test
  void aFirstBuildThatFailsLeavesNoTable() {
    Orders other = new Orders();
    other.define("checks {}", "checks { min-rows = 9 }");
    assertThatThrownBy(() -> other.build(JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "build of spending as of %s: 1 check failed; nothing is published of it yet\n  %s",
            JAN_3, "min-rows (features/users.conf:12): 2 rows, and at least 9 are expected");
    assertThat(FeatureTable.find(other.bench().lake().catalog(), "spending")).isEmpty();
  }

  @Test
  void theExitStatusOfAFailedCheckIs1() {
    orders.define("checks {}", "checks { min-rows = 3 }");
    assertThat(orders.bench().run("build", "view=spending", "as-of=2026-01-03")).isEqualTo(1);
    assertThat(orders.bench().output())
        .contains("tarn: build of spending as of 2026-01-03T00:00:00Z: 1 check failed; main stays");
    assertThat(orders.state()).isEqualTo(before);
  }

  private void assertFails(String failure, String... changes) {
    orders.define(changes);
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "build of spending as of %s: 1 check failed; main stays at snapshot %d\n  %s",
            JAN_3, before.snapshotId(), failure);
    assertThat(orders.state()).isEqualTo(before);
  }
}
