package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;

/** What the filter lets go is lost to a training set, and what it lets through costs a shuffle. */
class TestIsOneOf {

  private static final long COUNT = 50_000;

  private final Workbench bench = new Workbench();

  @Test
  void letsGoNoneOfThoseThatAreAskedForAndNearlyAllOthers() {
    Dataset<Row> asked = pairs(0, COUNT);
    Column isAsked = IsOneOf.of(asked, columns(), COUNT, columns());

    assertThat(asked.filter(isAsked).count()).isEqualTo(COUNT);
    assertThat(pairs(COUNT, 5 * COUNT).filter(isAsked).count()).isBetween(1L, 4 * COUNT / 40);
  }

  @Test
  void findsMoreRowsThanItWasMadeFor() {
    Dataset<Row> asked = pairs(0, COUNT);

    assertThat(asked.filter(IsOneOf.of(asked, columns(), 10, columns())).count()).isEqualTo(COUNT);
  }

  @Test
  void letsNothingThroughWhereNothingIsAskedFor() {
    Dataset<Row> none = pairs(0, 1).filter("key < 0");

    assertThat(pairs(0, COUNT).filter(IsOneOf.of(none, columns(), 0, columns())).count()).isZero();
    assertThat(pairs(0, COUNT).filter(IsOneOf.of(none.limit(0), columns(), 0, columns())).count())
        .isZero();
  }

  private Dataset<Row> pairs(long from, long to) {
    return bench
        .spark()
        .range(from, to, 1, 3)
        .select(
            functions.col("id").divide(7).cast("bigint").as("key"), functions.col("id").as("at"));
  }

  private static Column[] columns() {
    return new Column[] {functions.col("key"), functions.col("at")};
  }
}
