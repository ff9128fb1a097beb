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

  /**
   * Removes what dead pushes left behind.
   *
   * @param grace how long lookups that are under way may still read what was released once
   */
  public void removeAbandoned(String view, FeatureTable table, Duration grace) {
    for (VersionStore.Abandoned abandoned : versions.giveUpAbandoned(view)) {
      if (abandoned.mayBeRead()) {
        versions.expire(view, abandoned.version(), abandoned.buckets(), grace);
        end(view, abandoned.version(), table);
      } else {
        discard(view, abandoned.version(), abandoned.buckets(), table);
      }
    }
  }

  /** Removes a version that was never released. */
  public void discard(String view, String version, int buckets, FeatureTable table) {
    versions.remove(view, version, buckets);
    end(view, version, table);
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
        versions.expire(view, old.getVersion(), old.getBuckets(), grace);
        end(view, old.getVersion(), table);
      }
    }
  }

  /** The tag first: once a version is forgotten, nobody would look for its tag. */
  private void end(String view, String version, FeatureTable table) {
    untag(table, version);
    versions.forget(view, version);
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
