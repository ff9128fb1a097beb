package dev.tarn.etl.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import java.util.List;
import org.apache.iceberg.Schema;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.Types;
import org.junit.jupiter.api.Test;

class TestIcebergCatalog {

  @Test
  void anyTypeOfCatalogOpensWithSparksSettings() {
    Workbench bench = new Workbench();
    bench
        .set("catalog.type", "hadoop")
        .set("catalog.warehouse", bench.path("warehouse").toString())
        .set("catalog.hadoop.io.one", "1")
        .set("spark.hadoop.io.two", "2")
        .set("spark.sql.catalog.tarn.hadoop.io.three", "3");
    try (IcebergCatalog catalog = IcebergCatalog.open(bench.settings())) {
      assertThat(catalog.hadoop().get("io.one")).isEqualTo("1");
      assertThat(catalog.hadoop().get("io.two")).isEqualTo("2");
      assertThat(catalog.hadoop().get("io.three")).isEqualTo("3");
      assertThat(catalog.find("score")).isEmpty();
      catalog.iceberg().createTable(catalog.table("score"), schema(1));
      assertThat(catalog.find("score").orElseThrow().location())
          .startsWith(bench.path("warehouse").toString());
      catalog.drop("score");
      assertThat(catalog.find("score")).isEmpty();
    }
  }

  @Test
  void aCatalogThatCanNotBeReachedIsNamed() {
    Workbench bench = new Workbench().set("catalog.uri", "jdbc:nothing:there");
    assertThatThrownBy(() -> IcebergCatalog.open(bench.settings()))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(
            "can't use the Iceberg catalog at jdbc:nothing:there (settings below 'catalog'): ");
  }

  @Test
  void aLedgerOfAnOlderTarnIsReadAndGetsTheNewColumns() {
    try (IcebergCatalog catalog = IcebergCatalog.open(new Workbench().settings())) {
      Ledger newer = new Ledger(catalog, "notes", schema(2));
      assertThat(newer.read(Expressions.alwaysTrue())).isEmpty();
      append(new Ledger(catalog, "notes", schema(1)), "a");
      assertThat(newer.read(Expressions.alwaysTrue()))
          .singleElement()
          .matches(row -> row.getField("c1").equals("a") && row.getField("c2") == null);

      append(newer, "b", "B");
      assertThat(newer.read(Expressions.equal("c2", "B")))
          .singleElement()
          .matches(row -> row.getField("c1").equals("b"));
      // The older Tarn goes on to write.
      append(new Ledger(catalog, "notes", schema(1)), "c");
      assertThat(newer.read(Expressions.alwaysTrue())).hasSize(3);
    }
  }

  private static void append(Ledger ledger, String... values) {
    Record row = ledger.row();
    for (int i = 0; i < values.length; i++) {
      row.set(i, values[i]);
    }
    ledger.append("the note", List.of(row));
  }

  private static Schema schema(int columns) {
    Types.NestedField first = Types.NestedField.required(1, "c1", Types.StringType.get());
    return columns == 1
        ? new Schema(first)
        : new Schema(first, Types.NestedField.optional(2, "c2", Types.StringType.get()));
  }
}
