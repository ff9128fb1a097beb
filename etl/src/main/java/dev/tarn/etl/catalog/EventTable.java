package dev.tarn.etl.catalog;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.DataOperations;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.TypeUtil;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.SnapshotUtil;

/**
 * The Iceberg table that holds each event of a stream source once: the declared columns and the
 * event's place, partitioned by day of the event's time. The summary of a snapshot has its cut, and
 * that alone says what has been archived.
 */
public final class EventTable {

  /** Summary properties of the snapshots that archiving makes. */
  public static final String CUT = "tarn.cut";

  /** Messages between it and the cut before that could not be decoded. Absent: none. */
  public static final String UNDECODED = "tarn.undecoded";

  /** Offsets that the topic had lost before they were archived. Absent: none. */
  public static final String LOST = "tarn.lost";

  /** Ends the name of the table beside, with the messages that could not be decoded. */
  public static final String UNDECODED_SUFFIX = "_undecoded";

  private final Table table;
  private final String sqlName;

  private EventTable(Table table, String sqlName) {
    this.table = table;
    this.sqlName = sqlName;
  }

  /** Opens the event table of a stream source; empty if nothing has been archived yet. */
  public static Optional<EventTable> find(IcebergCatalog catalog, StreamSource stream) {
    return find(catalog, stream.table());
  }

  /** Opens an event table by its name within the catalog; empty if it is not there. */
  public static Optional<EventTable> find(IcebergCatalog catalog, String name) {
    return catalog
        .find(TableIdentifier.parse(name))
        .map(table -> new EventTable(table, IcebergCatalog.NAME + "." + name));
  }

  /**
   * Opens the event table of a stream source, or makes it.
   *
   * @param schema of the table where it is made
   * @throws UsageException if the table is in the namespace of the feature tables
   */
  public static EventTable findOrCreate(IcebergCatalog catalog, Source source, Schema schema) {
    StreamSource stream = source.stream().orElseThrow();
    if (catalog.isOfFeatures(identifier(stream))) {
      throw new UsageException(
          "%s: table = %s: that is where the feature tables are (setting 'database'); give event tables a namespace of their own, such as events"
              .formatted(source.position(), stream.table()));
    }
    EventTable found =
        find(catalog, stream)
            .orElseGet(
                () -> {
                  create(catalog, source, schema);
                  return find(catalog, stream)
                      .orElseThrow(
                          () -> new TarnException("table %s is gone".formatted(stream.table())));
                });
    for (String column : StreamSource.PLACE) {
      if (found.table.schema().findField(column) == null) {
        throw new UsageException(
            "%s: table %s is there and no event table: it has no column '%s'; name another table"
                .formatted(source.position(), found.sqlName, column));
      }
    }
    return found;
  }

  private static void create(IcebergCatalog catalog, Source source, Schema schema) {
    String time = source.timestamp().orElseThrow();
    TableIdentifier name = identifier(source.stream().orElseThrow());
    catalog.makeNamespace(name.namespace());
    try {
      catalog
          .iceberg()
          .buildTable(name, schema)
          .withPartitionSpec(PartitionSpec.builderFor(schema).day(time).build())
          .withSortOrder(SortOrder.builderFor(schema).asc(time).build())
          .withProperty(TableProperties.FORMAT_VERSION, "2")
          // Each task sorts and writes what it has read: a shuffle would take most of the time.
          .withProperty(TableProperties.WRITE_DISTRIBUTION_MODE, "none")
          // However many columns there are before them.
          .withProperty(metrics(StreamSource.PARTITION), "full")
          .withProperty(metrics(StreamSource.OFFSET), "full")
          .create();
    } catch (AlreadyExistsException e) {
      // Another run was quicker.
    }
  }

  private static String metrics(String column) {
    return TableProperties.METRICS_MODE_COLUMN_CONF_PREFIX + column;
  }

