package dev.tarn.etl.train;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/**
 * Checks the filter: what it drops is lost to a training set, and what it keeps costs a shuffle.
 */
class TestIsOneOf {

  private static final long COUNT = 50_000;

  private final Workbench bench = new Workbench();

  @Test
  void letsGoNoneOfThoseThatAreAskedForAndNearlyAllOthers() {
    for (long groups : List.of(1L, 7L, 10_000L)) {
      Dataset<Row> asked = pairs(0, COUNT, groups);
      Column isAsked = isOneOf(asked);

      assertThat(asked.filter(isAsked).count()).as("%d groups", groups).isEqualTo(COUNT);
      assertThat(pairs(COUNT, 5 * COUNT, groups).filter(isAsked).count())
          .as("%d groups", groups)
          .isBetween(1L, 4 * COUNT / 40);
    }
  }

  @Test
  void letsFewThroughOfALargeGroupBesideSmallOnes() {
    Dataset<Row> asked = pairs(0, COUNT, 1).union(pairs(0, 3, 1).withColumn("at", lit(-1L)));
    Column isAsked = isOneOf(asked);

    assertThat(asked.filter(isAsked).count()).isEqualTo(COUNT + 3);
    assertThat(pairs(COUNT, 5 * COUNT, 1).filter(isAsked).count()).isLessThan(4 * COUNT / 40);
  }

  @Test
  void tellsTheSameKeysOfTwoGroupsApart() {
    Dataset<Row> asked = pairs(0, COUNT, 1);
    Dataset<Row> ofAnother = asked.withColumn("at", lit(1L));
    Column isAsked = isOneOf(asked.union(pairs(COUNT, 2 * COUNT, 1).withColumn("at", lit(1L))));

    assertThat(ofAnother.filter(isAsked).count()).isLessThan(COUNT / 40);
  }

  @Test
  void letsNothingThroughWhereNothingIsAskedFor() {
    Dataset<Row> none = pairs(0, 1, 1).filter("key < 0");
    Dataset<Row> ofNoGroup = pairs(0, 1, 1).withColumn("at", lit(null).cast("bigint"));

    for (Dataset<Row> nothing : List.of(none, none.limit(0), ofNoGroup)) {
      assertThat(pairs(0, COUNT, 7).filter(isOneOf(nothing)).count()).isZero();
    }
  }

  private static Column isOneOf(Dataset<Row> asked) {
    Column[] keys = {col("key"), col("other")};
    return IsOneOf.of(asked, keys, col("at"), keys, col("at"));
  }

  /** Pairs that are all different, of that many groups. */
  private Dataset<Row> pairs(long from, long to, long groups) {
    return bench
        .spark()
        .range(from, to, 1, 3)
        .select(
            col("id").divide(7).cast("bigint").as("key"),
            col("id").cast("string").as("other"),
            col("id").mod(groups).as("at"));
  }
}
