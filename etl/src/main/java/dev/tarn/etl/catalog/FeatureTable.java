package dev.tarn.etl.catalog;

import com.google.common.collect.Lists;
import com.google.common.primitives.Longs;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.compute.TableLayout;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.FeatureView.History;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.lake.Lake;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.HistoryEntry;
import org.apache.iceberg.ManageSnapshots;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableMetadataParser;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.Transaction;
import org.apache.iceberg.UpdateSchema;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.TypeUtil;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * The Iceberg table with a feature view's history: its key columns, {@code event_timestamp} (the
 * as-of) and a column for each feature, partitioned by day of the as-of and sorted by key within
 * it. {@code main} is what has been published. A table that stores {@link Changes} has the column
 * {@code present_until} besides.
 */
public final class FeatureTable {

  /** Summary properties of the snapshots that builds make. */
  public static final String AS_OF = "tarn.as-of";

  public static final String DEFINITION = "tarn.definition-hash";
  public static final String SOURCES = "tarn.sources";
  public static final String TARN_VERSION = "tarn.version";

  /** Only where changes are stored: all as-ofs of the snapshot, and the rows of this one. */
  public static final String AS_OFS = "tarn.as-ofs";

  public static final String ROWS = "tarn.rows";

  /** A property of the table: from which sequence number on its property of as-ofs holds. */
  private static final String AS_OFS_SINCE = "tarn.as-ofs-since";

  /** Of the snapshots within a build, that have no rows of the as-of that is built anew. */
  public static final String REPLACES = "tarn.replaces";

  /** What the names of the branches begin with on which builds have their rows checked. */
  static final String AUDIT_PREFIX = "audit_";

  private static final int ATTEMPTS = 20;

  private final Table table;
  private final String sqlName;

  private FeatureTable(Table table, String sqlName) {
    this.table = table;
    this.sqlName = sqlName;
  }

  /** A view's table; empty if nothing has been built yet. */
  public static Optional<FeatureTable> find(Lake lake, String view) {
    try {
      Table table = lake.catalog().loadTable(lake.table(view));
      return Optional.of(new FeatureTable(table, lake.sqlName(view)));
    } catch (NoSuchTableException e) {
      return Optional.empty();
    }
  }

  /**
   * A view's table, made if it is not there.
   *
   * @throws UsageException if it is there with the other kind of history
   */
  public static FeatureTable findOrCreate(Lake lake, FeatureView view) {
    FeatureTable found = find(lake, view.name()).orElseGet(() -> create(lake, view));
    boolean storesChanges = storesChanges(found.table.schema());
    if (storesChanges != (view.history() == History.CHANGES)) {
      throw new UsageException(
          "%s: view '%s' has history = %s and its table %s was made with history = %s, which can't be changed; put that back, or give the view another name"
              .formatted(
                  view.position(),
                  view.name(),
                  storesChanges ? "full" : "changes",
                  found.sqlName,
                  storesChanges ? "changes" : "full"));
    }
    return found;
  }

  private static FeatureTable create(Lake lake, FeatureView view) {
    Schema schema = SparkSchemaUtil.convert(TableLayout.of(view));
    SortOrder.Builder order = SortOrder.builderFor(schema);
    view.entity().keyNames().forEach(order::asc);
    TableIdentifier name = lake.table(view.name());
    try {
      lake.catalog()
          .buildTable(name, schema)
          .withPartitionSpec(
              PartitionSpec.builderFor(schema).day(FeatureView.EVENT_TIMESTAMP).build())
          .withSortOrder(order.build())
          // Files that each hold a range of keys: a read of one entity opens one of them.
          .withProperty(TableProperties.WRITE_DISTRIBUTION_MODE, "range")
          .withProperty(TableProperties.FORMAT_VERSION, "2")
          .create();
    } catch (AlreadyExistsException e) {
      // Another build of the view was quicker.
    }
    return find(lake, view.name())
        .orElseThrow(() -> new TarnException("table %s is gone".formatted(name)));
  }

  public Table iceberg() {
    return table;
  }

  public String sqlName() {
    return sqlName;
  }

