package dev.tarn.etl.train;

import com.google.common.hash.Hashing;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.base.Generation;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Fits;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Moments;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureService;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.ReleaseHistory.Released;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.live.Cut;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.ServedCut;
import dev.tarn.manifest.ServedLive;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingSpine;
import dev.tarn.manifest.TrainingView;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.TypeUtil;
import org.apache.iceberg.types.Types;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** Makes the manifest of a training set: what the set is read from. */
final class Plan {

  /** Approximate number of rows of a file. */
  private static final long ROWS_A_FILE = 250_000;

  private static final int MOST_FILES = 200;

  private final Lake lake;
  private final Definitions definitions;
  private final Console console;

  Plan(Lake lake, Definitions definitions, Console console) {
    this.lake = lake;
    this.definitions = definitions;
    this.console = console;
  }

  /**
   * The manifest.
   *
   * @param history complete, if the set is to be as served
   * @throws UsageException if the request does not fit what there is
   */
  TrainingManifest of(
      Spine spine, TrainingSpine stored, TrainRequest request, Optional<ReleaseHistory> history) {
    FeatureService service = definitions.service(request.service());
    refuseClashes(spine, service, request.vectors());
    request.at().views().forEach(name -> requireUsed(service, name));
    TrainingManifest.Builder manifest =
        TrainingManifest.newBuilder()
            .setSpine(stored)
            .setAsServed(history.isPresent())
            .setVectors(request.vectors())
            .setFiles(files(spine.count()))
            .setTarnVersion(TarnVersion.current())
            .putAllArguments(request.arguments());
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    manifest.setId(TrainingSets.newId(now)).setCreatedAt(Timestamps.fromMillis(now.toEpochMilli()));
    for (FeatureView view : definitions.views()) {
      if (service.uses(view) && request.readsEvents(view)) {
        manifest.addViews(computed(service, view, request));
      } else if (service.uses(view) && history.isPresent() && view.live().isPresent()) {
        manifest.addViews(servedLive(service, view, history.get(), spine));
      } else if (service.uses(view)) {
        FeatureTable table = built(view);
        TrainingView.Builder read = describe(service, view, table);
        if (history.isPresent()) {
          List<Released> releases = history.get().of(view.name());
          read.addAllReadings(
              spine.hasStamps()
                  ? stamped(view, table, releases, spine)
                  : served(view, table, releases, spine));
        } else {
          Snapshot snapshot = pinned(view, table, request.at());
          requireFeatures(read, table, snapshot);
          read.addReadings(TrainingReading.newBuilder().setSnapshotId(snapshot.snapshotId()));
        }
        manifest.addViews(read);
      }
    }
    StoredService defined = service.stored();
    manifest.setServiceHash(hash(defined, manifest.getViewsList()));
    if (!request.vectors()) {
      return manifest.setService(defined).build();
    }
    manifest.setService(new Fits(lake.catalog()).apply(List.of(defined)).get(0));
    return manifest.addAllVectorNames(TrainingRead.vectorNames(manifest.build())).build();
  }

  private static int files(long rows) {
    return (int) Math.min(MOST_FILES, Math.max(1, (rows + ROWS_A_FILE - 1) / ROWS_A_FILE));
  }

  /**
   * Refuses a spine with a column that is named like a feature: the features' columns get their
   * plain names.
   */
  private static void refuseClashes(Spine spine, FeatureService service, boolean vectors) {
    TreeSet<String> added = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    if (vectors) {
      added.add(TrainingRead.VECTOR);
    } else {
      service.features().forEach(name -> added.add(name.substring(name.indexOf('.') + 1)));
    }
    List<String> clashes = spine.columns().stream().filter(added::contains).toList();
    if (!clashes.isEmpty()) {
      throw new UsageException(
          "the spine has %s already, which feature service '%s' would add: rename or drop what the spine has"
              .formatted(
                  String.join(", ", clashes.stream().map("'%s'"::formatted).toList()),
                  service.name()));
    }
  }

  private static void requireUsed(FeatureService service, String view) {
    if (service.features().stream().noneMatch(name -> name.startsWith(view + "."))) {
      throw new UsageException(
          "at.%s=…: feature service '%s' has no feature of that view"
              .formatted(view, service.name()));
    }
  }

  private FeatureTable built(FeatureView view) {
    return FeatureTable.find(lake.catalog(), view.name())
        .filter(table -> table.main().isPresent())
        .orElseThrow(
            () ->
                new TarnException(
                    "nothing has been built of '%s' yet: ./tarn build view=%s as-of=…"
                        .formatted(view.name(), view.name())));
  }

