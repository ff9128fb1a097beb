package dev.tarn.etl.release;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.SnapshotRef;

/**
 * Decides which versions stay, and makes Iceberg keep their snapshots: each version has a tag from
 * before its first row is written until after its last one is removed.
 */
public final class Retention {

  /** Begins the tags of versions. */
  private static final String TAG = "tarn-";

  private final VersionStore versions;

  public Retention(VersionStore versions) {
    this.versions = versions;
  }

  /** Keeps a snapshot for a version. */
  public void tag(FeatureTable table, String version, long snapshotId) {
    table.refs().tag(tagOf(version), snapshotId);
  }

  /**
   * Restores the tags of a view's versions that are not as {@link #tag} left them: a person may
   * have dropped or moved one.
   *
   * @return the versions whose tag was missing
   * @throws TarnException if nothing says of which snapshot the released version is
   */
  public List<String> tagAgain(String view, FeatureTable table) {
    List<VersionRecord> kept = versions.records(view);
    Optional<String> released = versions.released(view).map(Release::version);
    Map<String, SnapshotRef> refs = table.refs().all();
    if (released.isPresent()
        && !refs.containsKey(tagOf(released.get()))
        && kept.stream().noneMatch(record -> record.getVersion().equals(released.get()))) {
      throw new TarnException(
          "%s: version %s is released, and neither Redis nor a tag of %s says from which snapshot, so nothing is expired; push the view again with mode=full"
              .formatted(view, released.get(), table.sqlName()));
    }
    List<String> tagged = new ArrayList<>();
    for (VersionRecord record : kept) {
      String version = record.getVersion();
      String tag = tagOf(version);
      long snapshotId = record.getSnapshotId();
      SnapshotRef ref = refs.get(tag);
      if (ref != null && ref.snapshotId() == snapshotId) {
        if (!Long.valueOf(Long.MAX_VALUE).equals(ref.maxRefAgeMs())) {
          table.refs().change(change -> change.setMaxRefAgeMs(tag, Long.MAX_VALUE));
        }
      } else if (table.iceberg().snapshot(snapshotId) != null) {
        if (ref != null) {
          untag(table, version);
        }
        tag(table, version, snapshotId);
        tagged.add(version);
        if (versions.record(view, version).isEmpty()) {
          // It was pruned in this moment, so nobody else would drop the tag.
          untag(table, version);
        }
      }
    }
    return tagged;
  }

  /**
   * Removes the versions that dead pushes left behind.
   *
   * @param grace the time for which lookups may still read a version that was released once
   */
  public void removeAbandoned(String view, FeatureTable table, Duration grace) {
    removeAbandoned(view, Optional.of(table), grace);
  }

  /**
   * Removes versions as {@link #removeAbandoned(String, FeatureTable, Duration)} does, also where
   * somebody has dropped the table with its tags.
   */
  void removeAbandoned(String view, Optional<FeatureTable> table, Duration grace) {
    for (VersionStore.Abandoned abandoned : versions.claimAbandoned(view)) {
      if (abandoned.mayBeRead()) {
        versions.removeLater(view, abandoned.version(), abandoned.buckets(), grace);
      } else {
        versions.remove(view, abandoned.version(), abandoned.buckets());
      }
      end(view, abandoned.version(), table);
    }
  }

  /**
   * Removes what is left of a version that was released and that Redis has lost the record of. The
   * history says how many buckets it has.
   *
   * @param grace the time for which lookups may still read it
   */
  public void removeLost(
      String view, String version, FeatureTable table, ReleaseHistory history, Duration grace) {
    history.of(view).stream()
        .filter(known -> known.version().equals(version))
        .flatMap(known -> known.record().stream())
        .findFirst()
        .ifPresent(
            record -> {
              versions.removeLater(view, version, record.getBuckets(), grace);
              untag(table, version);
            });
  }

  /** Discards a version that was never released. */
  public void discard(String view, String version, int buckets, FeatureTable table) {
    versions.remove(view, version, buckets);
    end(view, version, Optional.of(table));
  }

  /**
   * Prunes all versions but the newest, the released one and their bases.
   *
   * @param keep the number of newest versions that stay
   * @param grace the time for which lookups may still read the pruned ones
   * @return the versions that were pruned
   */
  public List<String> prune(String view, FeatureTable table, int keep, Duration grace) {
    List<VersionRecord> complete = versions.records(view);
    return prune(
        view, table, complete.subList(Math.min(keep, complete.size()), complete.size()), grace);
  }

  /**
   * Prunes those of some versions that are neither released nor under an overlay.
   *
   * @param records the newest first
   */
  List<String> prune(String view, FeatureTable table, List<VersionRecord> records, Duration grace) {
    List<String> pruned = new ArrayList<>();
    for (VersionRecord old : records) {
      // The released version refuses this, and so does one under an overlay.
      if (versions.prune(old)) {
        versions.removeLater(view, old.getVersion(), old.getBuckets(), grace);
        end(view, old.getVersion(), Optional.of(table));
        pruned.add(old.getVersion());
      }
    }
    return pruned;
  }

  /** Removes the tag first: without its entry, nobody would look for the tag of a version. */
  private void end(String view, String version, Optional<FeatureTable> table) {
    table.ifPresent(tagged -> untag(tagged, version));
    versions.removeEntry(view, version);
  }

  private static void untag(FeatureTable table, String version) {
    table.refs().untag(tagOf(version));
  }

  private static String tagOf(String version) {
    return TAG + version;
  }

  /** The version that a tag is of, if it is the name of a version's tag. */
  public static Optional<String> versionOf(String tag) {
    return tag.startsWith(TAG + "v") ? Optional.of(tag.substring(TAG.length())) : Optional.empty();
  }
}
