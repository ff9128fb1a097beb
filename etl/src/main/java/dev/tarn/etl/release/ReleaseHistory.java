package dev.tarn.etl.release;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.ReleaseEvent;
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
import java.util.UUID;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.OverwriteFiles;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.exceptions.ValidationException;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.types.Types;

/**
 * The Iceberg table that says what was live when: a row for each release of each view, from when to
 * when, of which version and snapshot, with what its push cost. It is what a training read "as
 * served" joins against.
 *
 * <p>Redis notes a release in the instant in which it happens; {@link #take} brings the notes over.
 * A job that dies in between loses none: the next one takes them. A row is closed by the release
 * that follows it, so open rows are kept in files of their own, and taking a release rewrites no
 * more than those.
 */
public final class ReleaseHistory {

  /** The table's name, beside the feature tables. */
  public static final String TABLE = "tarn_releases";

  /** The table of verifications beside it, which {@code verify} writes. */
  public static final String VERIFICATIONS = "tarn_verifications";

  private static final int ATTEMPTS = 20;
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
   * A version while it was live.
   *
   * @param retiredAt empty: it is live still
   * @param manifest how it is answered; empty for a release from before that was noted
   */
  public record Released(
      String version,
      long snapshotId,
      Instant releasedAt,
      Optional<Instant> retiredAt,
      Optional<Manifest> manifest) {}

  private final Table table;

  private ReleaseHistory(Table table) {
    this.table = table;
  }

  /** The history of a lake; its table is made if it is not there. */
  public static ReleaseHistory open(Lake lake) {
    TableIdentifier name = lake.table(TABLE);
    if (!lake.catalog().tableExists(name)) {
      try {
        lake.catalog().createTable(name, SCHEMA);
      } catch (AlreadyExistsException e) {
        // Another job was quicker.
      }
    }
    Table table = lake.catalog().loadTable(name);
    if (table.schema().findField(MANIFEST) == null) {
      // Made before releases noted how they are answered.
      table.updateSchema().addColumn(MANIFEST, Types.StringType.get()).commit();
    }
    return new ReleaseHistory(table);
  }

  /** The releases of a view, the oldest first. */
  public List<Released> of(String view) {
    table.refresh();
    List<Released> releases = new ArrayList<>();
    try (CloseableIterable<Record> records =
        IcebergGenerics.read(table).where(Expressions.equal(VIEW, view)).build()) {
      records.forEach(record -> releases.add(released(record)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    releases.sort(Comparator.comparing(Released::releasedAt));
    return releases;
  }

  /** The table itself, e.g. to expire its snapshots. */
  public Table iceberg() {
    return table;
  }

  /** An event of a version, to be completed with what its push cost. */
  public static ReleaseEvent.Builder event(Manifest manifest, Instant at, String action) {
    return ReleaseEvent.newBuilder()
        .setFeatureView(manifest.getFeatureView())
        .setVersion(manifest.getVersion())
        .setSnapshotId(manifest.getSnapshotId())
        .setAsOf(manifest.getAsOf())
        .setReleasedAt(Timestamps.fromMicros(Values.micros(at)))
        .setAction(action)
        .setRows(manifest.getRows())
        .setManifest(manifest);
  }

  /** Takes the releases that Redis has noted. */
  public void take(VersionStore versions) {
    List<String> events = versions.events();
    if (events.isEmpty()) {
      return;
    }
    List<ReleaseEvent> releases =
        new ArrayList<>(events.stream().map(ReleaseHistory::parse).toList());
    releases.sort(Comparator.comparing(ReleaseEvent::getReleasedAt, Timestamps.comparator()));
    for (int attempt = 1; ; attempt++) {
      try {
        add(releases);
        break;
      } catch (CommitFailedException | ValidationException e) {
        // Another job took some of the same.
        if (attempt == ATTEMPTS) {
          throw e;
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    versions.removeEvents(events);
  }

  private void add(List<ReleaseEvent> releases) throws IOException {
    table.refresh();
    Optional<Snapshot> before = Optional.ofNullable(table.currentSnapshot());
    Set<String> known = known(releases);
    List<Record> open = new ArrayList<>();
    List<DataFile> read = new ArrayList<>();
    try (CloseableIterable<FileScanTask> files =
        table.newScan().filter(Expressions.isNull(RETIRED_AT)).planFiles()) {
      files.forEach(task -> read.add(task.file()));
    }
    try (CloseableIterable<Record> records =
        IcebergGenerics.read(table).where(Expressions.isNull(RETIRED_AT)).build()) {
      records.forEach(open::add);
    }
    List<Record> closed = new ArrayList<>();
    for (ReleaseEvent release : releases) {
      if (known.contains(key(release.getFeatureView(), release.getVersion(), at(release)))) {
        continue;
      }
      for (Record record : List.copyOf(open)) {
        if (record.getField(VIEW).equals(release.getFeatureView())) {
          open.remove(record);
          Record ended = record.copy();
          ended.setField(RETIRED_AT, at(release));
          closed.add(ended);
        }
      }
      open.add(record(release));
    }
    OverwriteFiles change = table.newOverwrite();
    before.ifPresent(snapshot -> change.validateFromSnapshot(snapshot.snapshotId()));
    change.conflictDetectionFilter(Expressions.alwaysTrue()).validateNoConflictingData();
    change.validateNoConflictingDeletes();
    read.forEach(change::deleteFile);
    if (!closed.isEmpty()) {
      change.addFile(write(closed));
    }
    change.addFile(write(open));
    change.commit();
  }

  /** Which of the releases the table has, by {@link #key}. */
  private Set<String> known(List<ReleaseEvent> releases) throws IOException {
    OffsetDateTime first = at(releases.get(0));
    Set<String> known = new HashSet<>();
    try (CloseableIterable<Record> records =
        IcebergGenerics.read(table)
            .where(Expressions.greaterThanOrEqual(RELEASED_AT, first.toString()))
            .build()) {
      records.forEach(
          record ->
              known.add(
                  key(
                      (String) record.getField(VIEW),
                      (String) record.getField(VERSION),
                      (OffsetDateTime) record.getField(RELEASED_AT))));
    }
    return known;
  }

  private static String key(String view, String version, OffsetDateTime releasedAt) {
    return String.join(" ", view, version, releasedAt.toInstant().toString());
  }

  private DataFile write(List<Record> records) throws IOException {
    OutputFile file =
        table
            .io()
            .newOutputFile(
                table
                    .locationProvider()
                    .newDataLocation(
                        FileFormat.PARQUET.addExtension(UUID.randomUUID().toString())));
    DataWriter<Record> writer =
        Parquet.writeData(file)
            .forTable(table)
            .createWriterFunc(GenericParquetWriter::create)
            .build();
    try (writer) {
      records.forEach(writer::write);
    }
    return writer.toDataFile();
  }

  private static Record record(ReleaseEvent release) {
    Record record = GenericRecord.create(SCHEMA);
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
        Optional.ofNullable((String) record.getField(MANIFEST)).map(ReleaseHistory::manifest));
  }

  private static Manifest manifest(String json) {
    try {
      return ControlJson.parse(json, Manifest.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException("a manifest in %s can't be read: %s".formatted(TABLE, json), e);
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