  private static TrainingView.Builder describe(
      FeatureService service, FeatureView view, FeatureTable table) {
    Schema schema = table.iceberg().schema();
    return describe(service, view, feature -> stored(view, feature, schema));
  }

  private static TrainingView.Builder describe(
      FeatureService service, FeatureView view, Function<Feature, StoredFeature> stored) {
    TrainingView.Builder described =
        TrainingView.newBuilder()
            .setFeatureView(view.name())
            .setEntity(view.entity().name())
            .addAllEntityKeys(view.entity().keyNames());
    view.maxAge().ifPresent(age -> described.setMaxAge(Durations.fromSeconds(age.toSeconds())));
    String prefix = view.name() + ".";
    for (String name : service.features()) {
      if (name.startsWith(prefix)) {
        Feature feature = view.feature(name.substring(prefix.length())).orElseThrow();
        described.addFeatures(stored.apply(feature));
      }
    }
    return described;
  }

  /** A window view whose features are computed from the events at each row's own moment. */
  private TrainingView computed(FeatureService service, FeatureView view, TrainRequest request) {
    return describe(service, view, Plan::stored)
        .setEvents(
            ViewEvents.plan(
                lake, view, request.at().of(view.name()), request.as().equals(As.KNOWN)))
        .build();
  }

  private static StoredFeature stored(Feature feature) {
    StoredFeature.Builder stored =
        StoredFeature.newBuilder()
            .setName(feature.name())
            .setType(SparkTypes.stored(feature.type()).orElseThrow());
    feature.defaultValue().ifPresent(stored::setDefaultValue);
    return stored.build();
  }

  private static StoredFeature stored(FeatureView view, Feature feature, Schema schema) {
    Types.NestedField field = schema.findField(feature.name());
    if (field == null) {
      throw new TarnException(
          "the table of '%s' has no feature '%s' yet (%s): build an as-of first"
              .formatted(view.name(), feature.name(), feature.position()));
    }
    Type wanted = SparkSchemaUtil.convert(feature.type());
    boolean isSame =
        SparkTypes.same(SparkSchemaUtil.convert(field.type()), feature.type())
            || (wanted.isPrimitiveType()
                && TypeUtil.isPromotionAllowed(field.type(), wanted.asPrimitiveType()));
    if (!isSame) {
      throw new UsageException(
          "%s: feature '%s' is %s in the definition and %s in the table: give one of the two another name"
              .formatted(
                  feature.position(), feature.name(), feature.type().simpleString(), field.type()));
    }
    return stored(feature).toBuilder().setFieldId(field.fieldId()).build();
  }

  private Snapshot pinned(FeatureView view, FeatureTable table, At at) {
    Optional<String> asked = at.of(view.name());
    if (asked.isEmpty()) {
      return table.main().orElseThrow();
    }
    String text = asked.get();
    if (table.has(text)) {
      return table.published(text);
    }
    if (text.matches("\\d{4}-\\d{2}-\\d{2}.*")) {
      return at(view, table, Moments.parse("at", text));
    }
    throw new UsageException(
        "at=%s: %s has no published snapshot or tag of that name (expired, or of another view? at.%s=… is of this one alone), and it is no time such as 2026-11-20T06:00:00Z"
            .formatted(text, table.sqlName(), view.name()));
  }

  private static Snapshot at(FeatureView view, FeatureTable table, Instant moment) {
    return table
        .mainAt(moment)
        .orElseThrow(
            () ->
                new TarnException(
                    "at=%s: what %s was then is not known: nothing had been built of '%s', or its snapshot has expired"
                        .formatted(moment, table.sqlName(), view.name())));
  }

  private static void requireFeatures(
      TrainingView.Builder view, FeatureTable table, Snapshot snapshot) {
    Schema schema = table.schemaOf(snapshot);
    for (StoredFeature feature : view.getFeaturesList()) {
      if (schema.findField(feature.getFieldId()) == null) {
        throw new TarnException(
            "snapshot %d of %s is from before the feature '%s'; take a newer one, or leave the feature out"
                .formatted(snapshot.snapshotId(), table.sqlName(), feature.getName()));
      }
    }
  }

