package dev.tarn.etl.catalog;

import com.google.common.primitives.Longs;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.FeatureView.History;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.iceberg.HistoryEntry;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.TypeUtil;
import org.apache.iceberg.util.SnapshotUtil;

/**
 * The Iceberg table with a feature view's history: its key columns, {@code event_timestamp} (the
 * as-of) and a column for each feature, partitioned by day of the as-of and sorted by key within
 * it. {@code main} is what has been published. A table with history {@code changes} has the column
 * {@code present_until} besides.
 */
public final class FeatureTable {

  /** Summary properties of the snapshots that builds make. */
  public static final String AS_OF = "tarn.as-of";

  public static final String DEFINITION = "tarn.definition-hash";
  public static final String SOURCES = "tarn.sources";
  public static final String TARN_VERSION = "tarn.version";

  /**
   * Properties of tables that store changes: all as-ofs of the snapshot, and the rows of this one.
   */
  public static final String AS_OFS = "tarn.as-ofs";

  public static final String ROWS = "tarn.rows";

  /** A property of the snapshots in which an as-of is no longer there. */
  public static final String DROPPED = "tarn.dropped";

  /** Marks an intermediate snapshot of a build, in which the rebuilt as-of has been deleted. */
  public static final String REPLACES = "tarn.replaces";

  /**
   * Marks a snapshot of an audit branch with rows of several as-ofs, which are named here. Each is
   * published in a snapshot of its own.
   */
  public static final String STAGED = "tarn.staged";

  /** The first moment of the first year, which no as-of is before. */
  private static final Instant EARLIEST = Instant.parse("0001-01-01T00:00:00Z");

  private final Table table;
  private final String sqlName;

  private FeatureTable(Table table, String sqlName) {
    this.table = table;
    this.sqlName = sqlName;
  }

  /** Finds a view's table; empty if nothing has been published yet. */
  public static Optional<FeatureTable> find(IcebergCatalog catalog, String view) {
    return open(catalog, view).filter(table -> table.main().isPresent());
  }

  /**
   * Opens a view's table, although nothing may have been published there. A first build that fails
   * leaves such a table: others may be building into it, so it is never dropped.
   */
  public static Optional<FeatureTable> open(IcebergCatalog catalog, String view) {
    return catalog.find(view).map(table -> new FeatureTable(table, catalog.sqlName(view)));
  }

