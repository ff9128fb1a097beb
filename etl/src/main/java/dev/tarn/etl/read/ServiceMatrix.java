package dev.tarn.etl.read;

import dev.tarn.etl.EntityIds;
import dev.tarn.etl.Lake;
import dev.tarn.etl.build.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.row.Values;
import dev.tarn.transform.Vectorizer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.iceberg.Snapshot;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * The rows that GetFeatureVectors answers, of all entities, read from snapshots: the same bytes,
 * since the same {@link Vectorizer} makes them. The values do not go through the row encoding, so
 * that comparing the two means something.
 */
public final class ServiceMatrix {

  public static final String ENTITY_ID = "entity_id";

  /** Binary: float32, little-endian, as many as the service is wide. */
  public static final String VECTOR = "vector";

  private static final StructType SCHEMA =
      new StructType()
          .add(ENTITY_ID, DataTypes.StringType, false)
          .add(VECTOR, DataTypes.BinaryType, false);

  /** A view of the service and the snapshot to read it from. */
  public record ViewSnapshot(FeatureView view, FeatureTable table, Snapshot snapshot) {}

  private ServiceMatrix() {}

  /**
   * The matrix, a row for each entity that any of the views has; columns {@link #ENTITY_ID} and
   * {@link #VECTOR}. One shuffle a view.
   *
   * @param defined with fitted transforms
   * @param views all views of the service
   * @param at rows that are older than their view's max age at this moment are absent
   * @throws dev.tarn.transform.TransformException if the service has no vectors
   */
  public static Dataset<Row> of(
      Lake lake, StoredService defined, List<ViewSnapshot> views, Instant at) {
    StoredService service = RowVectors.asServersReadIt(defined);
    Dataset<Row> joined = null;
    List<FeatureType> types = new ArrayList<>();
    List<Place> places = new ArrayList<>();
    List<Dataset<Row>> rows =
        views.stream().map(v -> CurrentRows.of(lake, v.view(), v.table(), v.snapshot())).toList();
    List<List<String>> columns = new ArrayList<>();
    views.forEach(view -> columns.add(new ArrayList<>(List.of(FeatureView.EVENT_TIMESTAMP))));
    for (String name : service.getFeatureNamesList()) {
      int v = indexOf(views, name);
      String column = name.substring(name.indexOf('.') + 1);
      types.add(SparkTypes.stored(rows.get(v).schema().apply(column).dataType()).orElseThrow());
      places.add(new Place(v, columns.get(v).size()));
      columns.get(v).add(column);
    }
    Vectorizer.of(service, types);
    long[] oldest = new long[views.size()];
    for (int v = 0; v < views.size(); v++) {
      FeatureView view = views.get(v).view();
      oldest[v] = view.maxAge().map(age -> oldest(at, age)).orElse(Long.MIN_VALUE);
      Column[] struct =
          columns.get(v).stream().map(c -> functions.col("`" + c + "`")).toArray(Column[]::new);
      Dataset<Row> ofView =
          rows.get(v)
              .select(
                  EntityIds.of(view.entity()).as(ENTITY_ID),
                  functions.struct(struct).as("_tarn_view" + v));
      joined =
          joined == null
              ? ofView
              : joined.join(
                  ofView, JavaConverters.asScalaBuffer(List.of(ENTITY_ID)).toSeq(), "full_outer");
    }
    return joined.mapPartitions(
        new Vectorize(service, types, places, oldest), Encoders.row(SCHEMA));
  }

  private static long oldest(Instant at, Duration maxAge) {
    return Values.micros(at) - maxAge.toNanos() / 1_000;
  }

  private static int indexOf(List<ViewSnapshot> views, String feature) {
    for (int v = 0; v < views.size(); v++) {
      if (feature.startsWith(views.get(v).view().name() + ".")) {
        return v;
      }
    }
    throw new IllegalArgumentException("no view of the feature " + feature);
  }

  /** Where a feature is: which view's struct, and where in it. */
  private record Place(int view, int field) implements java.io.Serializable {}

  private static final class Vectorize implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    private final StoredService service;
    private final ArrayList<FeatureType> types;
    private final ArrayList<Place> places;
    private final long[] oldest;

    Vectorize(StoredService service, List<FeatureType> types, List<Place> places, long[] oldest) {
      this.service = service;
      this.types = new ArrayList<>(types);
      this.places = new ArrayList<>(places);
      this.oldest = oldest;
    }

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      Vectorizer vectorizer = Vectorizer.of(service, types);
      float[] vector = new float[vectorizer.width()];
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public Row next() {
          Row row = rows.next();
          vectorizer.clear(vector);
          for (int i = 0; i < places.size(); i++) {
            put(vectorizer, i, row, vector);
          }
          byte[] bytes = new byte[vector.length * Vectorizer.FLOAT_BYTES];
          Vectorizer.write(vector, bytes, 0);
          return RowFactory.create(row.getString(0), bytes);
        }
      };
    }

    private void put(Vectorizer vectorizer, int feature, Row row, float[] vector) {
      Place place = places.get(feature);
      Row ofView = row.getStruct(place.view() + 1);
      if (ofView == null
          || Values.micros(ofView.getInstant(0)) < oldest[place.view()]
          || ofView.isNullAt(place.field())) {
        return;
      }
      RowVectors.put(vectorizer, feature, ofView.get(place.field()), vector);
    }
  }
}
