package dev.tarn.etl.read;

import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.base.Generation;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.window.WindowRows;
import dev.tarn.live.Cut;
import dev.tarn.manifest.BatchStamp;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.row.EntityId;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Answers again what a stamp is of, from Iceberg alone: batch views from their snapshots, live ones
 * from the events before the stamp's cut, at its moment.
 */
public final class StampLookup {

  private static final String ID = "_tarn_id";
  private static final String KEY = "_tarn_key";
  private static final String FOUND = "_tarn_found";

  private final Lake lake;

  public StampLookup(Lake lake) {
    this.lake = lake;
  }

  /**
   * Answers entities at a stamp.
   *
   * @param features names, plain or with the view; empty: all features of the stamp's views
   * @throws UsageException if no view of the stamp has such a feature
   * @throws TarnException if the archive has not reached the stamp's cut, or a snapshot is gone
   */
  public GetOnlineFeaturesResponse get(
      Definitions definitions, Stamp stamp, List<String> ids, List<String> features) {
    Map<String, List<String>> asked = asked(definitions, stamp, features);
    List<ViewAnswer> answers = new ArrayList<>();
    for (BatchStamp batch : stamp.getBatchList()) {
      if (asked.containsKey(batch.getFeatureView())) {
        answers.add(
            new SnapshotLookup(lake)
                .answer(
                    definitions.view(batch.getFeatureView()),
                    Long.toString(batch.getSnapshotId()),
                    ids,
                    asked.get(batch.getFeatureView()),
                    Values.instant(stamp.getMicros())));
      }
    }
    for (LiveStamp live : stamp.getLiveList()) {
      if (asked.containsKey(live.getFeatureView())) {
        FeatureView view = definitions.view(live.getFeatureView());
        answers.add(live(view, live, stamp.getMicros(), ids, asked.get(view.name())));
      }
    }
    GetOnlineFeaturesResponse.Builder all = GetOnlineFeaturesResponse.newBuilder();
    answers.forEach(answer -> all.addVersions(answer.version()));
    for (String id : ids) {
      all.putResults(id, merged(answers, id));
    }
    return all.build();
  }

  /** As in lookups, defaults stand in for the rows of an entity that another view knows. */
  private static FeatureSet merged(List<ViewAnswer> answers, String id) {
    boolean isKnown = answers.stream().anyMatch(answer -> answer.there().contains(id));
    FeatureSet.Builder set = FeatureSet.newBuilder();
    for (ViewAnswer answer : answers) {
      set.mergeFrom(answer.sets().get(id));
      if (isKnown && !answer.there().contains(id)) {
        set.putAllFeatures(answer.defaults());
      }
    }
    return set.build();
  }

  /** The names that are asked of views of the stamp; empty: all of that view. */
  private static Map<String, List<String>> asked(
      Definitions definitions, Stamp stamp, List<String> features) {
    Map<String, List<String>> asked = new LinkedHashMap<>();
    List<FeatureView> views =
        Stream.concat(
                stamp.getBatchList().stream().map(BatchStamp::getFeatureView),
                stamp.getLiveList().stream().map(LiveStamp::getFeatureView))
            .map(definitions::view)
            .toList();
    if (features.isEmpty()) {
      views.forEach(view -> asked.put(view.name(), List.of()));
    }
    for (String name : features) {
      FeatureView of =
          views.stream()
              .filter(view -> view.feature(plain(view, name)).isPresent())
              .findFirst()
              .orElseThrow(() -> unknown(views, name));
      asked.computeIfAbsent(of.name(), view -> new ArrayList<>()).add(name);
    }
    return asked;
  }

  private static UsageException unknown(List<FeatureView> views, String name) {
    List<String> known =
        views.stream().flatMap(view -> view.features().stream()).map(Feature::name).toList();
    return new UsageException(
        "features: the views of the stamp (%s) have no feature '%s'%s"
            .formatted(
                String.join(", ", views.stream().map(FeatureView::name).toList()),
                name,
                Suggestion.forName(name, known)));
  }

  /** The name of a feature without its view. */
  private static String plain(FeatureView view, String name) {
    String prefix = view.name() + ".";
    return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
  }