  /**
   * A live view as it was served: the cuts of the rows are in their stamps, or else in the ledger
   * of cuts.
   */
  private TrainingView servedLive(
      FeatureService service, FeatureView view, ReleaseHistory history, Spine spine) {
    TrainingView.Builder read = describe(service, view, Plan::stored);
    for (Released release : history.of(view.name())) {
      read.addReadings(reading(release).clearSnapshotId());
    }
    ServedLive.Builder live = ServedLive.newBuilder();
    Set<String> generations = new TreeSet<>();
    if (spine.hasStamps()) {
      Column stamp = Columns.named(spine.timeColumn());
      spine
          .rows()
          .select(StampColumn.generation(stamp, view.name()).as("generation"))
          .distinct()
          .filter("generation IS NOT NULL")
          .collectAsList()
          .forEach(row -> generations.add(row.getString(0)));
    } else {
      live.addAllCuts(cuts(view, history.of(view.name()), spine));
      live.getCutsList().stream()
          .map(ServedCut::getGeneration)
          .filter(name -> !name.isEmpty())
          .forEach(generations::add);
    }
    if (generations.isEmpty()) {
      console.say(
          "%s: the rows are from times at which none of it was answered, and get nothing of it",
          view.name());
      generations.add(LiveDefinition.generation(view));
    }
    for (String generation : generations) {
      live.putGenerations(
          generation,
          generation.equals(LiveDefinition.generation(view))
              ? LiveDefinition.stored(view)
              : Generation.definition(lake, view.name(), generation));
    }
    return read.setLive(live).build();
  }

  /** The cuts of the spine's times that lookups were answered with, up to the last row. */
  private List<ServedCut> cuts(FeatureView view, List<Released> releases, Spine spine) {
    SortedMap<Instant, ServedCut> cuts = new TreeMap<>();
    Instant last = Values.instant(spine.latest());
    List<LiveCuts.LiveCut> noted =
        new LiveCuts(lake.catalog()).between(view.name(), Instant.EPOCH, last);
    for (Released release : releases) {
      Instant end = release.retiredAt().orElse(Instant.MAX);
      Optional<LiveBase> live =
          release.record().filter(VersionRecord::hasLive).map(VersionRecord::getLive);
      cuts.put(release.releasedAt(), served(release.releasedAt(), Optional.empty()));
      for (LiveCuts.LiveCut cut : noted) {
        if (live.isEmpty()
            || !cut.generation().equals(live.get().getGeneration())
            || !cut.at().isBefore(end)) {
          continue;
        }
        Instant through = cut.completeThrough().orElse(Instant.EPOCH);
        boolean isAnswered =
            Duration.between(through, cut.at()).toMillis()
                <= Durations.toMillis(live.get().getMaxLag());
        Instant at = cut.at().isBefore(release.releasedAt()) ? release.releasedAt() : cut.at();
        // Of those from before the release the last one holds at its beginning.
        cuts.put(at, served(at, isAnswered ? Optional.of(cut) : Optional.empty()));
      }
      release.retiredAt().ifPresent(at -> cuts.put(at, served(at, Optional.empty())));
    }
    return List.copyOf(cuts.values());
  }

  private static ServedCut served(Instant at, Optional<LiveCuts.LiveCut> cut) {
    ServedCut.Builder served =
        ServedCut.newBuilder().setAt(Timestamps.fromMicros(Values.micros(at)));
    if (cut.isPresent()) {
      served.setGeneration(cut.get().generation());
      Cut offsets = Cut.of(cut.get().cut().offsets());
      for (int i = 0; i < offsets.partitions(); i++) {
        served.addOffsets(offsets.next(i));
      }
    }
    return served.build();
  }

  /** The snapshots of a view that stamps name, each as it was answered last. */
  private List<TrainingReading> stamped(
      FeatureView view, FeatureTable table, List<Released> releases, Spine spine) {
    Column stamp = Columns.named(spine.timeColumn());
    List<TrainingReading> readings = new ArrayList<>();
    for (Row row :
        spine
            .rows()
            .groupBy(StampColumn.snapshotId(stamp, view.name()).as("snapshot"))
            .count()
            .orderBy("snapshot")
            .collectAsList()) {
      if (row.isNullAt(0)) {
        console.say(
            "%s: %s a stamp without it, and %s nothing of it",
            view.name(),
            Plural.of(row.getLong(1), "row") + Plural.choose(row.getLong(1), " has", " have"),
            Plural.choose(row.getLong(1), "gets", "get"));
        continue;
      }
      long snapshot = row.getLong(0);
      if (table.iceberg().snapshot(snapshot) == null) {
        throw new TarnException(
            "snapshot %d of '%s', which %s of the spine %s answered from, has expired; leave them out"
                .formatted(
                    snapshot,
                    view.name(),
                    Plural.of(row.getLong(1), "row"),
                    Plural.choose(row.getLong(1), "was", "were")));
      }
      TrainingReading.Builder reading = TrainingReading.newBuilder().setSnapshotId(snapshot);
      releases.stream()
          .filter(release -> release.snapshotId() == snapshot)
          .flatMap(release -> release.record().stream())
          .reduce((before, after) -> after)
          .ifPresent(reading::setServed);
      readings.add(reading.build());
    }
    return readings;
  }