  /**
   * Changes branches or tags in one commit; once more when another job has changed the table in
   * between, which Iceberg itself does not try for these.
   */
  public void changeRefs(Consumer<ManageSnapshots> change) {
    for (int attempt = 1; ; attempt++) {
      table.refresh();
      ManageSnapshots refs = table.manageSnapshots();
      change.accept(refs);
      try {
        refs.commit();
        return;
      } catch (CommitFailedException e) {
        if (attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /**
   * Moves main to a branch, which ends with that, in one commit. The as-ofs go to the table's
   * properties as well: compaction makes a snapshot without them, and expiry may leave only that.
   *
   * @param snapshotId what the branch is at; if it is not, another build has written there
   */
  public void publish(String branch, long snapshotId) {
    for (int attempt = 1; ; attempt++) {
      table.refresh();
      Snapshot snapshot = table.snapshot(branch);
      if (snapshot == null || snapshot.snapshotId() != snapshotId) {
        throw new CommitFailedException("another build uses branch %s of %s", branch, sqlName);
      }
      Transaction transaction = table.newTransaction();
      transaction
          .manageSnapshots()
          .fastForwardBranch(SnapshotRef.MAIN_BRANCH, branch)
          .removeBranch(branch)
          .commit();
      Optional<String> asOfs = Optional.ofNullable(snapshot.summary().get(AS_OFS));
      asOfs.ifPresent(
          text ->
              transaction
                  .updateProperties()
                  .set(AS_OFS, text)
                  .set(AS_OFS_SINCE, Long.toString(snapshot.sequenceNumber()))
                  .commit());
      try {
        transaction.commitTransaction();
        return;
      } catch (CommitFailedException e) {
        if (attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /** Whether a branch has just one build's snapshots on top of the one that it was made of. */
  public boolean isNextTo(Snapshot base, String branch) {
    table.refresh();
    Snapshot last = table.snapshot(branch);
    if (last == null || last.parentId() == null) {
      return false;
    }
    Snapshot parent = table.snapshot(last.parentId());
    boolean isStep = parent.summary().containsKey(REPLACES) && parent.parentId() != null;
    return base.snapshotId() == (isStep ? parent.parentId() : parent.snapshotId());
  }

  /** The newest published snapshot. */
  public Optional<Snapshot> main() {
    table.refresh();
    return Optional.ofNullable(table.snapshot(SnapshotRef.MAIN_BRANCH));
  }

  /** What main was at a moment; empty if there was none, or it is expired. */
  public Optional<Snapshot> mainAt(Instant moment) {
    table.refresh();
    Optional<Long> id = Optional.empty();
    for (HistoryEntry entry : table.history()) {
      if (entry.timestampMillis() <= moment.toEpochMilli()) {
        id = Optional.of(entry.snapshotId());
      }
    }
    return id.map(table::snapshot);
  }

  /**
   * A published snapshot by id or tag.
   *
   * @throws UsageException if the table has none such, or if it was never published on main
   */
  public Snapshot published(String idOrTag) {
    return findPublished(idOrTag)
        .orElseThrow(
            () ->
                new UsageException(
                    "snapshot=%s: %s has no published snapshot or tag of that name (expired, or of another table?)"
                        .formatted(idOrTag, sqlName)));
  }

  /** Whether the table has a published snapshot of this id or tag. */
  public boolean has(String idOrTag) {
    return findPublished(idOrTag).isPresent();
  }

  private Optional<Snapshot> findPublished(String idOrTag) {
    Optional<Snapshot> main = main();
    Optional<Snapshot> found = Optional.ofNullable(table.snapshot(idOrTag));
    if (found.isEmpty()) {
      // Ids use nearly all of a long, so some digits are one and some of as many are not.
      found = Optional.ofNullable(Longs.tryParse(idOrTag)).map(table::snapshot);
    }
    return found.filter(
        snapshot ->
            main.isPresent()
                && !snapshot.summary().containsKey(REPLACES)
                && isBehind(main.get(), snapshot));
  }

  /**
   * Whether main has or had this snapshot. Expiry takes those in between, so that the way from main
   * ends before it comes to an older snapshot that a tag has kept.
   */
  private boolean isBehind(Snapshot main, Snapshot snapshot) {
    Snapshot oldest = main;
    while (oldest.snapshotId() != snapshot.snapshotId()) {
      if (oldest.parentId() == null) {
        return false;
      }
      Snapshot parent = table.snapshot(oldest.parentId());
      if (parent == null) {
        return snapshot.sequenceNumber() < oldest.sequenceNumber()
            && table.refs().values().stream()
                .anyMatch(ref -> ref.isTag() && ref.snapshotId() == snapshot.snapshotId());
      }
      oldest = parent;
    }
    return true;
  }

  /** The schema that a snapshot was written with. */
  public Schema schemaOf(Snapshot snapshot) {
    return snapshot.schemaId() == null ? table.schema() : table.schemas().get(snapshot.schemaId());
  }

  /** Whether a snapshot stores of each as-of only what differs from the one before. */
  public boolean storesChanges(Snapshot snapshot) {
    return storesChanges(schemaOf(snapshot));
  }

  private static boolean storesChanges(Schema schema) {
    return schema.findField(FeatureView.PRESENT_UNTIL) != null;
  }

  /**
   * The as-ofs of a snapshot that stores changes. One that no build has made, as by compaction, has
   * those of the one before.
   *
   * @throws TarnException if the snapshot that had them is expired
   */
  public AsOfSeries asOfs(Snapshot snapshot) {
    Snapshot last = snapshot;
    while (!last.summary().containsKey(AS_OFS)) {
      if (last.parentId() == null) {
        return AsOfSeries.EMPTY;
      }
      Snapshot parent = table.snapshot(last.parentId());
      if (parent == null) {
        Optional<Long> since =
            Optional.ofNullable(table.properties().get(AS_OFS_SINCE)).map(Longs::tryParse);
        if (since.filter(number -> number <= snapshot.sequenceNumber()).isPresent()) {
          return AsOfSeries.parse(table.properties().get(AS_OFS));
        }
        throw new TarnException(
            "%s: the as-ofs of snapshot %d are not known, since the snapshot of the last build before it is expired"
                .formatted(sqlName, snapshot.snapshotId()));
      }
      last = parent;
    }
    return AsOfSeries.parse(last.summary().get(AS_OFS));
  }

  /** The snapshots besides this one that {@link #asOfs} looks at. */
  public List<Long> asOfsNeed(Snapshot snapshot) {
    List<Long> needed = new ArrayList<>();
    Optional<Long> since =
        Optional.ofNullable(table.properties().get(AS_OFS_SINCE)).map(Longs::tryParse);
    if (!storesChanges(snapshot)
        || snapshot.summary().containsKey(REPLACES)
        || since.filter(number -> number <= snapshot.sequenceNumber()).isPresent()) {
      return needed;
    }
    Snapshot last = snapshot;
    while (last != null && !last.summary().containsKey(AS_OFS) && last.parentId() != null) {
      last = table.snapshot(last.parentId());
      if (last != null) {
        needed.add(last.snapshotId());
      }
    }
    return needed;
  }

  /**
   * Removes the audit branches that killed builds have left, and the schema that such a build may
   * have changed for its rows. A branch of a build that has only begun may be at an old snapshot,
   * so the branch itself must have stood still for a while, too.
   *
   * @param before what is at a snapshot from before then
   * @param stillSince and has not moved since then
   * @return their names
   */
  public List<String> removeDeadBuilds(Instant before, Instant stillSince) {
    table.refresh();
    List<String> dead =
        table.refs().keySet().stream()
            .filter(name -> name.startsWith(AUDIT_PREFIX))
            .filter(
                name ->
                    table.snapshot(name).timestampMillis() < before.toEpochMilli()
                        && hasStoodStill(name, stillSince))
            .sorted()
            .toList();
    dead.forEach(this::removeAudit);
    return dead;
  }

  /** Removes the branch of a build that was killed, and the schema that it made if it was alone. */
  public void removeAudit(String branch) {
    changeRefs(refs -> refs.removeBranch(branch));
    Optional<Snapshot> main = main();
    if (main.isPresent() && isAlone()) {
      restoreSchema(main.get().schemaId());
    }
  }

  /** Whether no build is under way: one would need the schema as it has found it. */
  public boolean isAlone() {
    return table.refs().keySet().stream().noneMatch(name -> name.startsWith(AUDIT_PREFIX));
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

  /**
   * Whether main has this as-of from this definition. Only the snapshots that still exist can tell:
   * of an expired one the answer is no, which costs a build and changes nothing.
   */
  public boolean isUpToDate(Instant asOf, String definitionHash) {
    Optional<Snapshot> main = main();
    if (main.isEmpty()) {
      return false;
    }
    for (Snapshot snapshot : SnapshotUtil.ancestorsOf(main.get().snapshotId(), table::snapshot)) {
      Map<String, String> summary = snapshot.summary();
      if (asOf.toString().equals(summary.get(AS_OF))) {
        return definitionHash.equals(summary.get(DEFINITION));
      }
    }
    return false;
  }

  /** The number of rows that main has of the newest as-of before one, where all are stored. */
  public Optional<Long> rowsBefore(SparkSession spark, Instant asOf) {
    Optional<Instant> about = publishedBefore(asOf);
    if (about.isEmpty()) {
      return Optional.empty();
    }
    Column eventTimestamp = functions.col(FeatureView.EVENT_TIMESTAMP);
    Dataset<Row> published = spark.table(sqlName);
    Row newest =
        published
            .filter(
                eventTimestamp
                    .geq(functions.lit(Timestamp.from(about.get())))
                    .and(eventTimestamp.lt(functions.lit(Timestamp.from(asOf)))))
            .agg(functions.max(eventTimestamp))
            .head();
    return newest.isNullAt(0)
        ? Optional.empty()
        : Optional.of(published.filter(eventTimestamp.equalTo(newest.get(0))).count());
  }

  /**
   * The newest as-of on main that the files' statistics show to be before this one. There may be a
   * newer one only where a file has as-ofs on both sides of it.
   */
  private Optional<Instant> publishedBefore(Instant asOf) {
    int field = table.schema().findField(FeatureView.EVENT_TIMESTAMP).fieldId();
    Optional<Instant> newest = Optional.empty();
    try (CloseableIterable<FileScanTask> files =
        table
            .newScan()
            .includeColumnStats(List.of(FeatureView.EVENT_TIMESTAMP))
            .filter(Expressions.lessThan(FeatureView.EVENT_TIMESTAMP, asOf.toString()))
            .planFiles()) {
      for (FileScanTask task : files) {
        Map<Integer, ByteBuffer> bounds = task.file().upperBounds();
        if (bounds != null && bounds.containsKey(field)) {
          long micros =
              Conversions.fromByteBuffer(Types.TimestampType.withZone(), bounds.get(field));
          Instant last = Values.instant(micros);
          if (last.isBefore(asOf) && newest.filter(last::isBefore).isEmpty()) {
            newest = Optional.of(last);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return newest;
  }

  /** Whether any file of main may hold rows of the as-of; told from its statistics. */
  public boolean mayHave(Instant asOf) throws IOException {
    try (CloseableIterable<FileScanTask> files =
        table
            .newScan()
            .filter(Expressions.equal(FeatureView.EVENT_TIMESTAMP, asOf.toString()))
            .planFiles()) {
      return files.iterator().hasNext();
    }
  }

  /**
   * Makes the schema follow the definition: features that are new, gone, renamed by a {@code was}
   * note, or of a wider type. Field ids stay, so older snapshots read as before.
   *
   * @throws UsageException if a change could lose or reinterpret values, before any is made
   */
  public void evolve(FeatureView view) {
    Schema current = table.schema();
    Schema wanted = SparkSchemaUtil.convert(TableLayout.of(view));
    List<String> unsafe = new ArrayList<>();
    UpdateSchema update = table.updateSchema();
    boolean changes = false;
    Set<String> kept = new HashSet<>(view.entity().keyNames());
    kept.add(FeatureView.EVENT_TIMESTAMP);
    kept.add(FeatureView.PRESENT_UNTIL);
    if (!keysOf(current).equals(keysOf(wanted))) {
      unsafe.add(
          "the table's keys are not those of entity '%s': a changed key makes other entities"
              .formatted(view.entity().name()));
    }
    for (Feature feature : view.features()) {
      Types.NestedField field = current.findField(feature.name());
      if (field == null && feature.was().isPresent()) {
        field = current.findField(feature.was().get());
        if (field != null) {
          update.renameColumn(field.name(), feature.name());
          changes = true;
        }
      }
      Type type = wanted.findType(feature.name());
      if (field == null) {
        update.addColumn(feature.name(), type);
        changes = true;
        continue;
      }
      kept.add(field.name());
      if (sameType(field.type(), type)) {
        continue;
      }
      if (type.isPrimitiveType()
          && TypeUtil.isPromotionAllowed(field.type(), type.asPrimitiveType())) {
        update.updateColumn(field.name(), type.asPrimitiveType());
        changes = true;
      } else {
        unsafe.add(
            "%s: feature '%s' is %s in the table and %s in the definition, and values can't be turned"
                    .formatted(feature.position(), feature.name(), field.type(), type)
                + " from one into the other without loss; give the new one another name");
      }
    }
    for (Types.NestedField field : current.columns()) {
      if (!kept.contains(field.name())) {
        update.deleteColumn(field.name());
        changes = true;
      }
    }
    if (!unsafe.isEmpty()) {
      throw new UsageException(
          "view '%s': the table's schema can't follow the definition\n  %s"
              .formatted(view.name(), String.join("\n  ", unsafe)));
    }
    if (changes) {
      update.commit();
    }
  }

  /** Undoes {@link #evolve} by the id of the schema that was, with the field ids that were. */
  public void restoreSchema(int schemaId) {
    TableOperations operations = ((HasTableOperations) table).operations();
    TableMetadata current = operations.refresh();
    if (current.currentSchemaId() != schemaId) {
      operations.commit(
          current, TableMetadata.buildFrom(current).setCurrentSchema(schemaId).build());
    }
    table.refresh();
  }

  /** Names and types of the columns before the event timestamp: {@link TableLayout}'s order. */
  private static List<String> keysOf(Schema schema) {
    return schema.columns().stream()
        .takeWhile(field -> !field.name().equals(FeatureView.EVENT_TIMESTAMP))
        .map(field -> field.name() + " " + field.type())
        .toList();
  }

  private static boolean sameType(Type one, Type other) {
    // Through Spark's types, which have no field ids: those of a schema made from a definition are
    // not the table's.
    return SparkTypes.same(SparkSchemaUtil.convert(one), SparkSchemaUtil.convert(other));
  }
}
