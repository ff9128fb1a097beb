package dev.tarn.etl.catalog;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.lake.Lake;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FittedOn;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.redis.ControlJson;
import dev.tarn.transform.Transforms;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.Schema;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The Iceberg table of all fits: which service, when, on which snapshots, with which result.
 *
 * <p>A table of its own, since a service has features of several feature tables: what is written
 * here outlives each of their snapshots, and Redis. Rows are only ever added; the newest one of a
 * service counts.
 */
public final class Fits {

  /** The table's name, beside the feature tables. */
  public static final String TABLE = "tarn_fits";

  private static final String SERVICE = "feature_service";
  private static final String FITTED_AT = "fitted_at";
  private static final String SNAPSHOTS = "snapshots";
  private static final String DEFINITION = "definition";

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, SERVICE, Types.StringType.get()),
          Types.NestedField.required(2, FITTED_AT, Types.TimestampType.withZone()),
          Types.NestedField.required(
              3,
              SNAPSHOTS,
              Types.MapType.ofRequired(4, 5, Types.StringType.get(), Types.LongType.get())),
          Types.NestedField.required(6, DEFINITION, Types.StringType.get()));

  private static final StructType ROW =
      new StructType()
          .add(SERVICE, DataTypes.StringType, false)
          .add(FITTED_AT, DataTypes.TimestampType, false)
          .add(
              SNAPSHOTS,
              DataTypes.createMapType(DataTypes.StringType, DataTypes.LongType, false),
              false)
          .add(DEFINITION, DataTypes.StringType, false);

  private final Lake lake;

  public Fits(Lake lake) {
    this.lake = lake;
  }

  /**
   * Services with the parameters of their newest fits, feature by feature: one whose transforms are
   * not those that were fitted stays unfitted.
   */
  public List<StoredService> apply(List<StoredService> defined) {
    return defined.stream().map(this::apply).toList();
  }

  private StoredService apply(StoredService defined) {
    boolean isFitted =
        defined.getTransformsList().stream().allMatch(f -> Transforms.areFitted(f.getStepsList()));
    return isFitted
        ? defined
        : newest(defined.getName()).map(fitted -> merge(defined, fitted)).orElse(defined);
  }

  /** Adds a fit. */
  public void add(StoredService fitted, Instant at) {
    TableIdentifier name = lake.table(TABLE);
    if (!lake.catalog().tableExists(name)) {
      try {
        lake.catalog().createTable(name, SCHEMA);
      } catch (AlreadyExistsException e) {
        // Another job was quicker.
      }
    }
    Map<String, Long> snapshots = new HashMap<>();
    for (FittedOn on : fitted.getFittedOnList()) {
      snapshots.put(on.getFeatureView(), on.getSnapshotId());
    }
    try {
      lake.spark()
          .createDataFrame(
              List.of(
                  RowFactory.create(fitted.getName(), at, snapshots, ControlJson.print(fitted))),
              ROW)
          .writeTo(lake.sqlName(TABLE))
          .append();
    } catch (Exception e) { // Scala does not declare NoSuchTableException
      throw new TarnException("the fit can't be stored in %s".formatted(name), e);
    }
  }

  private Optional<StoredService> newest(String service) {
    Optional<Record> newest = Optional.empty();
    try (CloseableIterable<Record> records =
        IcebergGenerics.read(lake.catalog().loadTable(lake.table(TABLE)))
            .where(Expressions.equal(SERVICE, service))
            .build()) {
      for (Record record : records) {
        if (newest.isEmpty() || at(record).isAfter(at(newest.get()))) {
          newest = Optional.of(record.copy());
        }
      }
    } catch (NoSuchTableException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return newest.map(record -> parse((String) record.getField(DEFINITION)));
  }

  private static OffsetDateTime at(Record record) {
    return (OffsetDateTime) record.getField(FITTED_AT);
  }

  private static StoredService merge(StoredService defined, StoredService fitted) {
    Map<FeatureTransforms, FeatureTransforms> byDefinition = new HashMap<>();
    fitted.getTransformsList().forEach(feature -> byDefinition.put(unfitted(feature), feature));
    StoredService.Builder merged = defined.toBuilder().clearTransforms();
    for (FeatureTransforms feature : defined.getTransformsList()) {
      merged.addTransforms(byDefinition.getOrDefault(feature, feature));
    }
    boolean isFitted = !merged.getTransformsList().equals(defined.getTransformsList());
    return isFitted ? merged.addAllFittedOn(fitted.getFittedOnList()).build() : defined;
  }

  /** The transforms as they were before they were fitted. */
  private static FeatureTransforms unfitted(FeatureTransforms feature) {
    FeatureTransforms.Builder unfitted = feature.toBuilder();
    for (Transform.Builder step : unfitted.getStepsBuilderList()) {
      if (step.getFit()) {
        switch (step.getKindCase()) {
          case STANDARDIZE -> step.getStandardizeBuilder().clear();
          case MIN_MAX -> step.getMinMaxBuilder().clear();
          case CLIP -> step.getClipBuilder().clear();
          case ONE_HOT -> step.getOneHotBuilder().clearValues();
          case BUCKETIZE -> step.getBucketizeBuilder().clearBoundaries();
          default -> {}
        }
      }
    }
    return unfitted.build();
  }

  private static StoredService parse(String json) {
    try {
      return ControlJson.parse(json, StoredService.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException("a fit in %s can't be read: %s".formatted(TABLE, json), e);
    }
  }
}
