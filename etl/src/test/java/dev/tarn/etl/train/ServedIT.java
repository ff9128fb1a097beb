package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.etl.LookupProcess;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.read.SparkValues;
import dev.tarn.row.Values;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A log of what a running server answered is what a training read as served gives back. */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class ServedIT {

  private static final int ANSWERS = 10_000;
  private static final int PHASES = 5;
  private static final int USERS = 450;

  private static final List<String> FEATURES =
      List.of(
          "busy.a_bigint",
          "busy.a_decimal",
          "busy.a_double",
          "busy.a_text",
          "calm.a_time",
          "calm.a_float",
          "calm.a_struct",
          "calm.a_list",
          "calm.a_date");

  /** One answer about one user. */
  private record Logged(
      Instant at, FeatureSet features, Map<String, Long> snapshots, ByteString vector) {}

  private final Workbench bench = new Workbench();

  /** As-ofs a while ago, so that rows of the older one are too old and those of the newer not. */
  private final Instant older =
      Instant.now().minus(9, ChronoUnit.DAYS).truncatedTo(ChronoUnit.DAYS);

  private final Instant newer = older.plus(7, ChronoUnit.DAYS);

  private final Map<Long, Logged> log = new TreeMap<>();

  @Test
  void tenThousandLoggedAnswersOverReleasesAndARollbackComeBackBitForBit() {
    define("max-age = 4d", "-1");
    write(1, 0);
    for (String view : List.of("busy", "calm")) {
      bench.build(view, older.toString(), newer.toString());
      bench.push(view);
    }
    assertThat(bench.run("fit", "service=numbers")).isZero();
    try (LookupProcess server = LookupProcess.start(bench)) {
      answer(server, 0);
      // A correction of an as-of, one view alone; users are gone, others new.
      write(2, 40);
      bench.build("busy", newer.toString());
      bench.push("busy");
      answer(server, 1);
      // Both at once, with another default and another max age.
      define("max-age = 1000d", "-2");
      write(3, 80);
      bench.build("busy", newer.toString());
      bench.build("calm", newer.toString());
      bench.push(dev.tarn.etl.push.Push.Request.NEWEST, "busy", "calm");
      answer(server, 2);
      assertThat(bench.run("rollback", "view=busy")).isZero();
      answer(server, 3);
      assertThat(bench.run("unpin", "view=busy")).isZero();
      bench.push("busy");
      // Built once more and not released: nobody saw it.
      write(4, 0);
      bench.build("busy", newer.toString());
      answer(server, 4);
    }
    assertThat(log).hasSize(ANSWERS);
    assertThat(log.values().stream().map(Logged::snapshots).distinct()).hasSize(4);

    List<Row> spine = new ArrayList<>();
    log.forEach(
        (number, logged) ->
            spine.add(RowFactory.create(number % (USERS + 50), logged.at(), number)));
    Dataset<Row> rows =
        bench
            .spark()
            .createDataFrame(
                spine,
                StructType.fromDDL("user_id BIGINT, event_timestamp TIMESTAMP, number BIGINT"))
            .repartition(4);
    TrainingSet served =
        Training.join(bench.spark(), rows, "all", TrainingScores.settings(bench, "as=served"));

    int compared = 0;
    int standIns = 0;
    for (Row row : served.rows().collectAsList()) {
      Logged logged = log.get(row.getLong(2));
      for (int i = 0; i < FEATURES.size(); i++) {
        Value online = logged.features().getFeaturesOrDefault(FEATURES.get(i), Values.NULL);
        assertThat(SparkValues.of(row.get(3 + i)))
            .as("%s of answer %d at %s", FEATURES.get(i), row.getLong(2), logged.at())
            .isEqualTo(online);
        standIns += logged.features().containsStatuses(FEATURES.get(i)) ? 1 : 0;
      }
      compared++;
    }
    assertThat(compared).isEqualTo(ANSWERS);
    assertThat(standIns).isBetween(ANSWERS / 2, ANSWERS * FEATURES.size() / 2);

    int vectors = 0;
    for (Row row :
        Training.join(
                bench.spark(),
                rows,
                "numbers",
                TrainingScores.settings(bench, "as=served", "vectors=true"))
            .rows()
            .collectAsList()) {
      assertThat(ByteString.copyFrom((byte[]) row.get(3)))
          .as("vector of answer %d", row.getLong(2))
          .isEqualTo(log.get(row.getLong(2)).vector());
      vectors++;
    }
    assertThat(vectors).isEqualTo(ANSWERS);
  }

  /**
   * Asks for every user and some that nobody knows, several times over, once it is all released.
   */
  private void answer(LookupProcess server, int phase) {
    Map<String, String> released = new TreeMap<>();
    bench.versions().releases().forEach((view, release) -> released.put(view, release.version()));
    await().until(() -> versions(get(server, List.of("0"))).equals(released));
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < USERS + 50; i++) {
      ids.add(Integer.toString(i));
    }
    for (int round = 0; round < ANSWERS / PHASES / ids.size(); round++) {
      Instant at = Instant.now().truncatedTo(ChronoUnit.MICROS);
      GetOnlineFeaturesResponse answer = get(server, ids);
      GetFeatureVectorsResponse vectors =
          server
              .stub()
              .getFeatureVectors(
                  GetFeatureVectorsRequest.newBuilder()
                      .addAllEntityIds(ids)
                      .setFeatureService("numbers")
                      .build());
      assertThat(versions(answer)).isEqualTo(released);
      Map<String, Long> snapshots = new TreeMap<>();
      answer
          .getVersionsList()
          .forEach(version -> snapshots.put(version.getFeatureView(), version.getSnapshotId()));
      int bytes = vectors.getWidth() * 4;
      for (int i = 0; i < ids.size(); i++) {
        long number = (long) (phase * (ANSWERS / PHASES / ids.size()) + round) * ids.size() + i;
        log.put(
            number,
            new Logged(
                at,
                answer.getResultsOrThrow(ids.get(i)),
                snapshots,
                vectors.getValues().substring(i * bytes, (i + 1) * bytes)));
      }
    }
  }

  private static GetOnlineFeaturesResponse get(LookupProcess server, List<String> ids) {
    return server
        .stub()
        .getOnlineFeatures(
            GetOnlineFeaturesRequest.newBuilder()
                .addAllEntityIds(ids)
                .setFeatureService("all")
                .build());
  }

  private static Map<String, String> versions(GetOnlineFeaturesResponse answer) {
    Map<String, String> versions = new TreeMap<>();
    for (ViewVersion version : answer.getVersionsList()) {
      versions.put(version.getFeatureView(), version.getVersion());
    }
    return versions;
  }

  /** Other values for each seed; some users have rows of the older as-of only, or of one view. */
  private void write(int seed, int shift) {
    bench
        .spark()
        .sql(
            """
            SELECT id AS user_id, at, id %% 3 = 0 AS is_calm,
              IF(h %% 5 = 0, NULL, h * 1000003 * 4294967296) AS a_bigint,
              IF(h %% 7 = 0, NULL, CAST(h / 100 AS DECIMAL(20,4))) AS a_decimal,
              CASE h %% 6 WHEN 0 THEN DOUBLE('NaN') WHEN 1 THEN -0.0D WHEN 2 THEN NULL ELSE h / 7.0D END AS a_double,
              IF(h %% 4 = 0, NULL, concat('é🏔', h)) AS a_text,
              IF(h %% 4 = 1, NULL, timestamp_micros(h * 1234567)) AS a_time,
              CAST(IF(h %% 9 = 0, NULL, h / 3) AS FLOAT) AS a_float,
              IF(h %% 8 = 0, NULL, named_struct('city', concat('c', h), 'n', h)) AS a_struct,
              IF(h %% 8 = 1, NULL, array(h, NULL, 1)) AS a_list,
              date_add(DATE '1960-01-01', CAST(h AS INT)) AS a_date
            FROM (
              SELECT id, at, CAST(abs(hash(id, at, %d)) %% 100000 AS BIGINT) AS h
              FROM (SELECT explode(sequence(0, %d)) AS id)
              JOIN VALUES (TIMESTAMP '%s'), (TIMESTAMP '%s') AS t(at)
                ON at = TIMESTAMP '%s' OR (id + %d) %% 4 > 0)
            """
                .formatted(seed, USERS - 1, older, newer, older, shift / 40))
        .withColumn("user_id", org.apache.spark.sql.functions.col("user_id").cast("bigint"))
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path("given").toString());
  }

  private void define(String maxAge, String byDefault) {
    bench.define(
        "views.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { given { format = parquet, path = "GIVEN" } }
        feature-views {
          busy {
            entity = user, sources = [given]
            MAX_AGE
            sql = "SELECT user_id, a_bigint, a_decimal, a_double, a_text FROM given WHERE at = :as_of AND NOT is_calm"
            features = [
              { name = a_bigint, type = bigint, default = 9007199254740993 }
              { name = a_decimal, type = "decimal(20,4)", default = "DEFAULT.5000" }
              { name = a_double, type = double }
              { name = a_text, type = string, default = "none DEFAULT" }
            ]
          }
          calm {
            entity = user, sources = [given], history = changes
            MAX_AGE
            sql = "SELECT user_id, a_time, a_float, a_struct, a_list, a_date FROM given WHERE at = :as_of AND user_id > 30"
            features = [
              { name = a_time, type = timestamp, default = "2020-01-01T00:00:00.5Z" }
              { name = a_float, type = float, default = 0.1 }
              { name = a_struct, type = "struct<city:string,n:bigint>" }
              { name = a_list, type = "array<bigint>" }
              { name = a_date, type = date, default = "1969-12-31" }
            ]
          }
        }
        feature-services {
          all { features = [FEATURES] }
          numbers { features = [
            { feature = busy.a_double, transform = [{ fill = 0.5 }, standardize] }
            { feature = busy.a_text, transform = [{ one-hot { top = 3 } }] }
            calm.a_float
          ] }
        }
        """
            .replace("GIVEN", bench.path("given").toString())
            .replace("MAX_AGE", maxAge)
            .replace("DEFAULT", byDefault)
            .replace("FEATURES", String.join(", ", FEATURES)));
  }
}
