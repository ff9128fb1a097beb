package dev.tarn.etl.fit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.Scores;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.transform.Transforms;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

class TestFit {

  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";
  private static final String BUCKETS =
      "{ feature = score.points, transform = [{ bucketize { buckets = 4 } }] }";
  private static final String STANDARDIZED =
      "{ feature = score.points, transform = [standardize] }";

  @Test
  void parametersAreFittedOnTheReleasedSnapshotAndKnownWithoutAPush() throws Exception {
    Workbench bench =
        bench(
            "{ feature = score.points, transform = [{ fill = 6 }, { bucketize { buckets = 2 } },"
                + " standardize] }, { feature = score.level, transform = [one-hot] }",
            "(1, '%s', 2, 'b'), (2, '%<s', 4, 'a'), (3, '%<s', NULL, NULL), (4, '%<s', 8, 'b')");
    long released = build(bench, MONDAY);
    bench.push("score");
    assertThat(stored(bench).getTransformsList())
        .noneMatch(feature -> Transforms.areFitted(feature.getStepsList()));
    Scores.write(bench, "(1, '2026-01-06', 1000, 'c')");
    build(bench, TUESDAY);
    bench.output();

    assertThat(bench.run("fit", "service=ranking", "format=json")).isZero();

    StoredService fitted = stored(bench);
    assertThat(fitted.getFittedOnList()).hasSize(1);
    assertThat(fitted.getFittedOn(0).getFeatureView()).isEqualTo("score");
    assertThat(fitted.getFittedOn(0).getSnapshotId()).isEqualTo(released);
    assertThat(fitted.getTransforms(1).getSteps(0).getOneHot().getValuesList())
        .containsExactly("a", "b");
    // 2, 4, 6 (filled), 8 with a boundary at 4: buckets 0, 1, 1, 1.
    FeatureTransforms points = fitted.getTransforms(0);
    assertThat(points.getSteps(1).getBucketize().getBoundariesList()).containsExactly(4.0);
    assertThat(points.getSteps(2).getStandardize().getMean()).isEqualTo(0.75);
    assertThat(points.getSteps(2).getStandardize().getStd())
        .isCloseTo(Math.sqrt(3) / 4, within(1e-12));
    JsonObject printed =
        JsonParser.parseString(bench.output().lines().findFirst().orElseThrow()).getAsJsonObject();
    assertThat(printed.getAsJsonObject("snapshots").get("score").getAsString())
        .isEqualTo(Long.toString(released));
    assertThat(printed.getAsJsonObject("transforms").asMap())
        .containsOnlyKeys("score.points", "score.level");
  }

  @Test
  void whatWasFittedOutlivesPushesAndRedis() throws Exception {
    Workbench bench = bench(STANDARDIZED, "(1, '%s', 2, 'b'), (2, '%<s', 4, 'a')");
    long first = build(bench, MONDAY);
    bench.push("score");
    assertThat(bench.run("fit", "service=ranking")).isZero();
    StoredService fitted = stored(bench);
    Scores.write(bench, "(1, '2026-01-06', 1000, 'c')");
    build(bench, TUESDAY);

    bench.push("score");
    assertThat(stored(bench)).isEqualTo(fitted);
    try (Jedis redis = new Jedis("127.0.0.1", Workbench.redisPort())) {
      redis.del(keys(bench).services());
    }
    bench.push("score");
    assertThat(stored(bench)).isEqualTo(fitted);

    // The newest fit counts, on any snapshot that is named.
    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(mean(bench)).isEqualTo(502);
    assertThat(bench.run("fit", "service=ranking", "snapshot=" + first)).isZero();
    assertThat(stored(bench)).isEqualTo(fitted);
    assertThat(mean(bench)).isEqualTo(3);

    // Other transforms are not those that were fitted.
    define(bench, "{ feature = score.points, transform = [log1p, standardize] }");
    bench.push("score");
    assertThat(Transforms.areFitted(stored(bench).getTransforms(0).getStepsList())).isFalse();
    define(bench, STANDARDIZED + ", { feature = score.level, transform = [{ hash = 8 }] }");
    bench.push("score");
    assertThat(mean(bench)).isEqualTo(3);
  }

  @Test
  void stepsSeeWhatTheStepsBeforeThemMakeAndNoValuesThatAreNotFinite() throws Exception {
    Workbench bench =
        bench(
            "{ feature = score.points, transform = [log1p, min-max] }",
            "(1, '%s', -1, 'b'), (2, '%<s', -5, 'b'), (3, '%<s', 0, 'b'), (4, '%<s', 9, 'b')");
    build(bench, MONDAY);

    assertThat(bench.run("fit", "service=ranking")).isZero();

    Transform minMax = stored(bench).getTransforms(0).getSteps(1);
    assertThat(minMax.getMinMax().getMin()).isZero();
    assertThat(minMax.getMinMax().getMax()).isEqualTo(StrictMath.log1p(9));
  }

