package dev.tarn.etl.fit;

import com.google.common.collect.Lists;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.Transform;
import dev.tarn.transform.NumberSteps;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.storage.StorageLevel;

/**
 * Fits the transforms of one feature on its values, step by step. Each step sees the values as the
 * fitted steps before it leave them. NaN, ±Inf and nulls that nothing fills are left out.
 */
final class Fitting {

  private static final String VALUE = "value";

  private final Dataset<Row> rows;
  private final String column;
  private final String featureName;
  private final List<String> notes;

  /**
   * Makes the fitting of one feature.
   *
   * @param rows one row for each entity
   * @param column the feature's column
   * @param notes gets what the user would not expect of the result
   */
  Fitting(Dataset<Row> rows, String column, String featureName, List<String> notes) {
    this.rows = rows;
    this.column = column;
    this.featureName = featureName;
    this.notes = notes;
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
              .addAllBoundaries(boundaries(input, step.getBucketize().getBuckets()));
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
    rows.select(filled.as(VALUE))
        .filter(functions.col(VALUE).isNotNull())
        .groupBy(VALUE)
        .count()
        .orderBy(functions.col("count").desc(), functions.col(VALUE))
        .limit(top)
        .collectAsList()
        .forEach(row -> values.add(row.getString(0)));
    if (values.isEmpty()) {
      throw nothing();
    }
    return values;
  }

  private Set<Double> boundaries(Column input, int buckets) {
    Set<Double> boundaries = quantiles(input, buckets);
    if (boundaries.size() < buckets - 1) {
      notes.add(
          "feature '%s': its values make %s, where %,d were asked for, as many rows share a value; boundaries: %s"
              .formatted(
                  featureName,
                  Plural.of(boundaries.size() + 1, "bucket"),
                  buckets,
                  boundaries.stream().map(String::valueOf).collect(Collectors.joining(", "))));
    }
    return boundaries;
  }

  /** The values at equal shares of the rows in order, exactly, each value once. */
  private Set<Double> quantiles(Column input, int buckets) {
    // Adding 0 makes -0.0, which is no other boundary, 0.0.
    Dataset<Row> values =
        rows.select(input.plus(0.0).as(VALUE))
            .filter(functions.col(VALUE).isNotNull())
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      long count = values.count();
      if (count == 0) {
        throw nothing();
      }
      HashSet<Long> places = new HashSet<>();
      for (int i = 1; i < buckets; i++) {
        places.add((i * count + buckets - 1) / buckets - 1);
      }
      return new TreeSet<>(
          values
              .sort(VALUE)
              .javaRDD()
              .zipWithIndex()
              .filter(row -> places.contains(row._2()))
              .map(row -> row._1().getDouble(0))
              .collect());
    } finally {
      values.unpersist();
    }
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
        "feature '%s' has no value in the snapshot to fit its transforms on%s"
            .formatted(featureName, String.join("", Lists.transform(notes, note -> "; " + note))));
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
