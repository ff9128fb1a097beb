package dev.tarn.etl.expire;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.AuditBranches;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.catalog.SnapshotAsOfs;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.actions.DeleteOrphanFiles;
import org.apache.iceberg.actions.ExpireSnapshots;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.SupportsPrefixOperations;
import org.apache.iceberg.spark.actions.DeleteOrphanFilesSparkAction;
import org.apache.iceberg.spark.actions.SparkActions;
import org.apache.iceberg.util.PropertyUtil;

/**
 * Removes what nobody needs any more. In the feature tables, the event tables and the ledgers of
 * releases, verifications and training sets it expires old snapshots, and deletes the files that
 * belong to none. The small files of event tables become larger ones. For each view it removes what
 * dead builds and pushes left behind, and prunes the versions that are no longer kept.
 *
 * <p>A snapshot that a version in Redis or a training set was made from stays, however old. Before
 * each table Redis and the sets' version records are asked which those are, and each gets its tag
 * again if somebody has dropped it. So without Redis nothing is expired.
 */
public final class Expire {

  /**
   * The longest time that a build may take. Younger files that belong to no snapshot may be those
   * of a build that is still writing.
   */
  public static final Duration LONGEST_BUILD = Duration.ofDays(3);

  /** Begins the tags of snapshots that are kept only because others' as-ofs are written there. */
  private static final String AS_OFS_TAG = "tarn-as-ofs-";

  /**
   * A version whose snapshot stays.
   *
   * @param isLost the table does not have the snapshot: somebody expired it in another way
   */
  public record Kept(String version, long snapshotId, boolean isReleased, boolean isLost) {}

  /**
   * The result for one table.
   *
   * @param snapshots number of snapshots that were expired
   * @param files number of files that were deleted with them
   * @param orphans number of files of no snapshot that were deleted
   * @param deadBuilds audit branches that were removed
   * @param pruned versions that were pruned, because a push had not done it
   * @param tagged versions and training sets whose tag was missing
   * @param compacted number of files of an event table in whose place there are larger ones now
   */
  public record TableOutcome(
      String table,
      int snapshots,
      long files,
      long orphans,
      List<String> deadBuilds,
      List<String> pruned,
      List<String> tagged,
      List<Kept> kept,
      int compacted) {}

  private final Lake lake;
  private final VersionStore versions;
  private final Retention retention;
  private final TrainingSets sets;
  private final Console console;
  private final int keep;
  private final Duration grace;
  private final Duration olderThan;
  private final Duration orphansOlderThan;

  /**
   * Prepares a run.
   *
   * @param keep number of versions of each view that stay in Redis
   * @param grace the time for which lookups may still read a version that was released once
   * @param olderThan the age from which on snapshots are expired
   * @param orphansOlderThan the age from which on files of no snapshot are deleted
   */
  public Expire(
      Lake lake,
      RedisServers redis,
      Console console,
      int keep,
      Duration grace,
      Duration olderThan,
      Duration orphansOlderThan) {
    this.lake = lake;
    this.versions = new VersionStore(redis);
    this.retention = new Retention(versions);
    this.sets = new TrainingSets(lake.catalog());
    this.console = console;
    this.keep = keep;
    this.grace = grace;
    this.olderThan = olderThan;
    this.orphansOlderThan = orphansOlderThan;
  }

  /**
   * Cleans the tables of views, the release history and the table of training sets.
   *
   * @throws TarnException if it can't be told which snapshots Redis has; the tables from there on
   *     are untouched
   */
  public List<TableOutcome> expire(List<String> views) {
    // The history must have every release before its own snapshots are cleaned up.
    ReleaseHistory history = ReleaseHistory.open(lake.catalog());
    history.take(versions);
    List<TableOutcome> outcomes = new ArrayList<>();
    for (String view : views) {
      Optional<FeatureTable> table = FeatureTable.open(lake.catalog(), view);
      Optional<FeatureTable> bases = BaseTable.open(lake.catalog(), view);
      if (table.isEmpty() && bases.isEmpty()) {
        console.say("%s: nothing has been built", view);
      }
      table.ifPresent(found -> outcomes.add(expire(view, view, found)));
      bases.ifPresent(found -> outcomes.add(expire(view, view + FeatureView.BASE_SUFFIX, found)));
    }
    for (String ledger :
        List.of(Ledger.RELEASES, Ledger.VERIFICATIONS, Ledger.TRAINING_SETS, Ledger.CUTS)) {
      lake.catalog().find(ledger).ifPresent(table -> outcomes.add(expired(ledger, table, 1)));
    }
    return outcomes;
  }

