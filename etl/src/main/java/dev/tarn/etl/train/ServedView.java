package dev.tarn.etl.train;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.base.Generation;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.etl.window.WindowRows;
import dev.tarn.live.Cut;
import dev.tarn.manifest.ServedCut;
import dev.tarn.manifest.ServedLive;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.TrainingView;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * A live view as it was served: each row gets what was answered at its moment and its cut, which
 * its stamp says, or else the ledger of cuts.
 */
final class ServedView {

  /** Rows of a spine up to which only the events of their entities are shuffled. */
  private static final long FEW = 100_000;

  private static final String GENERATION = Columns.PREFIX + "generation";
  private static final DataType OFFSETS = DataTypes.createArrayType(DataTypes.LongType);

  private final Lake lake;
  private final TrainingView view;
  private final ServedLive served;

  ServedView(Lake lake, TrainingView view) {
    this.lake = lake;
    this.view = view;
    this.served = view.getLive();
  }

  /** The entity, with the types of its keys. */
  Entity entity() {
    return anyGeneration().entity(view.getEntity(), view.getEntityKeysList());
  }

  private Generation anyGeneration() {
    return served.getGenerationsMap().values().stream()
        .findFirst()
        .map(definition -> Generation.of(lake, view.getFeatureView(), definition))
        .orElseThrow(() -> new TarnException("the manifest has no definition of a live view"));
  }

  /**
   * Packed rows of a spine with the struct of this view, null where nothing of it was answered.
   *
   * @param v number of the view
   * @param partitions of the result, which is divided by entity
   */
  Dataset<Row> join(Dataset<Row> packed, Spine spine, int v, int partitions) {
    Column stamp = functions.col(Columns.SPINE).getField(spine.timeColumn());
    Column micros = functions.col(Columns.MICROS);
    List<String> names = new ArrayList<>(List.of(packed.columns()));
    Dataset<Row> asking =
        packed
            .withColumn(GENERATION, generation(spine, stamp, micros))
            .withColumn(WindowRows.CUT, cut(spine, stamp, micros));
    Dataset<Row> joined =
        asking.filter(functions.col(GENERATION).isNull()).withColumn(Columns.view(v), nothing());
    for (String name : new TreeSet<>(served.getGenerationsMap().keySet())) {
      Generation generation =
          Generation.of(lake, view.getFeatureView(), served.getGenerationsOrThrow(name));
      joined = joined.union(join(asking, spine, v, partitions, name, generation));
    }
    names.add(Columns.view(v));
    return joined.select(names.stream().map(Columns::named).toArray(Column[]::new));
  }

  private Dataset<Row> join(
      Dataset<Row> asking, Spine spine, int v, int partitions, String name, Generation generation) {
    Optional<Dataset<Row>> entities =
        spine.count() <= FEW
            ? Optional.of(spine.keysAndTimes().select(EntityColumns.keys(spine.keys())).distinct())
            : Optional.empty();
    List<String> wanted =
        view.getFeaturesList().stream()
            .map(StoredFeature::getName)
            .filter(generation.features()::contains)
            .toList();
    Dataset<Row> found =
        generation
            .open(greatest(spine, name), entity(), wanted)
            .joinAtCuts(
                asking.filter(functions.col(GENERATION).equalTo(name)),
                spine.earliest(),
                spine.latest(),
                entities,
                partitions,
                PointInTime.GIVEN_AT,
                Columns.view(v));
    return found.withColumn(
        Columns.view(v),
        functions.when(functions.col(Columns.view(v)).isNotNull(), struct(found, v, wanted)));
  }

  /** The struct with all features of the view, in the order of the set. */
  private Column struct(Dataset<Row> found, int v, List<String> wanted) {
    List<Column> fields = new ArrayList<>();
    Column struct = functions.col(Columns.view(v));
    fields.add(struct.getField(PointInTime.GIVEN_AT).as(PointInTime.GIVEN_AT));
    for (StoredFeature feature : view.getFeaturesList()) {
      DataType type = ViewTable.type(feature);
      if (!wanted.contains(feature.getName())) {
        fields.add(functions.lit(null).cast(type).as(feature.getName()));
        continue;
      }
      DataType then =
          found.select(struct.getField(feature.getName())).schema().fields()[0].dataType();
      if (!DataType.equalsIgnoreNullability(type, then)) {
        throw new TarnException(
            "feature '%s' of live view '%s' was %s when it was served, and is %s in the definition: leave out the rows from then, or give the new one another name"
                .formatted(
                    feature.getName(),
                    view.getFeatureView(),
                    then.simpleString(),
                    type.simpleString()));
      }
      fields.add(struct.getField(feature.getName()).as(feature.getName()));
    }
    return functions.struct(fields.toArray(new Column[0]));
  }

  private Column nothing() {
    List<Column> fields = new ArrayList<>();
    fields.add(PointInTime.noTime().as(PointInTime.GIVEN_AT));
    for (StoredFeature feature : view.getFeaturesList()) {
      fields.add(functions.lit(null).cast(ViewTable.type(feature)).as(feature.getName()));
    }
    return functions.when(functions.lit(false), functions.struct(fields.toArray(new Column[0])));
  }

  private Column generation(Spine spine, Column stamp, Column micros) {
    if (spine.hasStamps()) {
      return StampColumn.generation(stamp, view.getFeatureView());
    }
    String[] generations =
        served.getCutsList().stream()
            .map(ServedCut::getGeneration)
            .map(name -> name.isEmpty() ? null : name)
            .toArray(String[]::new);
    long[] from = from();
    UDF1<Long, String> at =
        moment -> index(from, moment) < 0 ? null : generations[index(from, moment)];
    return functions.udf(at, DataTypes.StringType).apply(micros);
  }

  private Column cut(Spine spine, Column stamp, Column micros) {
    if (spine.hasStamps()) {
      return StampColumn.cut(stamp, view.getFeatureView());
    }
    long[][] cuts = served.getCutsList().stream().map(ServedView::offsets).toArray(long[][]::new);
    long[] from = from();
    UDF1<Long, long[]> at = moment -> index(from, moment) < 0 ? null : cuts[index(from, moment)];
    return functions.udf(at, OFFSETS).apply(micros);
  }

  private long[] from() {
    return served.getCutsList().stream()
        .mapToLong(cut -> Timestamps.toMicros(cut.getAt()))
        .toArray();
  }

  private static long[] offsets(ServedCut cut) {
    return cut.getOffsetsList().stream().mapToLong(Long::longValue).toArray();
  }

  /** The last of the moments that is not after another; -1: there is none. */
  private static int index(long[] from, long moment) {
    int at = Arrays.binarySearch(from, moment);
    return at >= 0 ? at : -at - 2;
  }

  /** The greatest cut of all rows of a generation. */
  private Cut greatest(Spine spine, String generation) {
    if (!spine.hasStamps()) {
      Cut all = Cut.of();
      for (ServedCut cut : served.getCutsList()) {
        if (cut.getGeneration().equals(generation)) {
          all = all.max(Cut.of(offsets(cut)));
        }
      }
      return all;
    }
    Column stamp = Columns.named(spine.timeColumn());
    String name = view.getFeatureView();
    TreeMap<Integer, Long> offsets = new TreeMap<>();
    spine
        .rows()
        .filter(StampColumn.generation(stamp, name).equalTo(generation))
        .select(functions.posexplode(StampColumn.cut(stamp, name)))
        .groupBy("pos")
        .agg(functions.max("col"))
        .collectAsList()
        .forEach(row -> offsets.put(row.getInt(0), row.getLong(1)));
    return Cut.of(offsets);
  }
}
