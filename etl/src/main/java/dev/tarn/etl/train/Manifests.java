package dev.tarn.etl.train;

import com.google.common.collect.Iterables;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Failures;
import dev.tarn.etl.lake.Lake;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.redis.ControlJson;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.apache.iceberg.Schema;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The Iceberg table of all training sets' manifests, and the tags by which their snapshots are kept
 * for as long as a set may have to be made again.
 *
 * <p>Tags are there before a set is read, and its manifest once it is written; a set that failed
 * takes its tags back. Those of one that was killed are found by their names, which have a time.
 */
public final class Manifests {

  /** The table's name, beside the feature tables. */
  public static final String TABLE = "tarn_manifests";

  /** Begins the ids of manifests, and so their tags. */
  private static final String PREFIX = "tarn-train-";

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssSSS'Z'").withZone(ZoneOffset.UTC);

  /** No set takes longer to be made. */
  private static final Duration LONGEST = Duration.ofDays(2);

  private static final SecureRandom RANDOM = new SecureRandom();

  private static final String ID = "manifest";
  private static final String AT = "at";
  private static final String STATE = "state";
  private static final String OUT = "out";
  private static final String DEFINITION = "definition";
  private static final String MADE = "made";
  private static final String RETIRED = "retired";

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, ID, Types.StringType.get()),
          Types.NestedField.required(2, AT, Types.TimestampType.withZone()),
          Types.NestedField.required(3, STATE, Types.StringType.get()),
          Types.NestedField.required(4, OUT, Types.StringType.get()),
          Types.NestedField.required(5, DEFINITION, Types.StringType.get()));

  private static final StructType ROW =
      new StructType()
          .add(ID, DataTypes.StringType, false)
          .add(AT, DataTypes.TimestampType, false)
          .add(STATE, DataTypes.StringType, false)
          .add(OUT, DataTypes.StringType, false)
          .add(DEFINITION, DataTypes.StringType, false);

  /**
   * A training set.
   *
   * @param retiredAt empty: its snapshots are kept
   */
  public record Entry(TrainingManifest manifest, String out, Optional<Instant> retiredAt) {}

  private final Lake lake;

  public Manifests(Lake lake) {
    this.lake = lake;
  }

  /** A name that nobody else gives. */
  static String newId(Instant at) {
    return PREFIX + TIME.format(at) + "%04x".formatted(RANDOM.nextInt(1 << 16));
  }

  /** All that were made, the oldest first. */
  public List<Entry> all() {
    Map<String, Entry> entries = new TreeMap<>();
    List<Record> records = new ArrayList<>();
    try (CloseableIterable<Record> stored =
        IcebergGenerics.read(lake.catalog().loadTable(lake.table(TABLE))).build()) {
      stored.forEach(record -> records.add(record.copy()));
    } catch (NoSuchTableException e) {
      return List.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    records.sort(Comparator.comparing(Manifests::at));
    for (Record record : records) {
      boolean isRetired = record.getField(STATE).equals(RETIRED);
      entries.put(
          (String) record.getField(ID),
          new Entry(
              parse((String) record.getField(DEFINITION), TABLE),
              (String) record.getField(OUT),
              isRetired ? Optional.of(at(record).toInstant()) : Optional.empty()));
    }
    return List.copyOf(entries.values());
  }

  /**
   * A manifest by the name of its file or of the folder with it, or by id.
   *
   * @throws UsageException if there is none
   */
  public TrainingManifest find(String idOrFile) {
    if (idOrFile.startsWith(PREFIX) && !idOrFile.contains("/")) {
      return all().stream()
          .map(Entry::manifest)
          .filter(manifest -> manifest.getId().equals(idOrFile))
          .findFirst()
          .orElseThrow(
              () ->
                  new UsageException(
                      "manifest=%s: ./tarn manifests all=true has none of that id"
                          .formatted(idOrFile)));
    }
    Path path = new Path(idOrFile);
    try {
      var files = path.getFileSystem(lake.spark().sessionState().newHadoopConf());
      if (files.exists(path) && files.getFileStatus(path).isDirectory()) {
        path = new Path(path, Output.MANIFEST_FILE);
      }
      if (!files.exists(path)) {
        throw new UsageException(
            "manifest=%s: there is no such file; a training set's is %s in its folder"
                .formatted(idOrFile, Output.MANIFEST_FILE));
      }
      try (InputStream stream = files.open(path)) {
        return parse(new String(stream.readAllBytes(), StandardCharsets.UTF_8), path.toString());
      }
    } catch (IOException e) {
      throw new TarnException(
          "manifest=%s can't be read: %s".formatted(idOrFile, Failures.reason(e)), e);
    }
  }

  /** Keeps the snapshots that a set is going to be read from. */
  void keep(TrainingManifest manifest) {
    removeAbandoned(manifest);
    for (TrainingView view : manifest.getViewsList()) {
      FeatureTable table = table(view);
      tags(manifest, view).forEach((tag, snapshot) -> tag(table, tag, snapshot));
    }
  }

  /**
   * Puts the tags of a view's table right where a person has dropped one, and removes those that
   * outlived their set.
   *
   * @return the ids of the sets of which one was missing
   */
  public List<String> tagAgain(String featureView, FeatureTable table) {
    List<String> tagged = new ArrayList<>();
    for (Entry entry : all()) {
      if (entry.retiredAt().isPresent()) {
        untag(table, entry.manifest().getId());
      }
    }
    Map<String, SnapshotRef> refs = table.iceberg().refs();
    for (Entry entry : all()) {
      TrainingManifest manifest = entry.manifest();
      for (TrainingView view : manifest.getViewsList()) {
        if (entry.retiredAt().isPresent() || !view.getFeatureView().equals(featureView)) {
          continue;
        }
        tags(manifest, view)
            .forEach(
                (tag, snapshot) -> {
                  if (!refs.containsKey(tag) && table.iceberg().snapshot(snapshot) != null) {
                    tag(table, tag, snapshot);
                    tagged.add(manifest.getId());
                  }
                });
      }
    }
    return tagged.stream().distinct().toList();
  }

  /** The table of all manifests, e.g. to expire its own snapshots; empty: no set was made yet. */
  public Optional<Table> iceberg() {
    try {
      return Optional.of(lake.catalog().loadTable(lake.table(TABLE)));
    } catch (NoSuchTableException e) {
      return Optional.empty();
    }
  }

  /** Lets them go. */
  void release(TrainingManifest manifest) {
    manifest
        .getViewsList()
        .forEach(
            view ->
                FeatureTable.find(lake, view.getFeatureView())
                    .ifPresent(table -> untag(table, manifest.getId())));
  }

  /** Notes that a set was made. */
  void made(TrainingManifest manifest, String out) {
    add(manifest, out, MADE);
  }

  /**
   * Notes that a set is not to be made again, and lets its snapshots go.
   *
   * @throws UsageException if it is no set that is kept
   */
  public void retire(String id) {
    Entry entry =
        all().stream()
            .filter(e -> e.manifest().getId().equals(id) && e.retiredAt().isEmpty())
            .findFirst()
            .orElseThrow(
                () ->
                    new UsageException(
                        "manifest=%s: no training set of that id is kept; ./tarn manifests lists them"
                            .formatted(id)));
    add(entry.manifest(), entry.out(), RETIRED);
    release(entry.manifest());
  }

  public static String json(TrainingManifest manifest) {
    return ControlJson.print(manifest);
  }

  private void add(TrainingManifest manifest, String out, String state) {
    TableIdentifier name = lake.table(TABLE);
    if (!lake.catalog().tableExists(name)) {
      try {
        lake.catalog().createTable(name, SCHEMA);
      } catch (AlreadyExistsException e) {
        // Another job was quicker.
      }
    }
    try {
      lake.spark()
          .createDataFrame(
              List.of(
                  RowFactory.create(
                      manifest.getId(), Timestamp.from(Instant.now()), state, out, json(manifest))),
              ROW)
          .writeTo(lake.sqlName(TABLE))
          .append();
    } catch (Exception e) { // Scala does not declare NoSuchTableException
      throw new TarnException("the manifest can't be stored in %s".formatted(name), e);
    }
  }

  /** Removes the tags of sets that were killed while they were made. */
  private void removeAbandoned(TrainingManifest next) {
    Set<String> known = new TreeSet<>();
    all().forEach(entry -> known.add(entry.manifest().getId()));
    String oldest = newId(Instant.now().minus(LONGEST));
    for (TrainingView view : next.getViewsList()) {
      FeatureTable table = table(view);
      for (String tag : List.copyOf(table.iceberg().refs().keySet())) {
        if (tag.startsWith(PREFIX) && tag.compareTo(oldest) < 0 && !known.contains(idOf(tag))) {
          table.changeRefs(refs -> refs.removeTag(tag));
        }
      }
    }
  }

  private static void tag(FeatureTable table, String tag, long snapshot) {
    table.changeRefs(refs -> refs.createTag(tag, snapshot).setMaxRefAgeMs(tag, Long.MAX_VALUE));
  }

  /** The tags of one view's table, each with its snapshot. */
  private static Map<String, Long> tags(TrainingManifest manifest, TrainingView view) {
    Map<String, Long> tags = new TreeMap<>();
    int number = 0;
    for (long snapshot : snapshots(view)) {
      tags.put(manifest.getId() + (number++ == 0 ? "" : "-" + number), snapshot);
    }
    return tags;
  }

  private static void untag(FeatureTable table, String id) {
    table.iceberg().refresh();
    for (String tag : List.copyOf(table.iceberg().refs().keySet())) {
      if (idOf(tag).equals(id)) {
        table.changeRefs(refs -> refs.removeTag(tag));
      }
    }
  }

  /** A tag is an id, or one with a number behind it. */
  private static String idOf(String tag) {
    int number = tag.indexOf('-', Math.min(PREFIX.length(), tag.length()));
    return tag.startsWith(PREFIX) && number > 0 ? tag.substring(0, number) : tag;
  }

  private FeatureTable table(TrainingView view) {
    return FeatureTable.find(lake, view.getFeatureView())
        .orElseThrow(
            () ->
                new TarnException(
                    "the feature table of '%s' is gone".formatted(view.getFeatureView())));
  }

  private static Set<Long> snapshots(TrainingView view) {
    Set<Long> ids = new TreeSet<>();
    Iterables.addAll(
        ids, Iterables.transform(view.getReadingsList(), TrainingReading::getSnapshotId));
    return ids;
  }

  private static OffsetDateTime at(Record record) {
    return (OffsetDateTime) record.getField(AT);
  }

  private static TrainingManifest parse(String json, String where) {
    try {
      TrainingManifest manifest = ControlJson.parse(json, TrainingManifest.newBuilder()).build();
      if (manifest.getId().isEmpty() || manifest.getFiles() < 1) {
        throw new UsageException("%s is not the manifest of a training set".formatted(where));
      }
      return manifest;
    } catch (InvalidProtocolBufferException e) {
      throw new UsageException(
          "%s is not the manifest of a training set: %s".formatted(where, Failures.reason(e)), e);
    }
  }

  public static Instant createdAt(TrainingManifest manifest) {
    return Values.instant(Timestamps.toMicros(manifest.getCreatedAt()));
  }
}
