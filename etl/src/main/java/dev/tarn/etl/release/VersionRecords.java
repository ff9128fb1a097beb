package dev.tarn.etl.release;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.util.Durations;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.Base;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.live.LivePlan;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.RowWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.types.DataType;

/**
 * Makes version records: what servers must know of a version, from the snapshot's schema and the
 * definition.
 */
public final class VersionRecords {

  private VersionRecords() {}

  /**
   * Makes the record of a snapshot. It lacks what only the push itself knows: version, as-of,
   * times, rows and buckets. Its features are those of the snapshot, in the same order; the
   * definition adds what it says of them, by name.
   *
   * @throws UsageException if the definition gives a feature another type than the snapshot has
   */
  public static VersionRecord of(FeatureView view, FeatureTable table, Snapshot snapshot) {
    Schema schema = table.schemaOf(snapshot);
    VersionRecord.Builder record =
        VersionRecord.newBuilder()
            .setRowFormat(RowWriter.FORMAT)
            .setFeatureView(view.name())
            .setEntity(view.entity().name())
            .addAllEntityKeys(view.entity().keyNames())
            .setSnapshotId(snapshot.snapshotId())
            .setSequenceNumber(snapshot.sequenceNumber())
            .setDefinitionHash(snapshot.summary().getOrDefault(FeatureTable.DEFINITION, ""))
            .setDescription(view.description())
            .setOwner(view.owner())
            .addAllTags(view.tags())
            .setTable(table.sqlName())
            .setCarriesForward(table.storesChanges(snapshot))
            .setTarnVersion(TarnVersion.current());
    view.maxAge().ifPresent(age -> record.setMaxAge(Durations.fromSeconds(age.toSeconds())));
    Optional<Base> base = Base.of(snapshot);
    if (base.isPresent()) {
      Types.NestedField cells = schema.findField(BaseTable.CELLS);
      return record
          .setRowFormat(LivePlan.FORMAT)
          .addFeatures(
              StoredFeature.newBuilder()
                  .setFieldId(cells.fieldId())
                  .setName(cells.name())
                  .setType(FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_BINARY)))
          .setLive(live(view, base.get()))
          .build();
    }
    for (Types.NestedField field : schema.columns()) {
      if (isFeature(view, field.name())) {
        record.addFeatures(stored(view, field, table));
      }
    }
    return record.build();
  }

  /** What a base's cells are and how they are answered. */
  private static LiveBase live(FeatureView view, Base base) {
    LiveBase.Builder live =
        LiveDefinition.of(view).toBuilder()
            .setGeneration(base.generation())
            .setTopicId(base.cut().topicId())
            .setEventSnapshotId(base.eventSnapshot())
            .putAllCut(base.cut().offsets())
            .setLiveBuckets(base.liveBuckets());
    for (int i = 0; i < view.features().size(); i++) {
      Feature feature = view.features().get(i);
      StoredFeature.Builder stored =
          StoredFeature.newBuilder()
              .setFieldId(i + 1)
              .setName(feature.name())
              .setType(SparkTypes.stored(feature.type()).orElseThrow());
      describe(stored, feature);
      live.addFeatures(stored);
    }
    return live.build();
  }

  /** Tells whether lookups would get the same from two versions, whatever push made them. */
  public static boolean sameAnswers(VersionRecord one, VersionRecord other) {
    return withoutPush(one).equals(withoutPush(other));
  }

  /** Names what decides the answers of a version and differs between two; empty: nothing does. */
  public static List<String> changes(VersionRecord one, VersionRecord other) {
    VersionRecord before = withoutPush(one);
    VersionRecord after = withoutPush(other);
    List<String> changes = new ArrayList<>();
    for (FieldDescriptor field : VersionRecord.getDescriptor().getFields()) {
      if (!valueOf(before, field).equals(valueOf(after, field))) {
        changes.add(field.getName().replace('_', ' '));
      }
    }
    return changes;
  }

  private static Object valueOf(VersionRecord record, FieldDescriptor field) {
    return field.hasPresence() && !record.hasField(field) ? "" : record.getField(field);
  }

  static boolean isFeature(FeatureView view, String column) {
    return !column.equals(FeatureView.EVENT_TIMESTAMP)
        && !column.equals(FeatureView.PRESENT_UNTIL)
        && !view.entity().keyNames().contains(column);
  }

  private static StoredFeature stored(
      FeatureView view, Types.NestedField field, FeatureTable table) {
    DataType type = SparkSchemaUtil.convert(field.type());
    FeatureType storedType =
        SparkTypes.stored(type)
            .orElseThrow(
                () ->
                    new UsageException(
                        "%s: column '%s' is %s, which can't be served exactly"
                            .formatted(table.sqlName(), field.name(), type.simpleString())));
    StoredFeature.Builder stored =
        StoredFeature.newBuilder()
            .setFieldId(field.fieldId())
            .setName(field.name())
            .setType(storedType);
    view.feature(field.name()).ifPresent(feature -> describe(stored, feature, type));
    return stored.build();
  }

  private static void describe(StoredFeature.Builder stored, Feature feature, DataType type) {
    if (!SparkTypes.same(feature.type(), type)) {
      throw new UsageException(
          "%s: feature '%s' is %s in the definition and %s in the snapshot; build an as-of first"
              .formatted(
                  feature.position(),
                  feature.name(),
                  feature.type().simpleString(),
                  type.simpleString()));
    }
    describe(stored, feature);
  }

  private static void describe(StoredFeature.Builder stored, Feature feature) {
    stored
        .setDescription(feature.description())
        .setOwner(feature.owner())
        .addAllTags(feature.tags());
    feature.defaultValue().ifPresent(stored::setDefaultValue);
  }

  private static VersionRecord withoutPush(VersionRecord record) {
    return record.toBuilder()
        .clearVersion()
        .clearAsOf()
        .clearCreatedAt()
        .clearRows()
        .clearOwnRows()
        .clearBuckets()
        .clearSampleRows()
        .clearBase()
        .clearTarnVersion()
        .build();
  }
}
