package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.UsageException;
import org.apache.iceberg.Schema;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The feature table follows its definition, and no value of an older as-of changes by it. */
class TestSchemaEvolution {

  private Orders orders;
  private Schema before;

  @BeforeEach
  void publish() {
    orders = new Orders();
    orders.build(JAN_2);
    before = orders.table().schema();
  }

  @Test
  void aFeatureCanBeAdded() {
    orders.define(
        "sum(amount) AS amount",
        "sum(amount) AS amount, max(at) AS newest",
        "{ name = amount, type = double }",
        "{ name = newest, type = timestamp }, { name = amount, type = double }");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,1,10.0,null]",
            "[1,2026-01-03T00:00:00Z,2,30.0,2026-01-02T10:00:00Z]",
            "[2,2026-01-03T00:00:00Z,1,5.0,2026-01-02T11:00:00Z]");
    assertThat(id("amount")).isEqualTo(before.findField("amount").fieldId());
  }

  @Test
  void aFeatureCanBeDroppedAndOlderSnapshotsKeepIt() {
    long first = orders.table().currentSnapshot().snapshotId();
    orders.define("count(*) AS orders, ", "", "{ name = orders, type = bigint }", "");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,10.0]",
            "[1,2026-01-03T00:00:00Z,30.0]",
            "[2,2026-01-03T00:00:00Z,5.0]");
    assertThat(orders.rows("SELECT * FROM %s VERSION AS OF %d".formatted(orders.name(), first)))
        .containsExactly("[1,2026-01-02T00:00:00Z,1,10.0]");
  }

  @Test
  void aFeatureThatComesBackIsNotTheOneThatWas() {
    orders.define("count(*) AS orders, ", "", "{ name = orders, type = bigint }", "");
    orders.build(JAN_3);
    orders.define();
    orders.build(JAN_3);
    assertThat(id("orders")).isNotEqualTo(before.findField("orders").fieldId());
    assertThat(orders.rows().get(0)).isEqualTo("[1,2026-01-02T00:00:00Z,10.0,null]");
  }

  @Test
  void aRenamedFeatureKeepsItsValuesInOlderAsOfs() {
    orders.define(
        "AS amount",
        "AS total",
        "{ name = amount, type = double }",
        "{ name = total, was = amount, type = double }");
    orders.build(JAN_3);
    // The note may stay where it is.
    orders.build(JAN_3);
    assertThat(orders.rows().get(0)).isEqualTo("[1,2026-01-02T00:00:00Z,1,10.0]");
    assertThat(id("total")).isEqualTo(before.findField("amount").fieldId());
    assertThat(orders.table().schema().findField("amount")).isNull();
  }

  @Test
  void aFeatureCanBeRenamedAndWidenedAtOnce() {
    narrow();
    orders.define(
        "count(*) AS orders",
        "count(*) AS order_count",
        "{ name = orders, type = bigint }",
        "{ name = order_count, was = orders, type = bigint }");
    orders.build(JAN_3);
    assertThat(orders.table().schema().findField("price")).isNull();
    assertThat(orders.rows().get(0)).isEqualTo("[1,2026-01-02T00:00:00Z,1,10.0]");
    assertThat(orders.table().schema().findType("order_count")).hasToString("long");
  }

  @Test
  void typesCanBeWidened() {
    narrow();
    assertThat(orders.table().schema().findType("orders")).hasToString("int");
    int amount = id("amount");
    int price = id("price");
    orders.define(
        "sum(amount) AS amount",
        "sum(amount) AS amount, CAST(max(amount) AS DECIMAL(20,2)) AS price",
        "{ name = amount, type = double }",
        "{ name = amount, type = double }, { name = price, type = \"decimal(20,2)\" }");
    orders.build(JAN_3);
    assertThat(orders.rows())
        .containsExactly(
            "[1,2026-01-02T00:00:00Z,1,10.0,10.00]",
            "[1,2026-01-03T00:00:00Z,2,30.0,20.00]",
            "[2,2026-01-03T00:00:00Z,1,5.0,5.00]");
    assertThat(id("amount")).isEqualTo(amount);
    assertThat(id("price")).isEqualTo(price);
  }

  @Test
  void aTypeThatWouldLoseValuesIsRefusedAndNothingChanges() {
    Orders.State state = orders.state();
    orders.define(
        "count(*) AS orders",
        "CAST(count(*) AS INT) AS orders",
        "{ name = orders, type = bigint }",
        "{ name = orders, type = int }",
        "sum(amount) AS amount",
        "CAST(sum(amount) AS STRING) AS amount, 1 AS added",
        "{ name = amount, type = double }",
        "{ name = amount, type = string }, { name = added, type = int }");
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "view 'spending': the table's schema can't follow the definition\n"
                + "  features/users.conf:9: feature 'orders' is long in the table and int in the"
                + " definition, and values can't be turned from one into the other without loss;"
                + " give the new one another name\n"
                + "  features/users.conf:10: feature 'amount' is double in the table and string in"
                + " the definition, and values can't be turned from one into the other without"
                + " loss; give the new one another name");
    assertThat(orders.state()).isEqualTo(state);
  }

  @Test
  void aChangedKeyIsRefusedAndNothingChanges() {
    Orders.State state = orders.state();
    orders.define(
        "{ name = user_id, type = bigint }",
        "{ name = user_id, type = string }",
        "SELECT user_id",
        "SELECT CAST(user_id AS STRING) AS user_id");
    String refused =
        "view 'spending': the table's schema can't follow the definition\n"
            + "  the table's keys are not those of entity 'user': a changed key makes other entities";
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(UsageException.class)
        .hasMessage(refused);
    orders.define(
        "{ name = user_id, type = bigint }",
        "{ name = user_id, type = bigint }, { name = day, type = date }",
        "SELECT user_id",
        "SELECT user_id, DATE '2026-01-01' AS day");
    assertThatThrownBy(() -> orders.build(JAN_3))
        .isInstanceOf(UsageException.class)
        .hasMessage(refused);
    assertThat(orders.state()).isEqualTo(state);
  }

  @Test
  void aKeyThatIsLeftOutIsRefusedAndNotDropped() {
    Orders two = new Orders();
    two.define(
        "{ name = user_id, type = bigint }",
        "{ name = user_id, type = bigint }, { name = day, type = date }",
        "SELECT user_id",
        "SELECT user_id, DATE '2026-01-01' AS day");
    two.build(JAN_2);
    Orders.State state = two.state();
    two.define();
    assertThatThrownBy(() -> two.build(JAN_3))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("the table's keys are not those of entity 'user'");
    assertThat(two.state()).isEqualTo(state);
  }

  /** A table of narrower types, built anew. */
  private void narrow() {
    orders = new Orders();
    orders.define(
        "count(*) AS orders",
        "CAST(count(*) AS INT) AS orders",
        "{ name = orders, type = bigint }",
        "{ name = orders, type = int }",
        "sum(amount) AS amount",
        "CAST(sum(amount) AS FLOAT) AS amount, CAST(max(amount) AS DECIMAL(10,2)) AS price",
        "{ name = amount, type = double }",
        "{ name = amount, type = float }, { name = price, type = \"decimal(10,2)\" }");
    orders.build(JAN_2);
  }

  private int id(String feature) {
    return orders.table().schema().findField(feature).fieldId();
  }
}
