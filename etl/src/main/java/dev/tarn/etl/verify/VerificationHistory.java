package dev.tarn.etl.verify;

import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.Values;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.apache.iceberg.Schema;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.types.Types;

/**
 * The ledger of all verifications: a row for each feature, so that a feature's figures over time
 * are one plain query.
 *
 * <p>They are not in the release history, since a release is verified as often as somebody likes,
 * and its row there is written anew when the release ends.
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
  public static void add(IcebergCatalog catalog, Verification verification) {
    Ledger ledger = new Ledger(catalog, Ledger.VERIFICATIONS, SCHEMA);
    VersionRecord record = verification.record();
    List<Record> rows = new ArrayList<>();
    for (Verification.OfFeature feature : verification.features()) {
      Record row = ledger.row();
      row.setField("verified_at", verification.at().atOffset(ZoneOffset.UTC));
      row.setField("feature_view", record.getFeatureView());
      row.setField("version", record.getVersion());
      row.setField("snapshot_id", record.getSnapshotId());
      row.setField(
          "as_of",
          Values.instant(Timestamps.toMicros(record.getAsOf())).atOffset(ZoneOffset.UTC));
      row.setField("released", verification.isReleased());
      row.setField("sample", verification.share());
      row.setField("equal", verification.isEqual());
      row.setField("entities_online", verification.online());
      row.setField("entities_offline", verification.offline());
      row.setField("entities_differing", verification.differing());
      row.setField("feature", feature.feature().getName());
      row.setField("type", FeatureTypes.name(feature.feature().getType()));
      row.setField("differing", feature.differing());
      row.setField("online", record(feature.online()));
      row.setField("offline", record(feature.offline()));
      rows.add(row);
    }
    ledger.append("the verification", rows);
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

  private static Record record(Statistics statistics) {
    Record record = GenericRecord.create(statistics(1));
    record.setField("rows", statistics.rows());
    record.setField("nulls", statistics.nulls());
    record.setField("null_rate", statistics.nullRate());
    record.setField("distinct", statistics.distinct());
    record.setField("not_finite", statistics.isNumeric() ? statistics.notFinite() : null);
    statistics.mean().ifPresent(mean -> record.setField("mean", mean));
    statistics.variance().ifPresent(variance -> record.setField("variance", variance));
    statistics.min().ifPresent(min -> record.setField("min", min));
    for (double share : VerifySummary.QUANTILES) {
      statistics
          .quantile(share)
          .ifPresent(quantile -> record.setField(Numbers.quantileName(share), quantile));
    }
    statistics.max().ifPresent(max -> record.setField("max", max));
    return record;
  }
}
