package dev.tarn.etl.archive;

import dev.tarn.etl.catalog.AuditBranches;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.definition.StreamSource;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The table beside an event table, with the messages that could not be decoded. A round writes here
 * first. If it dies before its events are published, its rows are beyond the cut of the event
 * table, and the next round takes them back.
 */
final class UndecodedTable {

  private final IcebergCatalog catalog;
  private final StreamSource stream;

  UndecodedTable(IcebergCatalog catalog, StreamSource stream) {
    this.catalog = catalog;
    this.stream = stream;
  }

  /** The name of the table in SQL. */
  String sqlName() {
    return IcebergCatalog.NAME + "." + stream.table() + EventTable.UNDECODED_SUFFIX;
  }

  /** The table; empty if there was never a message that could not be decoded. */
  Optional<Table> find() {
    return catalog.find(identifier());
  }

  private TableIdentifier identifier() {
    return TableIdentifier.parse(stream.table() + EventTable.UNDECODED_SUFFIX);
  }

  /**
   * Where main is before a round reads the cut. What others publish later is found by it.
   *
   * @return empty: the table is not there, or nothing was ever published
   */
  Optional<Long> main() {
    return find().map(Table::currentSnapshot).map(Snapshot::snapshotId);
  }

  /** Whether rows are there that a dead round has left: those beyond the cut of the event table. */
  boolean hasLeftovers(Optional<Long> main, Cut cut) {
    return main.isPresent() && main.get() != within(find().orElseThrow(), main.get(), cut);
  }

  /** The newest snapshot that has nothing beyond a cut. The first one has nothing. */
  private static long within(Table table, long main, Cut cut) {
    long oldest = main;
    for (Snapshot snapshot : SnapshotUtil.ancestorsOf(main, table::snapshot)) {
      String stored = snapshot.summary().get(EventTable.CUT);
      if (stored != null && Cut.parse(stored).isWithin(cut)) {
        return snapshot.snapshotId();
      }
      oldest = snapshot.snapshotId();
    }
    return oldest;
  }

  /**
   * A branch with the rows of a round, and with nothing else beyond the cut.
   *
   * @param expected main, which was asked for before the cut was read
   */
  record Written(AuditBranches branches, String branch, long expected, long rows) {

    /** Publishes the rows, if main is still where it was. */
    void publish() {
      branches.replaceMain(branch, expected);
    }

    /** Takes the rows back. */
    void remove() {
      branches.remove(branch);
    }
  }

  /**
   * Writes the rows of a round to a branch.
   *
   * @param main as {@link #main()} was before the cut was read
   * @param from the cut of the event table
   * @param to the cut that this round is to reach
   * @param rows empty: only what a dead round has left is taken back
   */
  Written write(Optional<Long> main, Cut from, Cut to, Optional<Dataset<Row>> rows)
      throws Exception {
    long expected = main.orElseGet(() -> create(from));
    Table table = find().orElseThrow();
    AuditBranches branches = new AuditBranches(table, sqlName());
    String branch = branches.create(Instant.now(), within(table, expected, from));
    if (rows.isEmpty()) {
      return new Written(branches, branch, expected, 0);
    }
    rows.get()
        .writeTo(sqlName() + ".branch_" + branch)
        .option("snapshot-property." + EventTable.CUT, to.json())
        .append();
    table.refresh();
    return new Written(branches, branch, expected, added(table.snapshot(branch)));
  }

  /** The first few rows of a round, as a person reads them. */
  List<String> examples(Dataset<Row> table, int most) {
    return table
        .orderBy(StreamSource.PARTITION, StreamSource.OFFSET)
        .limit(most)
        .select(StreamSource.PARTITION, StreamSource.OFFSET, Decoding.REASON)
        .collectAsList()
        .stream()
        .map(
            row ->
                "partition %d, offset %d: the message %s"
                    .formatted(row.getInt(0), row.getLong(1), row.getString(2)))
        .toList();
  }

  static long added(Snapshot snapshot) {
    return Long.parseLong(snapshot.summary().getOrDefault("added-records", "0"));
  }

  /** Makes the table with a first snapshot that has nothing, to which a round can go back. */
  private long create(Cut from) {
    Schema schema = SparkSchemaUtil.convert(Decoding.UNDECODED);
    try {
      catalog
          .iceberg()
          .buildTable(identifier(), schema)
          .withProperty(TableProperties.FORMAT_VERSION, "2")
          .create();
    } catch (AlreadyExistsException e) {
      // Another run was quicker.
    }
    Table table = find().orElseThrow();
    if (table.currentSnapshot() == null) {
      table.newAppend().set(EventTable.CUT, Cut.none(from.topic(), from.topicId()).json()).commit();
    }
    return table.currentSnapshot().snapshotId();
  }
}
