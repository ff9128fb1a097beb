package dev.tarn.etl.release;

import dev.tarn.etl.build.FeatureTable;
import dev.tarn.manifest.Manifest;
import java.time.Duration;
import java.util.List;
import org.apache.iceberg.Table;

/**
 * Which versions stay, and that Iceberg keeps their snapshots: each version has a tag from before
 * its first row is written until after its last one is deleted.
 */
public final class Retention {

  private final VersionStore versions;

  public Retention(VersionStore versions) {
    this.versions = versions;
  }

  /** Keeps a snapshot for a version. */
  public void tag(FeatureTable table, String version, long snapshotId) {
    table.changeRefs(refs -> refs.createTag(tagOf(version), snapshotId));
  }

  /** Removes what dead pushes left behind. */
  public void removeAbandoned(String view, FeatureTable table) {
    versions
        .giveUpAbandoned(view)
        .forEach(
            (version, buckets) -> {
              versions.remove(view, version, buckets);
              untag(table, version);
            });
  }

  /** Removes a version that was never released. */
  public void discard(String view, String version, int buckets, FeatureTable table) {
    versions.remove(view, version, buckets);
    untag(table, version);
  }

  /**
   * Lets go of all versions but the newest, the released one and what they overlay.
   *
   * @param grace how long lookups that are under way may still read them
   */
  public void prune(String view, FeatureTable table, int keep, Duration grace) {
    List<Manifest> complete = versions.manifests(view);
    for (Manifest old : complete.subList(Math.min(keep, complete.size()), complete.size())) {
      // The released version refuses this, and so does one under an overlay.
      if (versions.retire(old)) {
        versions.expire(old, grace);
        untag(table, old.getVersion());
      }
    }
  }

  private static void untag(FeatureTable table, String version) {
    Table iceberg = table.iceberg();
    iceberg.refresh();
    if (iceberg.refs().containsKey(tagOf(version))) {
      table.changeRefs(refs -> refs.removeTag(tagOf(version)));
    }
  }

  private static String tagOf(String version) {
    return "tarn-" + version;
  }
}
