package dev.tarn.etl.release;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.Commits;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.OverwriteFiles;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Types;

/**
 * The ledger that says which version was released when: a row for each release of each view, from
 * when to when, of which version and snapshot, with what its push cost. Training sets "as served"
 * are joined against it.
 *
 * <p>Redis notes a release in the instant in which it happens; {@link #take} brings the notes over.
 * A job that dies in between loses none: the next one takes them. The release that follows closes a
 * row, and so does a withdrawal. So open rows are kept in files of their own, and taking a release
 * rewrites only those.
 */
public final class ReleaseHistory {

  /** The action of an event that ends a release without beginning another one. */
  private static final String WITHDRAWAL = "withdraw";

  private static final String VIEW = "feature_view";
  private static final String VERSION = "version";
  private static final String RELEASED_AT = "released_at";
  private static final String RETIRED_AT = "retired_at";
  private static final String SNAPSHOT_ID = "snapshot_id";
  private static final String MANIFEST = "manifest";

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, VIEW, Types.StringType.get()),
          Types.NestedField.required(2, VERSION, Types.StringType.get()),
          Types.NestedField.required(3, SNAPSHOT_ID, Types.LongType.get()),
          Types.NestedField.required(4, "as_of", Types.TimestampType.withZone()),
          Types.NestedField.required(5, RELEASED_AT, Types.TimestampType.withZone()),
          Types.NestedField.optional(6, RETIRED_AT, Types.TimestampType.withZone()),
          Types.NestedField.required(7, "action", Types.StringType.get()),
          Types.NestedField.required(8, "mode", Types.StringType.get()),
          Types.NestedField.required(9, "rows", Types.LongType.get()),
          Types.NestedField.required(10, "rows_written", Types.LongType.get()),
          Types.NestedField.required(11, "bytes_written", Types.LongType.get()),
          Types.NestedField.required(12, "write_seconds", Types.DoubleType.get()),
          Types.NestedField.required(13, "read_back_seconds", Types.DoubleType.get()),
          Types.NestedField.optional(14, MANIFEST, Types.StringType.get()));

  /**
   * A version while it was released.
   *
   * @param retiredAt the end of the release; empty: it is released still
   * @param record how it is answered; empty for a release from before that was noted
   */
  public record Released(
      String version,
      long snapshotId,
      Instant releasedAt,
      Optional<Instant> retiredAt,
      Optional<VersionRecord> record) {}

  private final Ledger ledger;
  private final Table table;

  private ReleaseHistory(Ledger ledger) {
    this.ledger = ledger;
    this.table = ledger.open();
  }

  /** Opens the history of a catalog; its table is made if it is not there. */
  public static ReleaseHistory open(IcebergCatalog catalog) {
    return new ReleaseHistory(new Ledger(catalog, Ledger.RELEASES, SCHEMA));
  }

  /** The releases of a view, the oldest first. */
  public List<Released> of(String view) {
    return ledger.read(Expressions.equal(VIEW, view)).stream()
        .map(ReleaseHistory::released)
        .sorted(Comparator.comparing(Released::releasedAt))
        .toList();
  }

  /**
   * How a snapshot was answered when it was last released; empty if it never was, or from before
   * that was noted.
   *
   * @param version only releases of this version; empty: of any
   */
  public static Optional<VersionRecord> lastRecord(
      IcebergCatalog catalog, String view, long snapshotId, Optional<String> version) {
    return new Ledger(catalog, Ledger.RELEASES, SCHEMA)
            .read(
                Expressions.and(
                    Expressions.equal(VIEW, view), Expressions.equal(SNAPSHOT_ID, snapshotId)))
            .stream()
            .map(ReleaseHistory::released)
            .filter(released -> version.isEmpty() || version.get().equals(released.version()))
            .max(Comparator.comparing(Released::releasedAt))
            .flatMap(Released::record);
  }

  /** Begins the event of a release, which lacks what its push cost. */
  public static ReleaseEvent.Builder event(VersionRecord record, Instant at, String action) {
    return ReleaseEvent.newBuilder()
        .setFeatureView(record.getFeatureView())
        .setVersion(record.getVersion())
        .setSnapshotId(record.getSnapshotId())
        .setAsOf(record.getAsOf())
        .setReleasedAt(Timestamps.fromMicros(Values.micros(at)))
        .setAction(action)
        .setRows(record.getRows())
        .setManifest(record);
  }

  /** Makes the event of a release that ends, and no other one begins. */
  public static ReleaseEvent withdrawal(VersionRecord record, Instant at) {
    return event(record, at, WITHDRAWAL).clearManifest().build();
  }

  /** Takes the releases that Redis has noted, also where another job takes some of the same. */
  public void take(VersionStore versions) {
    List<String> events = versions.events();
    if (events.isEmpty()) {
      return;
    }
    List<ReleaseEvent> releases =
        new ArrayList<>(events.stream().map(ReleaseHistory::parse).toList());
    releases.sort(Comparator.comparing(ReleaseEvent::getReleasedAt, Timestamps.comparator()));
    Commits.retryConflicts(() -> add(releases));
    versions.removeEvents(events);
  }

  private void add(List<ReleaseEvent> releases) {
    table.refresh();
    Optional<Snapshot> before = Optional.ofNullable(table.currentSnapshot());
    List<DataFile> read = new ArrayList<>();
    try (CloseableIterable<FileScanTask> files =
        table.newScan().filter(Expressions.isNull(RETIRED_AT)).planFiles()) {
      files.forEach(task -> read.add(task.file()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<Record> open = new ArrayList<>();
    Set<String> known = new HashSet<>();
    for (Record record : openOrSince(at(releases.get(0)))) {
      known.add(key(record));
      if (record.getField(RETIRED_AT) == null) {
        open.add(record);
      }
    }
    List<Record> closed = new ArrayList<>();
    for (ReleaseEvent release : releases) {
      if (known.contains(key(release.getFeatureView(), release.getVersion(), at(release)))) {
        continue;
      }
      boolean isWithdrawal = release.getAction().equals(WITHDRAWAL);
      for (Record record : List.copyOf(open)) {
        // A withdrawal that another job has taken before must not end a later release.
        boolean isLater =
            isWithdrawal && ((OffsetDateTime) record.getField(RELEASED_AT)).isAfter(at(release));
        if (record.getField(VIEW).equals(release.getFeatureView()) && !isLater) {
          open.remove(record);
          Record ended = record.copy();
          ended.setField(RETIRED_AT, at(release));
          closed.add(ended);
        }
      }
      if (!isWithdrawal) {
        open.add(record(release));
      }
    }
    OverwriteFiles change = table.newOverwrite();
    before.ifPresent(snapshot -> change.validateFromSnapshot(snapshot.snapshotId()));
    change.conflictDetectionFilter(Expressions.alwaysTrue()).validateNoConflictingData();
    change.validateNoConflictingDeletes();
    read.forEach(change::deleteFile);
    if (!closed.isEmpty()) {
      change.addFile(Ledger.write(table, closed));
    }
    if (!open.isEmpty()) {
      change.addFile(Ledger.write(table, open));
    }
    change.commit();
  }

  /** The rows that may be closed now, and those of the releases that may be known already. */
  private List<Record> openOrSince(OffsetDateTime first) {
    return Ledger.read(
        table,
        Expressions.or(
            Expressions.isNull(RETIRED_AT),
            Expressions.greaterThanOrEqual(RELEASED_AT, first.toString())));
  }

  private static String key(Record record) {
    return key(
        (String) record.getField(VIEW),
        (String) record.getField(VERSION),
        (OffsetDateTime) record.getField(RELEASED_AT));
  }

  private static String key(String view, String version, OffsetDateTime releasedAt) {
    return String.join(" ", view, version, releasedAt.toInstant().toString());
  }

  private Record record(ReleaseEvent release) {
    Record record = ledger.row();
    record.setField(VIEW, release.getFeatureView());
    record.setField(VERSION, release.getVersion());
    record.setField(SNAPSHOT_ID, release.getSnapshotId());
    record.setField("as_of", at(release.getAsOf()));
    record.setField(RELEASED_AT, at(release));
    record.setField("action", release.getAction());
    record.setField("mode", release.getMode());
    record.setField("rows", release.getRows());
    record.setField("rows_written", release.getRowsWritten());
    record.setField("bytes_written", release.getBytesWritten());
    record.setField("write_seconds", release.getWriteSeconds());
    record.setField("read_back_seconds", release.getReadBackSeconds());
    if (release.hasManifest()) {
      record.setField(MANIFEST, ControlJson.print(release.getManifest()));
    }
    return record;
  }

  private static Released released(Record record) {
    return new Released(
        (String) record.getField(VERSION),
        (long) record.getField(SNAPSHOT_ID),
        ((OffsetDateTime) record.getField(RELEASED_AT)).toInstant(),
        Optional.ofNullable((OffsetDateTime) record.getField(RETIRED_AT))
            .map(OffsetDateTime::toInstant),
        Optional.ofNullable((String) record.getField(MANIFEST)).map(ReleaseHistory::record));
  }

  private static VersionRecord record(String json) {
    try {
      return ControlJson.parse(json, VersionRecord.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException(
          "a version record in %s can't be read: %s".formatted(Ledger.RELEASES, json), e);
    }
  }

  private static OffsetDateTime at(ReleaseEvent release) {
    return at(release.getReleasedAt());
  }

  private static OffsetDateTime at(Timestamp timestamp) {
    return Values.instant(Timestamps.toMicros(timestamp)).atOffset(ZoneOffset.UTC);
  }

  private static ReleaseEvent parse(String json) {
    try {
      return ControlJson.parse(json, ReleaseEvent.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException("a noted release can't be read: " + json, e);
    }
  }
}
