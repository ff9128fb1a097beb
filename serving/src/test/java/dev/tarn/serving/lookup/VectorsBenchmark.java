package dev.tarn.serving.lookup;

import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Fill;
import dev.tarn.manifest.Transform.Log1p;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.transform.Vectorizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Setup;

/**
 * Measures turning the rows of a request into a matrix, one row into a vector, and values that are
 * decoded already into floats by the transforms alone: the time and, with {@code -prof gc}, the
 * bytes allocated.
 *
 * <pre>
 * mvn -q -pl proto,serving test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 * java -cp serving/target/test-classes:serving/target/classes:$(cat serving/target/classpath) \
 *   org.openjdk.jmh.Main VectorsBenchmark -prof gc
 * </pre>
 */
public class VectorsBenchmark extends RowsBenchmark {

  private final Vectors vectors = new Vectors(new CorruptRows());
  private BenchmarkRows data;
  private VectorPlan plan;
  private FetchedRows rows;
  private AskedIds asked;
  private Vectorizer vectorizer;
  private float[] vector;
  private int width;

  @Setup
  public void prepare() {
    data = new BenchmarkRows(entities, features);
    // Times are left out, because they are no numbers.
    Map<String, Place> named = data.places(i -> BenchmarkRows.kind(i) != Kind.KIND_TIMESTAMP);
    List<Place> places = new ArrayList<>(named.values());
    StoredService.Builder service = StoredService.newBuilder().setName("model").setEntity("user");
    List<FeatureType> types = new ArrayList<>();
    for (Place place : places) {
      String name = data.view().features().get(place.index()).getName();
      FeatureType type = data.view().types().get(place.index());
      types.add(type);
      service
          .addFeatureNames(name)
          .addTransforms(
              FeatureTransforms.newBuilder()
                  .setFeatureName(name)
                  .addAllSteps(steps(type.getKind())));
    }
    vectorizer = Vectorizer.of(service.build(), types);
    Selection selection = Selection.of(named);
    plan = new VectorPlan(selection, places, vectorizer);
    rows = FetchedRows.of(selection, data.ids(), data.rows(), BenchmarkRows.AS_OF);
    asked = new AskedIds(data.ids(), IntStream.range(0, data.ids().size()).toArray());
    vector = new float[vectorizer.width()];
    width = places.size();
  }

  @Benchmark
  public GetFeatureVectorsResponse matrix() {
    return vectors.of(plan, asked, rows, false);
  }

  /** Makes the vector of one row, whatever the number of entities. */
  @Benchmark
  public float[] vectorOfARow() throws CorruptRowException {
    RowReader reader = new RowReader(data.rows()[0]);
    reader.readEventTimestamp(BenchmarkRows.AS_OF);
    vectorizer.clear(vector);
    plan.put(0, reader, vector);
    return vector;
  }

  /** Makes the vector as {@link #vectorOfARow} does, with nothing to decode. */
  @Benchmark
  public float[] transformsOfARow() {
    vectorizer.clear(vector);
    for (int i = 0; i < width; i++) {
      if (vectorizer.takesCategories(i)) {
        vectorizer.putCategory(i, "city-123", vector);
      } else {
        vectorizer.putNumber(i, i, vector);
      }
    }
    return vector;
  }

  private static List<Transform> steps(Kind kind) {
    return switch (kind) {
      case KIND_DOUBLE ->
          List.of(
              Transform.newBuilder()
                  .setStandardize(Standardize.newBuilder().setMean(0.1).setStd(1.1))
                  .build(),
              Transform.newBuilder().setFill(Fill.newBuilder().setNumber(0)).build());
      case KIND_BIGINT ->
          List.of(
              Transform.newBuilder().setLog1P(Log1p.getDefaultInstance()).build(),
              Transform.newBuilder().setMinMax(MinMax.newBuilder().setMin(0).setMax(14)).build());
      case KIND_STRING -> {
        OneHot.Builder cities = OneHot.newBuilder();
        for (int i = 120; i < 130; i++) {
          cities.addValues("city-" + i);
        }
        yield List.of(Transform.newBuilder().setOneHot(cities).build());
      }
      default -> List.of();
    };
  }
}