  /** Cleans the event tables of stream sources, and the tables beside them. */
  public List<TableOutcome> expireEvents(List<StreamSource> streams) {
    List<TableOutcome> outcomes = new ArrayList<>();
    for (StreamSource stream : streams) {
      Optional<EventTable> table = EventTable.find(lake.catalog(), stream);
      if (table.flatMap(EventTable::main).isEmpty()) {
        console.say("%s: nothing has been archived", stream.table());
        continue;
      }
      outcomes.add(expire(stream, table.get()));
      String beside = stream.table() + EventTable.UNDECODED_SUFFIX;
      lake.catalog()
          .find(TableIdentifier.parse(beside))
          // A round that died has left the newest one, and the next goes back to the one before.
          .ifPresent(found -> outcomes.add(expired(beside, found, 2)));
    }
    return outcomes;
  }

  private TableOutcome expire(StreamSource stream, EventTable table) {
    if (!table.foreign(table.main().orElseThrow()).isEmpty()) {
      console.say(
          "%s: something else than archiving has changed it; ./tarn archive says what, and until that is put right nothing is expired",
          stream.table());
      return new TableOutcome(
          stream.table(), 0, 0, 0, List.of(), List.of(), List.of(), List.of(), 0);
    }
    List<String> dead = removeDeadBuilds(stream.table(), table.audits());
    int compacted =
        SparkActions.get(lake.spark())
            .rewriteDataFiles(table.iceberg())
            .execute()
            .rewrittenDataFilesCount();
    if (compacted > 0) {
      console.say("%s: %s made larger ones", stream.table(), Plural.of(compacted, "small file"));
    }
    table.repeatCut();
    List<String> tagged = sets.tagAgain(stream, table);
    sayTagged(stream.table(), tagged);
    return expire(
        stream.table(), table.iceberg(), dead, List.of(), tagged, List.of(), 1, compacted);
  }

  private void sayTagged(String name, List<String> sets) {
    sets.forEach(
        set -> console.say("%s: the tag of training set %s was missing; put back", name, set));
  }

  private List<String> removeDeadBuilds(String name, AuditBranches audits) {
    Instant now = Instant.now();
    Duration still = olderThan.compareTo(LONGEST_BUILD) < 0 ? olderThan : LONGEST_BUILD;
    List<String> dead = audits.removeDead(now.minus(olderThan), now.minus(still));
    dead.forEach(branch -> console.say("%s: branch %s of a dead build is removed", name, branch));
    return dead;
  }

  private TableOutcome expire(String view, String name, FeatureTable table) {
    // 1. Remove what dead pushes and builds left behind, and prune what a push could not.
    retention.removeAbandoned(view, table, grace);
    List<String> pruned = retention.prune(view, table, keep, grace);
    pruned.forEach(version -> console.say("%s: version %s is no longer kept", view, version));
    List<String> deadBuilds = removeDeadBuilds(view, table.audits());

    // 2. Make sure that the snapshots of the versions and training sets are kept.
    List<String> tagged = new ArrayList<>(retention.tagAgain(view, table));
    tagged.forEach(
        version -> console.say("%s: the tag of version %s was missing; put back", view, version));
    List<String> ofSets = sets.tagAgain(view, table);
    sayTagged(view, ofSets);
    tagged.addAll(ofSets);
    keepAsOfs(table);
    List<Kept> kept = kept(view, table);
    for (Kept version : kept) {
      if (version.isLost()) {
        console.say(
            "%s: snapshot %d of version %s was expired by something else than Tarn: it is served, and can't be read from Iceberg",
            view, version.snapshotId(), version.version());
      }
    }

    // 3. Expire snapshots, then delete the files that belong to none.
    return expire(name, table.iceberg(), deadBuilds, pruned, tagged, kept, 1, 0);
  }

  private TableOutcome expired(String name, Table table, int least) {
    return expire(name, table, List.of(), List.of(), List.of(), List.of(), least, 0);
  }

