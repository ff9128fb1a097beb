package dev.tarn.etl.fit;

import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.Transform;
import dev.tarn.transform.NumberSteps;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Fits the transforms of one feature on its values, step by step. Each step sees the values as the
 * fitted steps before it leave them. NaN, ±Inf and nulls that nothing fills are left out.
 */
final class Fitting {

  /** Accuracy of quantiles: their error is 1 / 10,000 of the rows. */
  private static final int QUANTILE_ACCURACY = 10_000;

  private final Dataset<Row> rows;
  private final String column;
  private final String featureName;

  /**
   * Makes the fitting of one feature.
   *
   * @param rows one row for each entity
   * @param column the feature's column
   */
  Fitting(Dataset<Row> rows, String column, String featureName) {
    this.rows = rows;
    this.column = column;
    this.featureName = featureName;
  }

  FeatureTransforms fit(List<Transform> steps) {
    List<Transform> fitted = new ArrayList<>();
    for (Transform step : steps) {
      fitted.add(step.getFit() ? fit(step, fitted) : step);
    }
    return FeatureTransforms.newBuilder().setFeatureName(featureName).addAllSteps(fitted).build();
  }

  private Transform fit(Transform step, List<Transform> before) {
    Transform.Builder fitted = step.toBuilder();
    if (step.hasOneHot()) {
      fitted.getOneHotBuilder().addAllValues(mostFrequent(before, step.getOneHot().getTop()));
      return fitted.build();
    }
    Column input = input(before);
    switch (step.getKindCase()) {
      case STANDARDIZE -> {
        // The deviation of the whole population, as in scikit-learn's StandardScaler.
        Row row = aggregate(functions.avg(input), functions.stddev_pop(input));
        fitted.getStandardizeBuilder().setMean(row.getDouble(0)).setStd(row.getDouble(1));
      }
      case MIN_MAX -> {
        Row row = aggregate(functions.min(input), functions.max(input));
        fitted.getMinMaxBuilder().setMin(row.getDouble(0)).setMax(row.getDouble(1));
      }
      case CLIP -> {
        Row row = aggregate(functions.min(input), functions.max(input));
        fitted.getClipBuilder().setMin(row.getDouble(0)).setMax(row.getDouble(1));
      }
      case BUCKETIZE ->
          fitted
              .getBucketizeBuilder()
              .addAllBoundaries(quantiles(input, step.getBucketize().getBuckets()));
      default -> throw new IllegalArgumentException("nothing to fit: " + step);
    }
    return fitted.build();
  }

  /**
   * The most frequent values in alphabetical order, so that small changes of their counts change no
   * value's place.
   */
  private Set<String> mostFrequent(List<Transform> before, int top) {
    Column text = functions.col("`" + column + "`").cast("string");
    Column filled =
        before.isEmpty()
            ? text
            : functions.coalesce(text, functions.lit(before.get(0).getFill().getText()));
    TreeSet<String> values = new TreeSet<>();
    rows.select(filled.as("value"))
        .filter("value IS NOT NULL")
        .groupBy("value")
        .count()
        .orderBy(functions.col("count").desc(), functions.col("value"))
        .limit(top)
        .collectAsList()
        .forEach(row -> values.add(row.getString(0)));
    if (values.isEmpty()) {
      throw nothing();
    }
    return values;
  }

  private Set<Double> quantiles(Column input, int buckets) {
    Column[] shares =
        IntStream.range(1, buckets)
            .mapToObj(i -> functions.lit((double) i / buckets))
            .toArray(Column[]::new);
    Row row =
        aggregate(
            functions.percentile_approx(
                input, functions.array(shares), functions.lit(QUANTILE_ACCURACY)));
    return new TreeSet<>(row.<Double>getList(0));
  }

  private Row aggregate(Column first, Column... more) {
    Row row = rows.agg(first, more).head();
    if (row.isNullAt(0)) {
      throw nothing();
    }
    return row;
  }

  private TarnException nothing() {
    return new TarnException(
        "feature '%s' has no value in the snapshot to fit its transforms on"
            .formatted(featureName));
  }

  private Column input(List<Transform> before) {
    Column number = functions.col("`" + column + "`").cast(DataTypes.DoubleType);
    return functions.udf(new Apply(before), DataTypes.DoubleType).apply(number);
  }

  /** Applies the steps before by the server's code; null for values that are left out. */
  private static final class Apply implements UDF1<Double, Double> {
    private static final long serialVersionUID = 1L;

    private final ArrayList<Transform> steps;
    private transient volatile NumberSteps applied;

    Apply(List<Transform> steps) {
      this.steps = new ArrayList<>(steps);
    }

    @Override
    public Double call(Double value) {
      if (applied == null) {
        applied = NumberSteps.of(steps);
      }
      OptionalDouble made =
          value == null ? applied.absent() : OptionalDouble.of(applied.apply(value));
      // Not a conditional expression, which would unbox its null.
      if (made.isPresent() && Double.isFinite(made.getAsDouble())) {
        return made.getAsDouble();
      }
      return null;
    }
  }
}