  @Test
  void rowsOlderThanTheMaxAgeCountAsLookupsAnswerThem() throws Exception {
    Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    String old = now.minus(Duration.ofDays(3)).toString();
    String young = now.minus(Duration.ofHours(1)).toString();
    Workbench bench =
        Scores.bench(
            "(1, '%s', 1000, 'c'), (2, '%<s', 3000, 'c'), (3, '%s', 2, 'b'), (4, '%<s', 4, 'a')"
                .formatted(old, young));
    Scores.define(bench, Scores.FEATURES, "max-age = 1d");
    define(bench, STANDARDIZED + ", { feature = score.level, transform = [one-hot] }");
    long snapshot = build(bench, old);
    assertThat(bench.run("fit", "service=ranking")).isEqualTo(1);
    assertThat(bench.output())
        .contains(
            "feature 'score.points' has no value in the snapshot to fit its transforms on; score: 2 of 2 rows are older than the max age of 1d");
    build(bench, young);

    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(bench.output())
        .contains(
            "score: 2 of 4 rows are older than the max age of 1d; lookups don't answer such rows, which count as absent");
    assertThat(mean(bench)).isEqualTo(3);
    assertThat(stored(bench).getTransforms(1).getSteps(0).getOneHot().getValuesList())
        .containsExactly("a", "b");

    // A fill stands in for them, as in vectors.
    define(bench, "{ feature = score.points, transform = [{ fill = 9 }, standardize] }");
    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(stored(bench).getTransforms(0).getSteps(1).getStandardize().getMean()).isEqualTo(6);

    // What is released is answered by the rules of its version, whatever the definition says now.
    define(bench, STANDARDIZED);
    bench.push("score");
    Scores.define(bench, Scores.FEATURES, "");
    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(mean(bench)).isEqualTo(3);
    assertThat(bench.run("fit", "service=ranking", "snapshot=" + snapshot)).isZero();
    assertThat(mean(bench)).isEqualTo(2000);
  }

  @Test
  void boundariesAreExactAndFewerThanAskedForAreSaid() throws Exception {
    Workbench bench = bench(BUCKETS, "(1, '%s', 0, 'b')");
    Scores.query(
        bench,
        "SELECT id AS user_id, TIMESTAMP '2026-01-05' AS at, (id * 7919) % 200003 AS points,"
            + " 'a' AS level FROM range(200003)");
    build(bench, MONDAY);
    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(bench.output()).doesNotContain("asked for");
    // The values are 0 to 200,002, each once: the k-th of n is k - 1.
    assertThat(boundaries(bench)).containsExactly(50000.0, 100001.0, 150002.0);

    Scores.query(
        bench,
        "SELECT id AS user_id, TIMESTAMP '2026-01-05' AS at, IF(id < 60, 0, id) AS points,"
            + " 'a' AS level FROM range(100)");
    build(bench, MONDAY);
    assertThat(bench.run("fit", "service=ranking", "format=json")).isZero();
    String printed = bench.output();
    String note =
        "feature 'score.points': its values make 3 buckets, where 4 were asked for, as many rows share a value; boundaries: 0.0, 74.0";
    assertThat(boundaries(bench)).containsExactly(0.0, 74.0);
    assertThat(printed).contains(note);
    JsonObject json =
        JsonParser.parseString(printed.lines().findFirst().orElseThrow()).getAsJsonObject();
    assertThat(json.getAsJsonArray("notes").get(0).getAsString()).isEqualTo(note);
  }

  @Test
  void whatCannotBeFittedIsSaid() throws Exception {
    Workbench bench = bench(STANDARDIZED, "(1, '%s', NULL, 'x')");
    assertThat(bench.run("fit", "service=ranking")).isEqualTo(1);
    assertThat(bench.output())
        .contains("nothing has been built of 'score' yet: ./tarn build view=score as-of=…");
    build(bench, MONDAY);
    assertThat(bench.run("fit", "service=ranking")).isEqualTo(1);
    assertThat(bench.output())
        .contains("feature 'score.points' has no value in the snapshot to fit its transforms on");
    assertThat(bench.run("fit", "service=ranknig")).isEqualTo(2);
    assertThat(bench.output())
        .contains("there is no feature service 'ranknig'; did you mean 'ranking'?");
    assertThat(bench.run("fit", "service=ranking", "snapshot=1")).isEqualTo(2);
    assertThat(bench.output())
        .contains(
            "snapshot=1: no feature table of the service has a published snapshot or tag of that name");
  }

  private static List<Double> boundaries(Workbench bench) throws Exception {
    return stored(bench).getTransforms(0).getSteps(0).getBucketize().getBoundariesList();
  }

  private static Workbench bench(String features, String rows) {
    Workbench bench = Scores.bench(rows.formatted("2026-01-05"));
    define(bench, features);
    return bench;
  }

  private static void define(Workbench bench, String features) {
    bench.define(
        "services.conf", "feature-services { ranking { features = [%s] } }".formatted(features));
  }

  private static long build(Workbench bench, String asOf) {
    bench.build("score", asOf);
    return dev.tarn.etl.catalog.FeatureTable.find(bench.lake().catalog(), "score")
        .orElseThrow()
        .main()
        .orElseThrow()
        .snapshotId();
  }

  private static double mean(Workbench bench) throws Exception {
    return stored(bench).getTransforms(0).getSteps(0).getStandardize().getMean();
  }

  private static StoredService stored(Workbench bench) throws Exception {
    try (Jedis redis = new Jedis("127.0.0.1", Workbench.redisPort())) {
      return ControlJson.parse(
              redis.hget(keys(bench).services(), "ranking"), StoredService.newBuilder())
          .build();
    }
  }

  private static RedisKeys keys(Workbench bench) {
    return bench.redis().settings().keys();
  }
}
