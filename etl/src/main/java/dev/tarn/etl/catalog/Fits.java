package dev.tarn.etl.catalog;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FittedOn;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.redis.ControlJson;
import dev.tarn.transform.Transforms;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.Schema;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.Types;

/**
 * The ledger of all fits: which service, when, on which snapshots, with which result. The newest
 * row of a service counts.
 *
 * <p>A service has features of several feature tables, so its fits are in none of these, and
 * outlive their snapshots, and Redis.
 */
public final class Fits {

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

  private final Ledger ledger;

  public Fits(IcebergCatalog catalog) {
    ledger = new Ledger(catalog, Ledger.FITS, SCHEMA);
  }

  /**
   * Gives services the parameters of their newest fits. A feature whose transforms have changed
   * since stays unfitted.
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
    Map<String, Long> snapshots = new HashMap<>();
    for (FittedOn on : fitted.getFittedOnList()) {
      snapshots.put(on.getFeatureView(), on.getSnapshotId());
    }
    Record row = ledger.row();
    row.setField(SERVICE, fitted.getName());
    row.setField(FITTED_AT, at.atOffset(ZoneOffset.UTC));
    row.setField(SNAPSHOTS, snapshots);
    row.setField(DEFINITION, ControlJson.print(fitted));
    ledger.append("the fit", List.of(row));
  }

  private Optional<StoredService> newest(String service) {
    return ledger.read(Expressions.equal(SERVICE, service)).stream()
        .max(Comparator.comparing(row -> (OffsetDateTime) row.getField(FITTED_AT)))
        .map(row -> parse((String) row.getField(DEFINITION)));
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
      throw new TarnException("a fit in %s can't be read: %s".formatted(Ledger.FITS, json), e);
    }
  }
}
