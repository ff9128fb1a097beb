package dev.tarn.etl.train;

import com.google.protobuf.Duration;
import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.manifest.VersionRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * Knows how a view's rows are answered: up to which age and with which defaults. By event time the
 * definition decides; as served each release had its own rules.
 */
final class Rules {

  /** The columns of a row of the spine that say which reading of a view it is for. */
  private static final String READING = Columns.PREFIX + "reading";

  private final TrainingView view;
  private final boolean isServed;
  private final int index;

  Rules(TrainingView view, boolean isServed, int index) {
    this.view = view;
    this.isServed = isServed;
    this.index = index;
  }

  static String reading(int view) {
    return READING + view;
  }

  /** The greatest age in microseconds; null where there is no limit. */
  Column maxAge() {
    if (!isServed) {
      return view.hasMaxAge() ? micros(view.getMaxAge()) : PointInTime.noTime();
    }
    return byReading(
        answered -> answered.hasMaxAge() ? micros(answered.getMaxAge()) : PointInTime.noTime(),
        DataTypes.LongType);
  }

  /** The value that stands in for a missing feature; null if there is none. */
  Column defaultOf(StoredFeature feature) {
    DataType type = ViewTable.type(feature);
    if (!isServed) {
      return literal(feature, type);
    }
    return byReading(
        answered ->
            features(answered).stream()
                .filter(
                    stored ->
                        answered.hasLive()
                            ? stored.getName().equals(feature.getName())
                            : stored.getFieldId() == feature.getFieldId())
                .findFirst()
                .map(stored -> literal(stored, type))
                .orElse(functions.lit(null).cast(type)),
        type);
  }

  /** Whether any feature of the view has a default. */
  boolean hasDefaults() {
    return view.getFeaturesList().stream().anyMatch(StoredFeature::hasDefaultValue)
        || view.getReadingsList().stream()
            .flatMap(reading -> features(reading.getServed()).stream())
            .anyMatch(StoredFeature::hasDefaultValue);
  }

  /** The greatest age of any row that counts; empty: there is no limit. */
  Optional<Long> maxAgeMicros() {
    return view.hasMaxAge() && !isServed
        ? Optional.of(Durations.toMicros(view.getMaxAge()))
        : Optional.empty();
  }

  /**
   * Chooses the rule of a row's release. Most releases of a view have the same rules, so one case
   * covers many of them.
   */
  private Column byReading(Function<VersionRecord, Column> rule, DataType type) {
    List<Column> rules = new ArrayList<>();
    List<List<Object>> readings = new ArrayList<>();
    for (int i = 0; i < view.getReadingsCount(); i++) {
      TrainingReading reading = view.getReadings(i);
      Column column = rule.apply(reading.getServed());
      int known = 0;
      while (known < rules.size() && !rules.get(known).equals(column)) {
        known++;
      }
      if (known == rules.size()) {
        rules.add(column);
        readings.add(new ArrayList<>());
      }
      readings.get(known).add(i);
    }
    Column result = functions.lit(null).cast(type);
    for (int i = 0; i < rules.size(); i++) {
      result =
          functions
              .when(functions.col(reading(index)).isin(readings.get(i).toArray()), rules.get(i))
              .otherwise(result);
    }
    return result;
  }

  /** The features that are answered. */
  private static List<StoredFeature> features(VersionRecord record) {
    return record.hasLive() ? record.getLive().getFeaturesList() : record.getFeaturesList();
  }

  private static Column micros(Duration duration) {
    return functions.lit(Durations.toMicros(duration));
  }

  private static Column literal(StoredFeature feature, DataType type) {
    Value value = feature.getDefaultValue();
    Column literal =
        switch (value.getKindCase()) {
          case BOOL_VALUE -> functions.lit(value.getBoolValue());
          case NUMBER_VALUE -> functions.lit(value.getNumberValue());
          // Integers beyond 2^53, decimals and times are answered as text.
          case STRING_VALUE -> functions.lit(value.getStringValue());
          default -> functions.lit(null);
        };
    return literal.cast(type);
  }
}