  private ViewAnswer live(
      FeatureView view, LiveStamp stamp, long micros, List<String> ids, List<String> names) {
    Generation generation = Generation.of(lake, view, stamp.getGeneration());
    Map<String, String> columns = new LinkedHashMap<>();
    for (String name : names.isEmpty() ? generation.features() : names) {
      String column = plain(view, name);
      if (!generation.features().contains(column)) {
        throw new UsageException(
            "features: view '%s' had no feature '%s' when the stamp was made"
                .formatted(view.name(), column));
      }
      columns.put(name, column);
    }
    Entity entity = generation.entity(view.entity().name(), view.entity().keyNames());
    Cut cut = Cut.of(stamp.getOffsetsList().stream().mapToLong(Long::longValue).toArray());
    Dataset<Row> asking = asking(entity, cut, micros, ids);
    Column[] keys =
        IntStream.range(0, entity.keys().size())
            .mapToObj(i -> functions.col(KEY + i))
            .toArray(Column[]::new);
    Map<String, Row> found = new HashMap<>();
    generation
        .open(cut, entity, columns.values())
        .joinAtCuts(
            asking,
            micros,
            micros,
            Optional.of(asking.select(keys).distinct()),
            lake.spark().sparkContext().defaultParallelism(),
            "_tarn_given",
            FOUND)
        .filter(functions.col(FOUND).isNotNull())
        .collectAsList()
        .forEach(row -> found.put(row.getAs(ID), row.getAs(FOUND)));
    Map<String, Value> defaults = defaults(view, stamp.getGeneration(), micros, columns);
    Map<String, FeatureSet> sets = new LinkedHashMap<>();
    for (String id : ids) {
      sets.put(
          id,
          found.containsKey(id)
              ? set(columns, defaults, found.get(id)).toBuilder()
                  .putEventTimestamps(view.name(), Timestamps.fromMicros(micros))
                  .build()
              : notFound(columns));
    }
    ViewVersion version = ViewVersion.newBuilder().setFeatureView(view.name()).build();
    return new ViewAnswer(version, sets, found.keySet(), defaults);
  }

  /** A row for each id that is one of the entity: its keys, the moment and the cut. */
  private Dataset<Row> asking(Entity entity, Cut cut, long micros, List<String> ids) {
    int keys = entity.keys().size();
    StructType texts = new StructType().add(ID, DataTypes.StringType);
    for (int i = 0; i < keys; i++) {
      texts = texts.add(KEY + i, DataTypes.StringType);
    }
    List<Row> rows = new ArrayList<>();
    for (String id : ids) {
      EntityId.split(id, keys)
          .map(values -> Stream.concat(Stream.of(id), values.stream()).toArray())
          .ifPresent(values -> rows.add(RowFactory.create(values)));
    }
    List<Column> columns = new ArrayList<>(List.of(functions.col(ID)));
    Column isId = functions.lit(true);
    for (int i = 0; i < keys; i++) {
      Column text = functions.col(KEY + i);
      Column key = text.cast(entity.keys().get(i).type());
      // Another text of the same number, such as 007, is another id.
      isId = isId.and(key.cast(DataTypes.StringType).equalTo(text));
      columns.add(key.as(KEY + i));
    }
    Column[] offsets =
        IntStream.range(0, cut.partitions())
            .mapToObj(partition -> functions.lit(cut.next(partition)))
            .toArray(Column[]::new);
    columns.add(functions.lit(micros).as("_tarn_micros"));
    columns.add(
        functions
            .array(offsets)
            .cast(DataTypes.createArrayType(DataTypes.LongType))
            .as(WindowRows.CUT));
    return lake.spark()
        .createDataFrame(rows, texts)
        .filter(isId)
        .select(columns.toArray(new Column[0]));
  }

  /** The defaults with which the view was answered then, or else those of the definition. */
  private Map<String, Value> defaults(
      FeatureView view, String generation, long micros, Map<String, String> columns) {
    Map<String, Value> byColumn = new HashMap<>();
    Instant moment = Values.instant(micros);
    Optional<List<StoredFeature>> served =
        ReleaseHistory.open(lake.catalog()).of(view.name()).stream()
            .filter(release -> !release.releasedAt().isAfter(moment))
            .flatMap(release -> release.record().stream())
            .filter(record -> record.getLive().getGeneration().equals(generation))
            .map(record -> record.getLive().getFeaturesList())
            .reduce((before, after) -> after);
    if (served.isPresent()) {
      served.get().stream()
          .filter(StoredFeature::hasDefaultValue)
          .forEach(feature -> byColumn.put(feature.getName(), feature.getDefaultValue()));
    } else {
      for (Feature feature : view.features()) {
        feature.defaultValue().ifPresent(value -> byColumn.put(feature.name(), value));
      }
    }
    Map<String, Value> defaults = new HashMap<>();
    columns.forEach(
        (name, column) -> {
          if (byColumn.containsKey(column)) {
            defaults.put(name, byColumn.get(column));
          }
        });
    return defaults;
  }

  private static FeatureSet notFound(Map<String, String> columns) {
    FeatureSet.Builder set = FeatureSet.newBuilder();
    columns.keySet().forEach(name -> set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NOT_FOUND));
    return set.build();
  }

  private static FeatureSet set(Map<String, String> columns, Map<String, Value> defaults, Row row) {
    FeatureSet.Builder set = FeatureSet.newBuilder();
    String beyond = row.getAs(WindowRows.OVERFLOW);
    Set<String> overflows = beyond == null ? Set.of() : Set.of(beyond.split(",", -1));
    columns.forEach(
        (name, column) -> {
          Object value = row.getAs(column);
          Optional<Value> instead = Optional.ofNullable(defaults.get(name));
          if (overflows.contains(column)) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_OVERFLOW);
            instead.ifPresent(given -> set.putFeatures(name, given));
          } else if (value == null) {
            set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NULL_VALUE);
            set.putFeatures(name, instead.orElse(Values.NULL));
          } else {
            set.putFeatures(name, SparkValues.of(value));
          }
        });
    return set.build();
  }
}