  private static TrainingReading.Builder reading(Released release) {
    TrainingReading.Builder reading =
        TrainingReading.newBuilder()
            .setSnapshotId(release.snapshotId())
            .setReleasedAt(Timestamps.fromMicros(Values.micros(release.releasedAt())));
    release
        .retiredAt()
        .ifPresent(at -> reading.setRetiredAt(Timestamps.fromMicros(Values.micros(at))));
    release.record().ifPresent(reading::setServed);
    return reading;
  }

  /** The releases that the spine's times fall into. */
  private List<TrainingReading> served(
      FeatureView view, FeatureTable table, List<Released> releases, Spine spine) {
    TrainingView.Builder all = TrainingView.newBuilder();
    for (Released release : releases) {
      all.addReadings(reading(release));
    }
    Column index =
        AsServed.readingAt(all.build(), functions.unix_micros(Columns.named(spine.timeColumn())));
    Dataset<Row> used = spine.rows().groupBy(index.as("reading")).count().orderBy("reading");
    List<TrainingReading> readings = new ArrayList<>();
    for (Row row : used.collectAsList()) {
      if (row.isNullAt(0)) {
        console.say(
            "%s: %s from times at which none of it was released, and %s nothing of it",
            view.name(),
            Plural.of(row.getLong(1), "row") + Plural.choose(row.getLong(1), " is", " are"),
            Plural.choose(row.getLong(1), "gets", "get"));
        continue;
      }
      Released release = releases.get(row.getInt(0));
      if (table.iceberg().snapshot(release.snapshotId()) == null) {
        throw new TarnException(
            "version %s of '%s' was released from %s to %s, and its snapshot %d has expired: what %s of the spine %s served can't be read any more; leave them out"
                .formatted(
                    release.version(),
                    view.name(),
                    release.releasedAt(),
                    release.retiredAt().map(Instant::toString).orElse("now"),
                    release.snapshotId(),
                    Plural.of(row.getLong(1), "row"),
                    Plural.choose(row.getLong(1), "was", "were")));
      }
      TrainingReading reading = all.getReadings(row.getInt(0));
      if (!reading.hasServed()) {
        throw new TarnException(
            "version %s of '%s' was released before releases noted how they are answered; rows from then can't be had as served"
                .formatted(release.version(), view.name()));
      }
      readings.add(reading);
    }
    return readings;
  }

  private static String hash(StoredService service, List<TrainingView> views) {
    StringBuilder all = new StringBuilder(ControlJson.print(service));
    for (TrainingView view : views) {
      all.append('\n')
          .append(ControlJson.print(view.toBuilder().clearReadings().clearLive().build()));
    }
    return Hashing.sha256().hashString(all, StandardCharsets.UTF_8).toString().substring(0, 16);
  }

  /**
   * A request for a training set.
   *
   * @param arguments as typed
   */
  record TrainRequest(
      String service, At at, As as, boolean vectors, Map<String, String> arguments) {

    /** Whether a view's features are computed from events, and not read from its table. */
    boolean readsEvents(FeatureView view) {
      return view.windows().isPresent() && (as == As.EVENT_TIME || as == As.KNOWN);
    }
  }

  /** The history that the rows of a set are to have. */
  enum As {
    /** What had happened by a row's time. */
    EVENT_TIME,
    /** What had happened and arrived by a row's time. */
    KNOWN,
    /** What had been built for the newest as-of up to a row's time. */
    BUILT,
    /** What was released at a row's time. */
    SERVED
  }

  /** The snapshots, tags or times that were asked for: for all views, and for single ones. */
  record At(Optional<String> all, Map<String, String> byView) {

    Optional<String> of(String view) {
      return Optional.ofNullable(byView.get(view)).or(() -> all);
    }

    Iterable<String> views() {
      return byView.keySet();
    }
  }
}
