package dev.tarn.etl.push;

import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.layer.Layers;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import dev.tarn.row.Values;
import java.util.Optional;
import org.apache.iceberg.Snapshot;

/**
 * First stage of a version: the snapshot is pinned and nothing is written yet.
 *
 * @param wanted the version record without what only writing tells: version, buckets and rows
 * @param delta the overlay to write; empty to write every row
 * @param reason why it is written although a smaller or no push could do, in one phrase; empty:
 *     there was no other way, or it was not asked
 * @param seen the view's release when this was planned, which this version is to replace
 */
record PlannedVersion(
    FeatureView view,
    FeatureTable table,
    Snapshot snapshot,
    Extent extent,
    VersionRecord wanted,
    Optional<Delta> delta,
    String reason,
    Optional<Release> seen) {

  /** The version record with its as-of and base. */
  VersionRecord planned() {
    VersionRecord.Builder planned =
        wanted.toBuilder().setAsOf(Timestamps.fromMicros(Values.micros(extent.newest())));
    delta.ifPresent(overlay -> planned.setBase(Layers.asBase(overlay.base())));
    return planned.build();
  }

  /** Rows to write, estimated. */
  long aboutRows() {
    return delta.map(Delta::records).orElse(extent.entities());
  }

  String mode() {
    return delta.isPresent() ? "delta" : "full";
  }
}