  /**
   * Opens a view's table, or makes it. A table in which nothing was published and nobody builds
   * gets the schema, whatever an earlier definition was.
   *
   * @param schema of the table where it is made
   * @throws UsageException if it is there with the other kind of history
   */
  public static FeatureTable findOrCreate(IcebergCatalog catalog, FeatureView view, Schema schema) {
    FeatureTable found = findOrCreate(catalog, view.name(), view.entity(), schema);
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

  /** Opens or makes a table as {@link #findOrCreate} does, under a name of its own. */
  static FeatureTable findOrCreate(
      IcebergCatalog catalog, String name, Entity entity, Schema schema) {
    FeatureTable found = open(catalog, name).orElseGet(() -> create(catalog, name, entity, schema));
    boolean isUnused = found.main().isEmpty() && found.audits().areNone();
    if (isUnused && !isSame(found.table.schema(), schema)) {
      builder(catalog, name, entity, schema).replaceTransaction().commitTransaction();
      found.table.refresh();
    }
    return found;
  }

  /** Whether two schemas are the same but for field ids. */
  static boolean isSame(Schema one, Schema other) {
    return TypeUtil.assignIncreasingFreshIds(one)
        .sameSchema(TypeUtil.assignIncreasingFreshIds(other));
  }

  private static FeatureTable create(
      IcebergCatalog catalog, String name, Entity entity, Schema schema) {
    try {
      builder(catalog, name, entity, schema).create();
    } catch (AlreadyExistsException e) {
      // Another build of the view was quicker.
    }
    return open(catalog, name)
        .orElseThrow(() -> new TarnException("table %s is gone".formatted(catalog.sqlName(name))));
  }

  private static Catalog.TableBuilder builder(
      IcebergCatalog catalog, String name, Entity entity, Schema schema) {
    SortOrder.Builder order = SortOrder.builderFor(schema);
    entity.keyNames().forEach(order::asc);
    return catalog
        .iceberg()
        .buildTable(catalog.table(name), schema)
        .withPartitionSpec(
            PartitionSpec.builderFor(schema).day(FeatureView.EVENT_TIMESTAMP).build())
        .withSortOrder(order.build())
        // Files that each hold a range of keys: a read of one entity opens one of them.
        .withProperty(TableProperties.WRITE_DISTRIBUTION_MODE, "range")
        .withProperty(TableProperties.FORMAT_VERSION, "2");
  }

  public Table iceberg() {
    return table;
  }

  public String sqlName() {
    return sqlName;
  }

  /** The table's branches and tags. */
  public TableRefs refs() {
    return new TableRefs(table);
  }

  /** The branches on which builds have their rows checked. */
  public AuditBranches audits() {
    return new AuditBranches(table, sqlName);
  }

  /** The newest published snapshot. */
  public Optional<Snapshot> main() {
    table.refresh();
    return Optional.ofNullable(table.snapshot(SnapshotRef.MAIN_BRANCH));
  }

  /** The snapshot that main was at a moment; empty if there was none, or it is expired. */
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
   * Whether main is or was at this snapshot. Expiry takes those in between, so that the way from
   * main ends before it comes to an older snapshot that a tag has kept.
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
   * The as-ofs of a snapshot that stores changes.
   *
   * @throws TarnException if the snapshot that had them is expired
   */
  public AsOfSeries asOfs(Snapshot snapshot) {
    return new SnapshotAsOfs(this).of(snapshot);
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
      if (asOf.toString().equals(summary.get(DROPPED))) {
        return false;
      }
      if (asOf.toString().equals(summary.get(AS_OF))) {
        return definitionHash.equals(summary.get(DEFINITION));
      }
    }
    return false;
  }

  /** The files of main that may have rows of as-ofs before one. */
  public List<FileAsOfs> filesBefore(Instant asOf) {
    return FileAsOfs.ofMain(
        table, Expressions.lessThan(FeatureView.EVENT_TIMESTAMP, asOf.toString()));
  }

  /**
   * A moment from which on the newest as-of on main before this one is to be looked for; empty if
   * there is none before it. Usually it is that as-of itself. There may be a newer one where a file
   * has as-ofs on both sides of this one, or no statistics.
   */
  public Optional<Instant> publishedBefore(Instant asOf) {
    List<FileAsOfs> files = filesBefore(asOf);
    Optional<Instant> newest =
        files.stream()
            .flatMap(file -> file.last().stream())
            .filter(last -> last.isBefore(asOf))
            .max(Comparator.naturalOrder());
    boolean mayBeOlder =
        files.stream()
            .anyMatch(file -> file.first().isEmpty() || file.first().get().isBefore(asOf));
    return newest.or(() -> mayBeOlder ? Optional.of(EARLIEST) : Optional.empty());
  }

  /**
   * Whether a snapshot may have an as-of; of a table that stores every row the files' statistics
   * tell. A snapshot that is expired has none.
   */
  public boolean mayHave(long snapshotId, Instant asOf) {
    Snapshot snapshot = table.snapshot(snapshotId);
    if (snapshot == null) {
      return false;
    }
    if (storesChanges(snapshot)) {
      return asOfs(snapshot).contains(asOf);
    }
    return FileAsOfs.of(table, snapshotId).stream()
        .anyMatch(
            file ->
                file.first().filter(asOf::isBefore).isEmpty()
                    && file.last().filter(asOf::isAfter).isEmpty());
  }

  /** Whether any file of main may hold rows of the as-of; told from its statistics. */
  public boolean mayHave(Instant asOf) {
    return !FileAsOfs.ofMain(table, Expressions.equal(FeatureView.EVENT_TIMESTAMP, asOf.toString()))
        .isEmpty();
  }
}
