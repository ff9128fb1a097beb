package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.etl.LookupProcess;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.fit.Fit;
import dev.tarn.etl.push.Push;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** A training matrix and the vectors of a running server are the same bytes. */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class VectorsIT {

  private static final String AS_OF = "2026-01-05T00:00:00Z";
  private static final String EARLIER = "2025-12-05T00:00:00Z";
  private static final int USERS = 600;

  /** Features by name, with their type. */
  private static final Map<String, String> TYPES =
      new TreeMap<>(
          Map.of(
              "a_boolean", "boolean",
              "a_bigint", "bigint",
              "a_decimal", "decimal(38,18)",
              "a_double", "double",
              "a_float", "float",
              "a_short_decimal", "decimal(9,2)",
              "a_string", "string",
              "an_int", "int"));

  private static final List<String> OF_NUMBERS =
      List.of(
          "",
          "standardize",
          "{ fill = -1.5 }, min-max",
          "log1p, clip, { fill = 0.25 }",
          "{ clip { min = -3, max = 1e9 } }, log1p, standardize",
          "bucketize, min-max",
          "{ bucketize { boundaries = [-1, 0, 0.1, 9e15] } }");

  private static final List<String> OF_CATEGORIES =
      List.of(
          "one-hot",
          "{ one-hot { top = 2 } }",
          "{ fill = x }, { one-hot { values = [x, \"\", true, 7] } }",
          "{ hash = 1000 }",
          "{ fill = none }, { hash = 16777216 }");

  private static final Workbench BENCH = new Workbench();

  private static final List<Long> SEEDS = List.of(1L, 2L, 3L, 4L, 5L);

  /** The seed of the service whose views have an older as-of with all users, too old to answer. */
  private static final long WITH_OLD_ROWS = 1;

  private static LookupProcess server;

  @BeforeAll
  static void releaseViewsAndStartTheServer() {
    StringBuilder definitions =
        new StringBuilder("entities { user { keys = [{ name = user_id, type = bigint }] } }\n");
    Random data = new Random(0);
    for (String view : List.of("west", "east", "north", "south")) {
      write(view, data, List.of("west", "north").contains(view) ? 0 : USERS / 2);
      definitions.append(view(view));
    }
    SEEDS.forEach(seed -> definitions.append(service(seed)));
    BENCH.define("views.conf", definitions.toString());
    for (String view : List.of("west", "east", "north", "south")) {
      if (views(WITH_OLD_ROWS).contains(view)) {
        BENCH.build(view, EARLIER);
      }
      BENCH.build(view, AS_OF);
    }
    BENCH.push(Push.Request.NEWEST, "west", "east", "north", "south");
    Definitions all = BENCH.definitions();
    Fit fit = new Fit(BENCH.lake(), BENCH.versions());
    for (long seed : SEEDS) {
      var unused = fit.fit(all, all.service(name(seed)), List.of());
    }
    server = LookupProcess.start(BENCH);
  }

  @AfterAll
  static void stopTheServer() {
    server.close();
  }

  @ParameterizedTest
  @FieldSource("SEEDS")
  void theMatrixOfTheSnapshotsIsWhatTheServerAnswers(long seed) {
    List<Row> spine =
        LongStream.range(0, USERS + USERS / 2)
            .mapToObj(id -> RowFactory.create(id, Instant.now()))
            .toList();
    Map<Long, ByteString> matrix = new TreeMap<>();
    Training.join(
            BENCH.spark(),
            BENCH
                .spark()
                .createDataFrame(
                    spine, StructType.fromDDL("user_id BIGINT, event_timestamp TIMESTAMP")),
            name(seed),
            TrainingScores.settings(BENCH, "vectors=true"))
        .rows()
        .collectAsList()
        .forEach(row -> matrix.put(row.getLong(0), ByteString.copyFrom((byte[]) row.get(2))));

    assertThat(matrix).hasSize(spine.size());
    List<String> ids = matrix.keySet().stream().map(String::valueOf).toList();
    GetFeatureVectorsResponse online =
        server
            .stub()
            .getFeatureVectors(
                GetFeatureVectorsRequest.newBuilder()
                    .addAllEntityIds(ids)
                    .setFeatureService(name(seed))
                    .build());
    int bytes = online.getWidth() * 4;
    assertThat(online.getFeatureNamesCount()).isEqualTo(online.getWidth());
    assertThat(online.getValues().size()).isEqualTo(ids.size() * bytes);
    for (int i = 0; i < ids.size(); i++) {
      assertThat(online.getValues().substring(i * bytes, (i + 1) * bytes))
          .as("vector of %s", ids.get(i))
          .isEqualTo(matrix.get((long) i));
      assertThat(online.getFound(i)).isEqualTo(i % 3 > 0 || seed == WITH_OLD_ROWS);
    }
  }

  /** The two views of a service. Those without old rows are shared. */
  private static List<String> views(long seed) {
    return seed == WITH_OLD_ROWS ? List.of("west", "east") : List.of("north", "south");
  }

  private static String name(long seed) {
    return "model" + seed;
  }

  private static String service(long seed) {
    Random random = new Random(seed);
    List<String> features = new ArrayList<>();
    for (String view : views(seed)) {
      TYPES.forEach((name, type) -> features.add(feature(random, view, name, type)));
    }
    Collections.shuffle(features, random);
    return "feature-services { %s { features = [\n  %s\n] } }\n"
        .formatted(name(seed), String.join("\n  ", features));
  }

  private static String feature(Random random, String view, String name, String type) {
    boolean isCategory =
        type.equals("string")
            || (List.of("boolean", "int", "bigint").contains(type) && random.nextBoolean());
    List<String> transforms = isCategory ? OF_CATEGORIES : OF_NUMBERS;
    return "{ feature = %s.%s_%s, transform = [%s] }"
        .formatted(view, view, name, transforms.get(random.nextInt(transforms.size())));
  }

  private static String view(String view) {
    List<String> features = new ArrayList<>();
    TYPES.forEach(
        (name, type) ->
            features.add("{ name = %s_%s, type = \"%s\" }".formatted(view, name, type)));
    return """
        sources { %1$s { format = parquet, path = "%2$s" } }
        feature-views {
          %1$s {
            entity = user, sources = [%1$s]
            sql = "SELECT * FROM %1$s WHERE user_id %% 3 > 0 OR :as_of < TIMESTAMP '2026-01-01 00:00:00'"
            max-age = %4$dd
            features = [%3$s]
          }
        }
        """
        .formatted(view, BENCH.path(view), String.join(", ", features), maxAgeDays());
  }

  /** Rows as of {@link #EARLIER} are older than that. */
  private static long maxAgeDays() {
    return Duration.between(Instant.parse(AS_OF), Instant.now()).toDays() + 2;
  }

  private static void write(String view, Random random, int firstId) {
    StringBuilder ddl = new StringBuilder("user_id BIGINT");
    TYPES.forEach((name, type) -> ddl.append(", %s_%s %s".formatted(view, name, type)));
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < USERS; i++) {
      List<Object> values = new ArrayList<>(List.of((long) (firstId + i)));
      TYPES.values().forEach(type -> values.add(value(random, type)));
      rows.add(RowFactory.create(values.toArray()));
    }
    BENCH
        .spark()
        .createDataFrame(rows, StructType.fromDDL(ddl.toString()))
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(BENCH.path(view).toString());
  }

  private static Object value(Random random, String type) {
    if (random.nextInt(6) == 0) {
      return null;
    }
    boolean isPlain = random.nextInt(3) > 0;
    return switch (type) {
      case "boolean" -> random.nextBoolean();
      case "int" -> isPlain ? random.nextInt(10) : random.nextInt();
      case "bigint" -> isPlain ? (long) random.nextInt(100) : random.nextLong();
      case "float" ->
          isPlain
              ? random.nextFloat()
              : List.of(Float.NaN, Float.NEGATIVE_INFINITY, -0f, Float.MAX_VALUE, -1f)
                  .get(random.nextInt(5));
      case "double" ->
          isPlain
              ? random.nextGaussian() * 100
              : List.of(Double.NaN, Double.POSITIVE_INFINITY, -0.0, 1e150, -1.0, 0x1p53 + 2)
                  .get(random.nextInt(6));
      case "decimal(9,2)" -> BigDecimal.valueOf(random.nextInt(999_999_999), 2);
      case "decimal(38,18)" -> new BigDecimal(new BigInteger(isPlain ? 70 : 120, random), 18);
      default -> List.of("", "x", "true", "7", "日本語", "🏔", "none").get(random.nextInt(7));
    };
  }
}