  private static TableIdentifier identifier(StreamSource stream) {
    return TableIdentifier.parse(stream.table());
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

  /** The branches on which events are written until main moves there. */
  public AuditBranches audits() {
    return new AuditBranches(table, sqlName);
  }

  /** The newest published snapshot. */
  public Optional<Snapshot> main() {
    table.refresh();
    return Optional.ofNullable(table.snapshot(SnapshotRef.MAIN_BRANCH));
  }

  /**
   * The cut of a snapshot. What compaction makes has the events and so the cut of the snapshot
   * before it; empty if that is expired.
   */
  public Optional<Cut> cut(Snapshot snapshot) {
    for (Snapshot ancestor : SnapshotUtil.ancestorsOf(snapshot.snapshotId(), table::snapshot)) {
      String cut = ancestor.summary().get(CUT);
      if (cut != null) {
        return Optional.of(Cut.parse(cut));
      }
    }
    return Optional.empty();
  }

  /** The snapshots since the newest cut that neither archiving nor compaction has made. */
  public List<Snapshot> foreign(Snapshot main) {
    List<Snapshot> foreign = new ArrayList<>();
    for (Snapshot ancestor : SnapshotUtil.ancestorsOf(main.snapshotId(), table::snapshot)) {
      if (ancestor.summary().containsKey(CUT)) {
        break;
      }
      if (!ancestor.operation().equals(DataOperations.REPLACE)) {
        foreign.add(ancestor);
      }
    }
    return foreign;
  }

  /**
   * Gives main a snapshot with the cut, where compaction has made the newest one: the one that has
   * it may expire then. What others publish meanwhile has a cut itself.
   */
  public void repeatCut() {
    Commits.retryOvertaken(
        () -> {
          Snapshot main = main().orElseThrow();
          Optional<Cut> cut = cut(main);
          if (cut.isEmpty() || main.summary().containsKey(CUT)) {
            return;
          }
          String branch = audits().create(Instant.now());
          try {
            table.newAppend().toBranch(branch).set(CUT, cut.get().json()).commit();
            audits().publish(branch, table.snapshot(branch).snapshotId());
          } catch (RuntimeException e) {
            audits().remove(branch);
            throw e;
          }
        });
  }

  /**
   * Lets the schema follow the definition: columns that are new, or of a wider type. Columns that
   * the definition has no more stay, and are null in what is written from then on.
   *
   * @param wanted the schema of a table made from the definition
   * @throws UsageException as {@link #requireSafe} does, before anything is changed
   */
  public void follow(Source source, Schema wanted) {
    requireSafe(source, wanted);
    boolean isSame =
        wanted.columns().stream()
            .allMatch(
                column -> {
                  Types.NestedField stored = table.schema().findField(column.name());
                  return stored != null && SchemaEvolution.isSame(stored.type(), column.type());
                });
    if (!isSame) {
      table.updateSchema().unionByNameWith(wanted).commit();
    }
  }

  /**
   * Checks whether the schema can follow the definition.
   *
   * @throws UsageException if that could lose or reinterpret values
   */
  public void requireSafe(Source source, Schema wanted) {
    List<String> unsafe = new ArrayList<>();
    for (Types.NestedField column : wanted.columns()) {
      Types.NestedField stored = table.schema().findField(column.name());
      if (stored != null && !isWider(stored.type(), column.type())) {
        unsafe.add(
            "column '%s' is %s in the table and %s in the definition, and values can't be turned from one into the other without loss; give the new one another name"
                .formatted(column.name(), stored.type(), column.type()));
      }
    }
    if (!unsafe.isEmpty()) {
      throw new UsageException(
          "%s: source '%s': the event table %s can't follow the definition\n  %s"
              .formatted(source.position(), source.name(), sqlName, String.join("\n  ", unsafe)));
    }
  }

  /** Whether each value of the stored type is one of the wanted type. */
  private static boolean isWider(Type stored, Type wanted) {
    if (stored.isPrimitiveType() && wanted.isPrimitiveType()) {
      return stored.equals(wanted) || TypeUtil.isPromotionAllowed(stored, wanted.asPrimitiveType());
    }
    if (stored.isListType() && wanted.isListType()) {
      return isWider(stored.asListType().elementType(), wanted.asListType().elementType());
    }
    if (stored.isMapType() && wanted.isMapType()) {
      return isWider(stored.asMapType().valueType(), wanted.asMapType().valueType());
    }
    return stored.isStructType()
        && wanted.isStructType()
        && stored.asStructType().fields().stream()
            .allMatch(
                field -> {
                  Types.NestedField now = wanted.asStructType().field(field.name());
                  return now != null && isWider(field.type(), now.type());
                });
  }
}
