package dev.tarn.etl.catalog;

import com.google.common.collect.Iterables;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import dev.tarn.redis.ControlJson;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
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
import java.util.function.LongPredicate;
import org.apache.hadoop.fs.Path;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.Types;

/**
 * The ledger of training sets, and the tags by which their snapshots are kept for as long as a set
 * may have to be made again.
 *
 * <p>The tags are there before a set is read, and its manifest is added once it is written. A set
 * that failed takes its tags back. The tags of a set that was killed are found by their names,
 * which have a time.
 */
public final class TrainingSets {

  /** The manifest's file in a set's folder; readers of Parquet pass over names that begin so. */
  public static final String MANIFEST_FILE = "_manifest.json";

  /** Begins the ids of manifests, and so their tags. */
  private static final String PREFIX = "tarn-train-";

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssSSS'Z'").withZone(ZoneOffset.UTC);

  /** The longest time that making a set may take. */
  private static final Duration LONGEST = Duration.ofDays(2);

  /** The number of sets that a message names. */
  private static final int NAMED = 5;

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

  /**
   * A training set.
   *
   * @param retiredAt empty: its snapshots are kept
   */
  public record Entry(TrainingManifest manifest, String out, Optional<Instant> retiredAt) {}

  private final IcebergCatalog catalog;
  private final Ledger ledger;

  public TrainingSets(IcebergCatalog catalog) {
    this.catalog = catalog;
    this.ledger = new Ledger(catalog, Ledger.TRAINING_SETS, SCHEMA);
  }

  /** A name that nobody else gives. */
  public static String newId(Instant at) {
    return PREFIX + TIME.format(at) + "%04x".formatted(RANDOM.nextInt(1 << 16));
  }

  /** All sets that were made, the oldest first. */
  public List<Entry> all() {
    Map<String, Entry> entries = new TreeMap<>();
    List<Record> rows = new ArrayList<>(ledger.read(Expressions.alwaysTrue()));
    rows.sort(Comparator.comparing(TrainingSets::at));
    for (Record row : rows) {
      boolean isRetired = row.getField(STATE).equals(RETIRED);
      entries.put(
          (String) row.getField(ID),
          new Entry(
              parse((String) row.getField(DEFINITION), Ledger.TRAINING_SETS),
              (String) row.getField(OUT),
              isRetired ? Optional.of(at(row).toInstant()) : Optional.empty()));
    }
    return List.copyOf(entries.values());
  }

  /**
   * Finds a manifest by the name of its file or of the folder with it, or by id.
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
      var files = path.getFileSystem(catalog.hadoop());
      if (files.exists(path) && files.getFileStatus(path).isDirectory()) {
        path = new Path(path, MANIFEST_FILE);
      }
      if (!files.exists(path)) {
        throw new UsageException(
            "manifest=%s: there is no such file; a training set's is %s in its folder"
                .formatted(idOrFile, MANIFEST_FILE));
      }
      try (InputStream stream = files.open(path)) {
        return parse(new String(stream.readAllBytes(), StandardCharsets.UTF_8), path.toString());
      }
    } catch (IOException e) {
      throw new TarnException(
          "manifest=%s can't be read: %s".formatted(idOrFile, Causes.reason(e)), e);
    }
  }

  /** Keeps the snapshots that a set is going to be read from. */
  public void keep(TrainingManifest manifest) {
    removeAbandoned(manifest);
    for (TrainingView view : manifest.getViewsList()) {
      refs(view).ifPresent(refs -> tagMissing(refs, manifest, view, snapshot -> true));
    }
  }

  /**
   * Puts back the tags of a view's table that a person has dropped, and removes those that outlived
   * their set.
   *
   * @return the ids of the sets that lacked one
   */
  public List<String> tagAgain(String featureView, FeatureTable table) {
    return tagAgain(tableOf(featureView, ""), table.refs(), table.iceberg());
  }

  /** Puts back, and removes, the tags of an event table as those of a view's table. */
  public List<String> tagAgain(StreamSource stream, EventTable table) {
    return tagAgain(tableOf("", stream.table()), table.refs(), table.iceberg());
  }

  private List<String> tagAgain(String tableName, TableRefs refs, Table iceberg) {
    List<String> tagged = new ArrayList<>();
    for (Entry entry : all()) {
      TrainingManifest manifest = entry.manifest();
      if (entry.retiredAt().isPresent()) {
        untag(refs, manifest.getId());
        continue;
      }
      for (TrainingView view : manifest.getViewsList()) {
        if (!view.hasLive()
            && tableOf(view).equals(tableName)
            && tagMissing(refs, manifest, view, id -> iceberg.snapshot(id) != null)) {
          tagged.add(manifest.getId());
        }
      }
    }
    return tagged.stream().distinct().toList();
  }

  /** Tags the snapshots of a view's table that lack the tag of a set; tells whether any did. */
  private static boolean tagMissing(
      TableRefs refs, TrainingManifest manifest, TrainingView view, LongPredicate isThere) {
    Set<String> there = refs.all().keySet();
    boolean isAny = false;
    for (Map.Entry<String, Long> tag : tags(manifest, view).entrySet()) {
      if (!there.contains(tag.getKey()) && isThere.test(tag.getValue())) {
        refs.tag(tag.getKey(), tag.getValue());
        isAny = true;
      }
    }
    return isAny;
  }

