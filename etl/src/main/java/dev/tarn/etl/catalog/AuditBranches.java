package dev.tarn.etl.catalog;

import com.google.common.collect.Lists;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.ManageSnapshots;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableMetadataParser;
import org.apache.iceberg.Transaction;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.util.SnapshotUtil;

/**
 * The branches of a table on which builds and archives write their rows and have them checked,
 * until main moves there. Each attempt has a branch of its own, so that what is checked and
 * published is what this attempt wrote. The name says which as-of it is (of an archive, when it
 * began) and which process owns it.
 */
public final class AuditBranches {

  /** Begins the names of these branches. */
  private static final String PREFIX = "audit_";

  private static final DateTimeFormatter AS_OF =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  private final Table table;
  private final TableRefs refs;
  private final String sqlName;

  /** The branches of a table. */
  public AuditBranches(Table table, String sqlName) {
    this.table = table;
    this.refs = new TableRefs(table);
    this.sqlName = sqlName;
  }

  /**
   * Makes a branch for one attempt to build an as-of, and removes those that killed builds of this
   * machine have left.
   *
   * @return its name
   */
  public String create(Instant asOf) {
    return create(asOf, (refs, branch) -> refs.createBranch(branch));
  }

  /** Makes a branch as {@link #create(Instant)} does, of another snapshot than that of main. */
  public String create(Instant asOf, long snapshotId) {
    return create(asOf, (refs, branch) -> refs.createBranch(branch, snapshotId));
  }

  private String create(Instant asOf, BiConsumer<ManageSnapshots, String> made) {
    String name = PREFIX + AS_OF.format(asOf);
    for (String other : List.copyOf(refs.all().keySet())) {
      // Without an owner: of an earlier Tarn, whose builds of one as-of shared a branch.
      boolean isDead = other.startsWith(PREFIX) && BuildOwner.isDead(other);
      if (isDead || other.equals(name)) {
        remove(other);
      }
    }
    String branch = name + BuildOwner.newSuffix();
    refs.change(change -> made.accept(change, branch));
    return branch;
  }

  /**
   * Moves main to a branch, which ends with that, in one commit. The as-ofs go to the table's
   * properties as well: see {@link SnapshotAsOfs}.
   *
   * @param snapshotId the snapshot that was checked; if the branch is at another one, somebody else
   *     has written there
   * @throws CommitFailedException if the branch is not there, main has moved on since it was made,
   *     or others commit all the time
   */
  public void publish(String branch, long snapshotId) {
    AtomicReference<String> refusal = new AtomicReference<>();
    Commits.retry(
        () -> {
          // It has the table as it is now, and commits only on top of that.
          Transaction transaction = table.newTransaction();
          refusal.set(refusal(transaction.table(), branch, snapshotId));
          if (refusal.get().isEmpty()) {
            moveMain(transaction, branch, snapshotId);
          }
        });
    if (!refusal.get().isEmpty()) {
      throw new CommitFailedException("%s", refusal.get());
    }
  }

  /**
   * Moves main to a branch that need not be made of it, in one commit, with which the branch ends.
   *
   * @param expected where main must be
   * @throws CommitFailedException if it is somewhere else, or others commit all the time
   */
  public void replaceMain(String branch, long expected) {
    AtomicBoolean isThere = new AtomicBoolean();
    Commits.retry(
        () -> {
          table.refresh();
          isThere.set(table.currentSnapshot().snapshotId() == expected);
          if (isThere.get()) {
            table
                .manageSnapshots()
                .replaceBranch(SnapshotRef.MAIN_BRANCH, branch)
                .removeBranch(branch)
                .commit();
          }
        });
    if (!isThere.get()) {
      throw new CommitFailedException("somebody else has changed %s", sqlName);
    }
  }

  /** Says why main can't move to the branch; empty: it can. */
  private String refusal(Table now, String branch, long snapshotId) {
    Snapshot snapshot = now.snapshot(branch);
    if (snapshot == null || snapshot.snapshotId() != snapshotId) {
      return "somebody else has changed branch %s of %s".formatted(branch, sqlName);
    }
    Snapshot main = now.currentSnapshot();
    return main == null || SnapshotUtil.isAncestorOf(now, snapshotId, main.snapshotId())
        ? ""
        : "main of %s has moved on".formatted(sqlName);
  }

  private static void moveMain(Transaction transaction, String branch, long snapshotId) {
    transaction
        .manageSnapshots()
        .fastForwardBranch(SnapshotRef.MAIN_BRANCH, branch)
        .removeBranch(branch)
        .commit();
    Snapshot snapshot = transaction.table().snapshot(snapshotId);
    if (snapshot.summary().containsKey(FeatureTable.AS_OFS)) {
      SnapshotAsOfs.publish(snapshot, transaction.updateProperties());
    }
    transaction.commitTransaction();
  }

  /** Whether no build is under way: one would need the schema as it has found it. */
  public boolean areNone() {
    return table.refs().keySet().stream().noneMatch(name -> name.startsWith(PREFIX));
  }

  /** Removes a branch, if it is there, and the schema that was made for it if it was alone. */
  public void remove(String branch) {
    if (!refs.all().containsKey(branch)) {
      return;
    }
    refs.change(change -> change.removeBranch(branch));
    table.refresh();
    Snapshot main = table.snapshot(SnapshotRef.MAIN_BRANCH);
    if (main != null && areNone()) {
      SchemaEvolution.restore(table, main.schemaId());
    }
  }

  /**
   * Removes the branches that killed builds have left, and the schema that such a build may have
   * changed for its rows. A branch of a build that has only begun may be at an old snapshot, so the
   * branch itself must have stood still for a while, too.
   *
   * @param before the branch is at a snapshot from before then
   * @param stillSince the branch has not moved since then
   * @return the names of the branches
   */
  public List<String> removeDead(Instant before, Instant stillSince) {
    List<String> dead =
        refs.all().keySet().stream()
            .filter(
                name ->
                    name.startsWith(PREFIX)
                        && table.snapshot(name).timestampMillis() < before.toEpochMilli()
                        && hasStoodStill(name, stillSince))
            .sorted()
            .toList();
    dead.forEach(this::remove);
    return dead;
  }

  private boolean hasStoodStill(String branch, Instant since) {
    TableMetadata current = ((HasTableOperations) table).operations().current();
    if (current.lastUpdatedMillis() <= since.toEpochMilli()) {
      return true;
    }
    SnapshotRef now = current.ref(branch);
    for (TableMetadata.MetadataLogEntry entry : Lists.reverse(current.previousFiles())) {
      SnapshotRef then = TableMetadataParser.read(table.io(), entry.file()).ref(branch);
      if (then == null || then.snapshotId() != now.snapshotId()) {
        return false;
      }
      if (entry.timestampMillis() <= since.toEpochMilli()) {
        return true;
      }
    }
    return false;
  }
}
