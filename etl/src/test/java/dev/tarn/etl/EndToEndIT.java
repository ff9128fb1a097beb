package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Value;
import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.read.SnapshotLookup;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.EntityId;
import dev.tarn.row.Values;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Compares what Iceberg has with what a client of the running server gets. Changes of the schema
 * under clients that read on and on are in {@link OnlineSchemaEvolutionIT}.
 */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class EndToEndIT {

  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  /** A feature of every supported type, by name. */
  private static final Map<String, String> TYPES =
      Map.ofEntries(
          Map.entry("a_boolean", "boolean"),
          Map.entry("an_int", "int"),
          Map.entry("a_bigint", "bigint"),
          Map.entry("a_float", "float"),
          Map.entry("a_double", "double"),
          Map.entry("a_decimal", "decimal(12,2)"),
          Map.entry("a_large_decimal", "decimal(38,18)"),
          Map.entry("a_string", "string"),
          Map.entry("a_binary", "binary"),
          Map.entry("a_date", "date"),
          Map.entry("a_timestamp", "timestamp"),
          Map.entry("a_local_timestamp", "timestamp_ntz"),
          Map.entry("an_array", "array<double>"),
          Map.entry("an_array_of_arrays", "array<array<string>>"),
          Map.entry("a_struct", "struct<city:string,lat:double,tags:array<string>>"),
          Map.entry("structs", "array<struct<id:bigint,price:decimal(20,4)>>"));

  private static final Map<String, String> DEFAULTS =
      Map.of(
          "a_boolean", "true",
          "an_int", "-1",
          "a_bigint", "9007199254740993",
          "a_double", "0.5",
          "a_decimal", "\"1.50\"",
          "a_string", "\"?\"",
          "a_date", "\"1969-12-31\"",
          "a_timestamp", "\"2026-01-01T00:00:00.5Z\"");

  private static final String[] TEXTS = {
    "", "a", "a|b", "\\", "|", ":", "{tarn}", "line\nbreak", "🏔", "é", "日本語", "\u0000", "'\"%"
  };

  private static final Workbench EVERYTHING = new Workbench().set("push.rows-per-bucket", "30");
  private static final Workbench SCORES = new Workbench();

  /** The entities of {@link #EVERYTHING}. */
  private static List<String> entities;

  /** The snapshot that is released of it. */
  private static long released;

  private static LookupProcess everythingServer;
  private static LookupProcess scoresServer;

  @BeforeAll
  static void releaseWhatTestsReadAndStartServers() {
    entities = writeAllTypes(EVERYTHING, 400);
    EVERYTHING.build("everything", MONDAY, TUESDAY);
    EVERYTHING.push("everything");
    released = main(EVERYTHING, "everything");
    everythingServer = LookupProcess.start(EVERYTHING);

    writeScores(SCORES, "(1, 10), (2, NULL)");
    defineScores(
        SCORES,
        "user_id, points, points * 2 AS twice, 'x' AS level",
        "{ name = points, type = bigint, default = 5 }, { name = twice, type = bigint }, { name = level, type = string }",
        "feature-services { ranking { features = [score.twice, score.points] } }");
    SCORES.build("score", MONDAY);
    SCORES.push("score");
    scoresServer = LookupProcess.start(SCORES);
  }

  @AfterAll
  static void stopServers() {
    everythingServer.close();
    scoresServer.close();
  }

  @Test
  void everyValueOfEveryTypeIsAnsweredAsIcebergHasIt() {
    List<String> ids = new ArrayList<>(entities);
    ids.add("nobody|0");
    ids.add("nobody");
    GetOnlineFeaturesResponse online =
        everythingServer
            .stub()
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .addAllEntityIds(ids)
                    .setIncludeEventTimestamps(true)
                    .build());
    ViewVersion version = online.getVersions(0);
    GetOnlineFeaturesResponse inIceberg = fromIceberg(EVERYTHING, "everything", version, ids);

    assertThat(online.getVersionsCount()).isEqualTo(1);
    assertThat(version.getSnapshotId()).isEqualTo(released);
    assertThat(version.getAsOf()).isEqualTo(inIceberg.getVersions(0).getAsOf());
    assertThat(online.getResultsMap()).containsOnlyKeys(ids);
    for (String id : ids) {
      assertThat(online.getResultsOrThrow(id))
          .as("entity %s", id)
          .isEqualTo(inIceberg.getResultsOrThrow(id));
    }

    FeatureSet allNull = online.getResultsOrThrow(ids.get(0));
    assertThat(allNull.getStatusesMap())
        .containsOnlyKeys(TYPES.keySet())
        .containsValue(FeatureStatus.FEATURE_STATUS_NULL_VALUE)
        .doesNotContainValue(FeatureStatus.FEATURE_STATUS_NOT_FOUND);
    assertThat(allNull.getFeaturesOrThrow("a_bigint"))
        .isEqualTo(Values.ofString("9007199254740993"));
    assertThat(allNull.getFeaturesOrThrow("a_timestamp"))
        .isEqualTo(Values.ofString("2026-01-01T00:00:00.500Z"));
    assertThat(allNull.getFeaturesOrThrow("a_binary")).isEqualTo(Values.NULL);
    FeatureSet nobody = online.getResultsOrThrow("nobody");
    assertThat(nobody.getFeaturesMap()).isEmpty();
    assertThat(nobody.getStatusesMap())
        .containsOnlyKeys(TYPES.keySet())
        .containsValue(FeatureStatus.FEATURE_STATUS_NOT_FOUND)
        .doesNotContainValue(FeatureStatus.FEATURE_STATUS_NULL_VALUE);
    assertThat(online.toString()).contains("NaN", "Infinity", "-Infinity", "-0.0");
  }

  @Test
  void theServerListsTheTypesAsTheyWereDefined() {
    FeatureView view =
        everythingServer
            .stub()
            .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
            .getFeatureViews(0);
    Map<String, String> types = new HashMap<>();
    view.getFeaturesList().forEach(feature -> types.put(feature.getName(), feature.getType()));
    assertThat(types).isEqualTo(TYPES);
    assertThat(view.getEntityKeysList()).containsExactly("shop", "number");
  }

  @Test
  void aRunningServerSeesNewVersionsAndNewViews() {
    Workbench bench = new Workbench();
    writeScores(bench, "(1, 10), (2, 20)");
    defineScores(bench, "*", "{ name = points, type = bigint }", "");
    bench.build("score", MONDAY);
    bench.push("score");
    try (LookupProcess server = LookupProcess.start(bench)) {
      assertThat(points(server, "1")).isEqualTo(10);

      writeScores(bench, "(1, 11), (3, 30)");
      bench.build("score", MONDAY);
      VersionRecord pushed = bench.push("score").record();
      await()
          .untilAsserted(
              () -> {
                GetOnlineFeaturesResponse answer = get(server, List.of("1", "2", "3"));
                assertThat(answer.getVersions(0).getVersion()).isEqualTo(pushed.getVersion());
                assertThat(answer.getVersions(0).getSnapshotId()).isEqualTo(pushed.getSnapshotId());
                assertThat(number(answer, "1", "points")).isEqualTo(11);
                assertThat(number(answer, "3", "points")).isEqualTo(30);
                assertThat(answer.getResultsOrThrow("2").getFeaturesMap()).isEmpty();
              });

      bench.define(
          "bonus.conf",
          """
          feature-views {
            bonus {
              entity = user, sources = [scores]
              sql = "SELECT user_id, points * 2 AS bonus FROM scores WHERE at = :as_of"
              features = [{ name = bonus, type = bigint }]
            }
          }
          """);
      bench.build("bonus", MONDAY);
      bench.push("bonus");
      await()
          .untilAsserted(
              () -> {
                GetOnlineFeaturesResponse answer = get(server, List.of("3"));
                assertThat(answer.getVersionsList())
                    .extracting(ViewVersion::getFeatureView)
                    .containsExactly("bonus", "score");
                assertThat(number(answer, "3", "bonus")).isEqualTo(60);
                assertThat(number(answer, "3", "points")).isEqualTo(30);
              });
    }
  }

  @Test
  void aFeatureServiceIsAnsweredByItsName() {
    GetOnlineFeaturesResponse answer =
        scoresServer
            .stub()
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .addEntityIds("1")
                    .addEntityIds("2")
                    .setFeatureService("ranking")
                    .build());
    assertThat(answer.getResultsOrThrow("1").getFeaturesMap())
        .isEqualTo(Map.of("score.twice", Values.ofLong(20), "score.points", Values.ofLong(10)));
    assertThat(answer.getResultsOrThrow("2").getFeaturesMap())
        .isEqualTo(Map.of("score.twice", Values.NULL, "score.points", Values.ofLong(5)));
    assertThat(answer.getResultsOrThrow("2").getStatusesMap())
        .isEqualTo(
            Map.of(
                "score.twice",
                FeatureStatus.FEATURE_STATUS_NULL_VALUE,
                "score.points",
                FeatureStatus.FEATURE_STATUS_NULL_VALUE));
  }

  @Test
  void clientsOfTheOlderServiceNameAreAnsweredTheSameValues() {
    FeatureStoreGrpc.FeatureStoreBlockingStub stub =
        FeatureStoreGrpc.newBlockingStub(scoresServer.channel())
            .withDeadlineAfter(30, TimeUnit.SECONDS);
    Map<String, Map<String, Value>> all = new HashMap<>();
    stub.getOnlineFeatures(
            dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                .addAllEntityIds(List.of("1", "2", "3"))
                .build())
        .getResultsMap()
        .forEach((id, set) -> all.put(id, set.getFeaturesMap()));
    assertThat(all)
        .isEqualTo(
            Map.of(
                "1",
                    Map.of(
                        "points", Values.ofLong(10),
                        "twice", Values.ofLong(20),
                        "level", Values.ofString("x")),
                "2",
                    Map.of(
                        "points", Values.ofLong(5),
                        "twice", Values.NULL,
                        "level", Values.ofString("x")),
                "3", Map.of()));
    assertThat(
            stub.getOnlineFeatures(
                    dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                        .addEntityIds("1")
                        .addFeatureNames("level")
                        .build())
                .getResultsOrThrow("1")
                .getFeaturesMap())
        .isEqualTo(Map.of("level", Values.ofString("x")));
  }

  @Test
  void theCommandGetAnswersFromASnapshotWhatTheServerAnswered() {
    Workbench bench = EVERYTHING;
    List<String> ids = List.of(entities.get(0), entities.get(5), entities.get(19), "nobody");
    String typed = new com.google.gson.Gson().toJson(ids);
    GetOnlineFeaturesResponse online =
        everythingServer
            .stub()
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .addAllEntityIds(ids)
                    .setIncludeEventTimestamps(true)
                    .build());
    JsonObject expected = results(AnswerPrinter.json(online, ids));
    long snapshot = online.getVersions(0).getSnapshotId();
    Table table = FeatureTable.find(bench.lake().catalog(), "everything").orElseThrow().iceberg();
    String tag = "tarn-" + online.getVersions(0).getVersion();
    assertThat(table.refs().get(tag).snapshotId()).isEqualTo(snapshot);

    bench.output();
    for (String words : List.of("snapshot=" + snapshot, "snapshot=" + tag)) {
      assertThat(bench.run("get", "ids=" + typed, words, "format=json")).isZero();
      String said = bench.output();
      assertThat(results(said)).isEqualTo(expected);
      assertThat(said).contains("\"snapshot_id\":\"%d\"".formatted(snapshot));
    }

    // What was served stays readable when the table has moved on.
    writeAllTypes(bench, 10);
    bench.build("everything", TUESDAY);
    bench.output();
    assertThat(
            bench.run("get", "ids=" + typed, "view=everything", "snapshot=" + tag, "format=json"))
        .isZero();
    assertThat(results(bench.output())).isEqualTo(expected);

    assertThat(bench.run("get", "ids=1", "snapshot=4711")).isEqualTo(2);
    assertThat(bench.output().strip())
        .isEqualTo("tarn: snapshot=4711: no feature table has a snapshot or tag of that name");
    assertThat(bench.run("get", "ids=1", "snapshot=" + tag, "features=an_in")).isEqualTo(2);
    assertThat(bench.output().strip())
        .isEqualTo(
            "tarn: features: the snapshot of 'everything' has no feature 'an_in'; did you mean 'an_int'?");
  }

  private static void writeScores(Workbench bench, String rows) {
    bench
        .spark()
        .sql(
            """
            SELECT CAST(user_id AS BIGINT) AS user_id, CAST(points AS BIGINT) AS points,
              TIMESTAMP '2026-01-05' AS at
            FROM VALUES %s AS rows(user_id, points)
            """
                .formatted(rows))
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path("scores").toString());
  }

  private static void defineScores(Workbench bench, String select, String features, String more) {
    bench.define(
        "scores.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { scores { format = parquet, path = "%s" } }
        feature-views {
          score {
            entity = user
            sources = [scores]
            sql = "SELECT %s FROM scores WHERE at = :as_of"
            features = [%s]
          }
        }
        %s
        """
            .formatted(bench.path("scores"), select, features, more));
  }

  /** Defines the view {@code everything}; the result is its entities, the first with nulls only. */
  private static List<String> writeAllTypes(Workbench bench, int count) {
    StringBuilder features = new StringBuilder();
    StructType schema = StructType.fromDDL("shop STRING, number BIGINT, at TIMESTAMP");
    List<String> names = TYPES.keySet().stream().sorted().toList();
    for (String name : names) {
      schema = schema.add(StructType.fromDDL(name + " " + TYPES.get(name)).apply(0));
      features.append(
          "{ name = %s, type = \"%s\"%s }\n"
              .formatted(
                  name,
                  TYPES.get(name),
                  DEFAULTS.containsKey(name) ? ", default = " + DEFAULTS.get(name) : ""));
    }
    Random random = new Random(count);
    List<Row> rows = new ArrayList<>();
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String shop = TEXTS[i % TEXTS.length];
      ids.add(EntityId.of(List.of(shop, Integer.toString(i))));
      // Every third entity is not in the newer as-of.
      for (String at : i % 3 == 0 && i > 0 ? List.of(MONDAY) : List.of(MONDAY, TUESDAY)) {
        List<Object> row = new ArrayList<>(List.of(shop, (long) i, Instant.parse(at)));
        for (String name : names) {
          row.add(i == 0 || random.nextInt(8) == 0 ? null : randomValue(random, name));
        }
        rows.add(RowFactory.create(row.toArray()));
      }
    }
    bench
        .spark()
        .createDataFrame(rows, schema)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path("everything").toString());
    bench.define(
        "everything.conf",
        """
        entities { till { keys = [{ name = shop, type = string }, { name = number, type = bigint }] } }
        sources { everything_raw { format = parquet, path = "%s" } }
        feature-views {
          everything {
            entity = till
            sources = [everything_raw]
            sql = "SELECT * FROM everything_raw WHERE at = :as_of"
            features = [
              %s
            ]
          }
        }
        """
            .formatted(bench.path("everything"), features));
    return ids;
  }

  private static Object randomValue(Random random, String name) {
    long edge = 1L << 53;
    Instant instant =
        oneOf(
            random,
            Instant.EPOCH,
            Instant.parse("1969-12-31T23:59:59.999999Z"),
            Instant.parse("1905-03-01T12:00:00.000001Z"),
            Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000) * 1_000L));
    return switch (name) {
      case "a_boolean" -> random.nextBoolean();
      case "an_int" -> oneOf(random, Integer.MIN_VALUE, Integer.MAX_VALUE, 0, random.nextInt());
      case "a_bigint" ->
          oneOf(random, edge, edge + 1, -edge - 1, Long.MIN_VALUE, 0L, random.nextLong());
      case "a_float" -> oneOf(random, Float.NaN, -0f, 0.1f, Float.MAX_VALUE, random.nextFloat());
      case "a_double" ->
          oneOf(
              random,
              Double.NaN,
              Double.POSITIVE_INFINITY,
              Double.NEGATIVE_INFINITY,
              -0.0,
              0.1 + 0.2,
              Double.MIN_VALUE,
              random.nextGaussian());
      case "a_decimal" -> new BigDecimal(BigInteger.valueOf(random.nextInt()), 2);
      case "a_large_decimal" -> new BigDecimal(new BigInteger(120, random).negate(), 18);
      case "a_string" -> TEXTS[random.nextInt(TEXTS.length)].repeat(random.nextInt(40));
      case "a_binary" -> {
        byte[] bytes = new byte[random.nextInt(20)];
        random.nextBytes(bytes);
        yield bytes;
      }
      case "a_date" -> LocalDate.ofEpochDay(random.nextInt(80_000) - 40_000);
      case "a_timestamp" -> instant;
      case "a_local_timestamp" -> LocalDateTime.ofInstant(instant, ZoneOffset.UTC);
      case "an_array" -> {
        Double[] array = new Double[random.nextInt(4) * 5];
        for (int i = 0; i < array.length; i++) {
          array[i] = random.nextInt(4) == 0 ? null : random.nextGaussian();
        }
        yield array;
      }
      case "an_array_of_arrays" ->
          new String[][] {
            {}, {TEXTS[random.nextInt(TEXTS.length)], null}, random.nextBoolean() ? null : TEXTS
          };
      case "a_struct" ->
          RowFactory.create(
              TEXTS[random.nextInt(TEXTS.length)],
              random.nextBoolean() ? null : random.nextDouble(),
              TEXTS);
      default ->
          new Row[] {
            RowFactory.create(random.nextLong(), new BigDecimal("12345678.9000")),
            random.nextBoolean() ? null : RowFactory.create(null, null)
          };
    };
  }

  @SafeVarargs
  private static <T> T oneOf(Random random, T... values) {
    return values[random.nextInt(values.length)];
  }

  private static GetOnlineFeaturesResponse fromIceberg(
      Workbench bench, String view, ViewVersion version, List<String> ids) {
    return new SnapshotLookup(bench.lake())
        .get(
            bench.definitions().view(view), Long.toString(version.getSnapshotId()), ids, List.of());
  }

  private static GetOnlineFeaturesResponse get(LookupProcess server, List<String> ids) {
    return server
        .stub()
        .getOnlineFeatures(GetOnlineFeaturesRequest.newBuilder().addAllEntityIds(ids).build());
  }

  private static double points(LookupProcess server, String id) {
    return number(get(server, List.of(id)), id, "points");
  }

  private static double number(GetOnlineFeaturesResponse answer, String id, String feature) {
    return answer.getResultsOrThrow(id).getFeaturesOrThrow(feature).getNumberValue();
  }

  private static JsonObject results(String json) {
    return JsonParser.parseString(json).getAsJsonObject().getAsJsonObject("results");
  }

  private static long main(Workbench bench, String view) {
    return FeatureTable.find(bench.lake().catalog(), view)
        .orElseThrow()
        .main()
        .orElseThrow()
        .snapshotId();
  }
}