  /**
   * The sets that are kept and were made from some snapshots of a view's table.
   *
   * @return their ids
   */
  public List<String> madeFrom(String featureView, LongPredicate isOne) {
    return all().stream()
        .filter(entry -> entry.retiredAt().isEmpty())
        .map(Entry::manifest)
        .filter(
            manifest ->
                manifest.getViewsList().stream()
                    .filter(view -> view.getFeatureView().equals(featureView))
                    .flatMap(view -> view.getReadingsList().stream())
                    .anyMatch(reading -> isOne.test(reading.getSnapshotId())))
        .map(TrainingManifest::getId)
        .toList();
  }

  /** Names sets in a sentence: the first few, and how many there are. */
  public static String names(List<String> ids) {
    String named = String.join(", ", ids.subList(0, Math.min(NAMED, ids.size())));
    return ids.size() == 1
        ? "training set %s was".formatted(named)
        : "training sets %s%s were".formatted(named, ids.size() > NAMED ? ", …" : "");
  }

  /** Lets the snapshots of a set go. */
  public void removeTags(TrainingManifest manifest) {
    for (TrainingView view : manifest.getViewsList()) {
      Optional<TableRefs> refs =
          view.hasEvents() || view.hasLive()
              ? refs(view)
              : FeatureTable.find(catalog, view.getFeatureView()).map(FeatureTable::refs);
      refs.ifPresent(all -> untag(all, manifest.getId()));
    }
  }

  /** Notes that a set was made. */
  public void made(TrainingManifest manifest, String out) {
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
    removeTags(entry.manifest());
  }

  /** The manifest as JSON, as it is stored. */
  public static String json(TrainingManifest manifest) {
    return ControlJson.print(manifest);
  }

  private void add(TrainingManifest manifest, String out, String state) {
    Record row = ledger.row();
    row.setField(ID, manifest.getId());
    row.setField(AT, Instant.now().atOffset(ZoneOffset.UTC));
    row.setField(STATE, state);
    row.setField(OUT, out);
    row.setField(DEFINITION, json(manifest));
    ledger.append("the manifest", List.of(row));
  }

  /** Removes the tags of sets that were killed while they were made. */
  private void removeAbandoned(TrainingManifest next) {
    Set<String> known = new TreeSet<>();
    all().forEach(entry -> known.add(entry.manifest().getId()));
    String oldest = newId(Instant.now().minus(LONGEST));
    for (TrainingView view : next.getViewsList()) {
      Optional<TableRefs> refs = refs(view);
      for (String tag : refs.map(all -> all.all().keySet()).orElse(Set.of())) {
        if (tag.startsWith(PREFIX) && tag.compareTo(oldest) < 0 && !known.contains(idOf(tag))) {
          refs.get().untag(tag);
        }
      }
    }
  }

  /** The tags of the table that a view is read from, each with its snapshot. */
  private static Map<String, Long> tags(TrainingManifest manifest, TrainingView view) {
    Set<Long> snapshots = new TreeSet<>();
    // Several views may be computed from the events of one table.
    for (TrainingView other : manifest.getViewsList()) {
      if (tableOf(other).equals(tableOf(view))) {
        snapshots.addAll(snapshots(other));
      }
    }
    Map<String, Long> tags = new TreeMap<>();
    int number = 0;
    for (long snapshot : snapshots) {
      tags.put(manifest.getId() + (number++ == 0 ? "" : "-" + number), snapshot);
    }
    return tags;
  }

  /** Identifies the table that a view is read from among all of Tarn's. */
  private static String tableOf(TrainingView view) {
    return view.hasEvents()
        ? tableOf("", view.getEvents().getSource().getEventTable())
        : tableOf(view.getFeatureView(), "");
  }

  private static String tableOf(String featureView, String eventTable) {
    return featureView + " " + eventTable;
  }

  private static void untag(TableRefs refs, String id) {
    for (String tag : refs.all().keySet()) {
      if (idOf(tag).equals(id)) {
        refs.untag(tag);
      }
    }
  }

  /** A tag is an id, or one with a number behind it. */
  private static String idOf(String tag) {
    int number = tag.indexOf('-', Math.min(PREFIX.length(), tag.length()));
    return tag.startsWith(PREFIX) && number > 0 ? tag.substring(0, number) : tag;
  }

  /**
   * The refs of the table that a view is read from: its feature table, or the event table of its
   * source. Empty if the source is no table of Tarn's, whose snapshots are its owner's to keep.
   */
  private Optional<TableRefs> refs(TrainingView view) {
    if (view.hasEvents()) {
      String table = view.getEvents().getSource().getEventTable();
      return table.isEmpty()
          ? Optional.empty()
          : EventTable.find(catalog, table).map(EventTable::refs);
    }
    if (view.hasLive()) {
      // Events before a cut are in all later snapshots.
      return Optional.empty();
    }
    return Optional.of(
        FeatureTable.find(catalog, view.getFeatureView())
            .orElseThrow(
                () ->
                    new TarnException(
                        "the feature table of '%s' is gone".formatted(view.getFeatureView())))
            .refs());
  }

  private static Set<Long> snapshots(TrainingView view) {
    if (view.hasEvents()) {
      return Set.of(view.getEvents().getSnapshotId());
    }
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
          "%s is not the manifest of a training set: %s".formatted(where, Causes.reason(e)), e);
    }
  }

  /** The moment at which the set was made. */
  public static Instant createdAt(TrainingManifest manifest) {
    return Values.instant(Timestamps.toMicros(manifest.getCreatedAt()));
  }
}
