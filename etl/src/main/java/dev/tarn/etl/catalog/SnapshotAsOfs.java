package dev.tarn.etl.catalog;

import com.google.common.primitives.Longs;
import dev.tarn.cli.TarnException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.UpdateProperties;

/**
 * The as-ofs of the snapshots of a table that stores changes. A build writes them into the summary
 * of its snapshot. Compaction makes snapshots without them, which have those of the one before; and
 * expiry may remove that one, so the newest as-ofs are in a property of the table as well.
 */
public final class SnapshotAsOfs {

  /** A property of the table: from which sequence number on its property of as-ofs holds. */
  private static final String SINCE = "tarn.as-ofs-since";

  private final FeatureTable features;
  private final Table table;

  public SnapshotAsOfs(FeatureTable features) {
    this.features = features;
    this.table = features.iceberg();
  }

  /**
   * The as-ofs of a snapshot.
   *
   * @throws TarnException if the snapshot that had them is expired
   */
  AsOfSeries of(Snapshot snapshot) {
    Snapshot last = snapshot;
    while (!last.summary().containsKey(FeatureTable.AS_OFS)) {
      if (last.parentId() == null) {
        return AsOfSeries.EMPTY;
      }
      Snapshot parent = table.snapshot(last.parentId());
      if (parent == null) {
        if (isInProperty(snapshot)) {
          return AsOfSeries.parse(table.properties().get(FeatureTable.AS_OFS));
        }
        throw new TarnException(
            "%s: the as-ofs of snapshot %d are not known, since the snapshot of the last build before it is expired"
                .formatted(features.sqlName(), snapshot.snapshotId()));
      }
      last = parent;
    }
    return AsOfSeries.parse(last.summary().get(FeatureTable.AS_OFS));
  }

  /** The ids of the other snapshots that have to stay, so that {@link #of} finds this one's. */
  public List<Long> neededBy(Snapshot snapshot) {
    List<Long> needed = new ArrayList<>();
    if (!features.storesChanges(snapshot)
        || snapshot.summary().containsKey(FeatureTable.REPLACES)
        || isInProperty(snapshot)) {
      return needed;
    }
    Snapshot last = snapshot;
    while (last != null
        && !last.summary().containsKey(FeatureTable.AS_OFS)
        && last.parentId() != null) {
      last = table.snapshot(last.parentId());
      if (last != null) {
        needed.add(last.snapshotId());
      }
    }
    return needed;
  }

  /** Writes the as-ofs of a snapshot that is published into the property of the table. */
  static void publish(Snapshot snapshot, UpdateProperties properties) {
    properties
        .set(FeatureTable.AS_OFS, snapshot.summary().get(FeatureTable.AS_OFS))
        .set(SINCE, Long.toString(snapshot.sequenceNumber()))
        .commit();
  }

  private boolean isInProperty(Snapshot snapshot) {
    return Optional.ofNullable(table.properties().get(SINCE))
        .map(Longs::tryParse)
        .filter(since -> since <= snapshot.sequenceNumber())
        .isPresent();
  }
}
