package dev.tarn.etl.verify;

import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.apache.iceberg.Schema;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * The Iceberg table of all verifications, beside the release history: a row for each feature, so
 * that a feature's figures over time are one plain query.
 *
 * <p>It is a table of its own since a release is verified as often as somebody likes, and its row
 * in the history is written anew when the release ends.
 */
public final class VerificationHistory {

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, "verified_at", Types.TimestampType.withZone()),
          Types.NestedField.required(2, "feature_view", Types.StringType.get()),
          Types.NestedField.required(3, "version", Types.StringType.get()),
          Types.NestedField.required(4, "snapshot_id", Types.LongType.get()),
          Types.NestedField.required(5, "as_of", Types.TimestampType.withZone()),
          Types.NestedField.required(6, "released", Types.BooleanType.get()),
          Types.NestedField.required(7, "sample", Types.DoubleType.get()),
          Types.NestedField.required(8, "equal", Types.BooleanType.get()),
          Types.NestedField.required(9, "entities_online", Types.LongType.get()),
          Types.NestedField.required(10, "entities_offline", Types.LongType.get()),
          Types.NestedField.required(11, "entities_differing", Types.LongType.get()),
          Types.NestedField.required(12, "feature", Types.StringType.get()),
          Types.NestedField.required(13, "type", Types.StringType.get()),
          Types.NestedField.required(14, "differing", Types.LongType.get()),
          Types.NestedField.required(15, "online", statistics(17)),
          Types.NestedField.required(16, "offline", statistics(40)));

  private VerificationHistory() {}

  /** Adds a verification. */
  public static void add(Lake lake, Verification verification) throws Exception {
    TableIdentifier name = lake.table(ReleaseHistory.VERIFICATIONS);
    if (!lake.catalog().tableExists(name)) {
      try {
        lake.catalog().createTable(name, SCHEMA);
      } catch (AlreadyExistsException e) {
        // Another job was quicker.
      }
    }
    List<Row> rows = new ArrayList<>();
    for (Verification.OfFeature feature : verification.features()) {
      rows.add(
          RowFactory.create(
              verification.at(),
              verification.manifest().getFeatureView(),
              verification.manifest().getVersion(),
              verification.manifest().getSnapshotId(),
              Values.instant(Timestamps.toMicros(verification.manifest().getAsOf())),
              verification.isReleased(),
              verification.share(),
              verification.isEqual(),
              verification.online(),
              verification.offline(),
              verification.differing(),
              feature.feature().getName(),
              FeatureTypes.name(feature.feature().getType()),
              feature.differing(),
              row(feature.online()),
              row(feature.offline())));
    }
    lake.spark()
        .createDataFrame(rows, SparkSchemaUtil.convert(SCHEMA))
        .writeTo(lake.sqlName(ReleaseHistory.VERIFICATIONS))
        .append();
  }

  private static Types.StructType statistics(int firstId) {
    List<Types.NestedField> fields = new ArrayList<>();
    int id = firstId;
    fields.add(Types.NestedField.required(id++, "rows", Types.LongType.get()));
    fields.add(Types.NestedField.required(id++, "nulls", Types.LongType.get()));
    fields.add(Types.NestedField.required(id++, "null_rate", Types.DoubleType.get()));
    fields.add(Types.NestedField.required(id++, "distinct", Types.LongType.get()));
    fields.add(Types.NestedField.optional(id++, "not_finite", Types.LongType.get()));
    List<String> names = new ArrayList<>(List.of("mean", "variance", "min"));
    for (double share : VerifySummary.QUANTILES) {
      names.add(Numbers.quantileName(share));
    }
    names.add("max");
    for (String name : names) {
      fields.add(Types.NestedField.optional(id++, name, Types.DoubleType.get()));
    }
    return Types.StructType.of(fields);
  }

  private static Row row(Statistics statistics) {
    List<Object> values = new ArrayList<>();
    values.add(statistics.rows());
    values.add(statistics.nulls());
    values.add(statistics.nullRate());
    values.add(statistics.distinct());
    values.add(statistics.isNumeric() ? statistics.notFinite() : null);
    List<OptionalDouble> numbers =
        new ArrayList<>(List.of(statistics.mean(), statistics.variance(), statistics.min()));
    for (double share : VerifySummary.QUANTILES) {
      numbers.add(statistics.quantile(share));
    }
    numbers.add(statistics.max());
    for (OptionalDouble number : numbers) {
      values.add(number.isPresent() ? (Object) number.getAsDouble() : null);
    }
    return RowFactory.create(values.toArray());
  }
}