  /**
   * Expires snapshots, then deletes the files that belong to none.
   *
   * @param least the newest snapshots of main that stay, however old
   */
  private TableOutcome expire(
      String name,
      Table table,
      List<String> deadBuilds,
      List<String> pruned,
      List<String> tagged,
      List<Kept> kept,
      int least,
      int compacted) {
    if (!PropertyUtil.propertyAsBoolean(
        table.properties(), TableProperties.GC_ENABLED, TableProperties.GC_ENABLED_DEFAULT)) {
      console.say("%s: the table says gc.enabled = false, so nothing is expired", name);
      return new TableOutcome(name, 0, 0, 0, deadBuilds, pruned, tagged, kept, compacted);
    }
    table.refresh();
    Set<Long> snapshots = new HashSet<>();
    table.snapshots().forEach(snapshot -> snapshots.add(snapshot.snapshotId()));
    Instant now = Instant.now();
    ExpireSnapshots.Result expired =
        SparkActions.get(lake.spark())
            .expireSnapshots(table)
            .expireOlderThan(now.minus(olderThan).toEpochMilli())
            .retainLast(least)
            .execute();
    table.refresh();
    table.snapshots().forEach(snapshot -> snapshots.remove(snapshot.snapshotId()));
    long files =
        expired.deletedDataFilesCount()
            + expired.deletedPositionDeleteFilesCount()
            + expired.deletedEqualityDeleteFilesCount()
            + expired.deletedManifestsCount()
            + expired.deletedManifestListsCount()
            + expired.deletedStatisticsFilesCount();
    long orphans = deleteOrphans(table, now.minus(orphansOlderThan));
    console.say(
        "%s: %s expired with %s, %s of no snapshot deleted%s",
        name,
        Plural.of(snapshots.size(), "snapshot"),
        Plural.of(files, "file"),
        Plural.of(orphans, "file"),
        kept.isEmpty()
            ? ""
            : "; kept for " + String.join(", ", kept.stream().map(Expire::text).toList()));
    return new TableOutcome(
        name, snapshots.size(), files, orphans, deadBuilds, pruned, tagged, kept, compacted);
  }

  private long deleteOrphans(Table table, Instant before) {
    DeleteOrphanFilesSparkAction action =
        SparkActions.get(lake.spark()).deleteOrphanFiles(table).olderThan(before.toEpochMilli());
    // Listed as the catalog reads and writes, e.g. S3 without Hadoop's own client for it.
    boolean isHadoop = table.io() instanceof HadoopFileIO;
    DeleteOrphanFiles.Result deleted =
        action
            .usePrefixListing(!isHadoop && table.io() instanceof SupportsPrefixOperations)
            .execute();
    return deleted.orphanFilesCount();
  }

  /**
   * Tags the snapshots in which the as-ofs of others stand. Compaction makes such snapshots: where
   * one stays, the one before it has to stay too.
   */
  private void keepAsOfs(FeatureTable table) {
    Table iceberg = table.iceberg();
    iceberg.refresh();
    long cutoff = Instant.now().minus(olderThan).toEpochMilli();
    Set<Long> tagged = new HashSet<>();
    iceberg
        .refs()
        .forEach(
            (name, ref) -> {
              if (!name.startsWith(AS_OFS_TAG)) {
                tagged.add(ref.snapshotId());
              }
            });
    SnapshotAsOfs asOfs = new SnapshotAsOfs(table);
    Set<Long> needed = new HashSet<>();
    for (Snapshot snapshot : iceberg.snapshots()) {
      if (snapshot.timestampMillis() >= cutoff || tagged.contains(snapshot.snapshotId())) {
        needed.addAll(asOfs.neededBy(snapshot));
      }
    }
    Map<String, SnapshotRef> refs = iceberg.refs();
    for (Long id : needed) {
      if (!refs.containsKey(AS_OFS_TAG + id)) {
        table.refs().tag(AS_OFS_TAG + id, id);
      }
    }
    for (Map.Entry<String, SnapshotRef> ref : refs.entrySet()) {
      if (ref.getKey().startsWith(AS_OFS_TAG) && !needed.contains(ref.getValue().snapshotId())) {
        table.refs().untag(ref.getKey());
      }
    }
  }

  private List<Kept> kept(String view, FeatureTable table) {
    Optional<String> released = versions.released(view).map(Release::version);
    List<Kept> kept = new ArrayList<>();
    for (VersionRecord record : versions.records(view)) {
      // A view that has become live, or is so no longer, has versions of two tables.
      if (!record.getTable().isEmpty() && !record.getTable().equals(table.sqlName())) {
        continue;
      }
      kept.add(
          new Kept(
              record.getVersion(),
              record.getSnapshotId(),
              released.filter(record.getVersion()::equals).isPresent(),
              table.iceberg().snapshot(record.getSnapshotId()) == null));
    }
    return kept;
  }

  private static String text(Kept kept) {
    return "%s (%s, %s)"
        .formatted(
            kept.version(),
            kept.isReleased() ? "released" : "kept",
            kept.isLost() ? "its snapshot is gone" : "snapshot " + kept.snapshotId());
  }
}
