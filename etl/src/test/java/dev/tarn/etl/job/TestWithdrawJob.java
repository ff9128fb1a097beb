package dev.tarn.etl.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.train.TrainingScores;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

class TestWithdrawJob {

  private static final String MONDAY = "2026-01-05T00:00:00Z";

  private final Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
  private final VersionStore versions = bench.versions();

  @Test
  void aViewGoesFromRedisAndItsHistoryStays() throws IOException {
    pushed("score", 1);
    VersionRecord released = pushed("score", 2);
    assertThat(bench.output()).doesNotContain("warning");
    assertThat(versions.firstEntity()).contains("user");
    Files.writeString(bench.path("spine.csv"), "user_id,event_timestamp\n1,2026-01-06T00:00:00Z\n");
    assertThat(
            bench.run(
                "train",
                "spine=" + bench.path("spine.csv"),
                "service=ranking",
                "out=" + bench.path("set")))
        .isZero();

    bench.output();
    assertThat(bench.run("withdraw", "view=scor")).isEqualTo(2);
    assertThat(bench.output())
        .contains("nothing is released of a feature view 'scor'; did you mean 'score'?");
    assertThat(bench.run("withdraw", "view=score")).isEqualTo(1);
    assertThat(bench.output())
        .containsPattern(
            "^tarn: score is not withdrawn: training set tarn-train-\\w+ was made from snapshots of its versions and can be made again; first ./tarn retire manifest=… what need not be\n$");
    assertThat(bench.run("retire", "manifest=" + bench.path("set"))).isZero();
    assertThat(bench.run("rollback", "view=score")).isZero();
    bench.output();
    assertThat(bench.run("withdraw", "view=score", "dry-run=true", "format=json")).isZero();
    assertThat(bench.output())
        .contains("\"withdrawn\":false")
        .contains("score: nothing is done, as dry-run=true says");
    assertThat(versions.releases()).containsOnlyKeys("score");

    assertThat(bench.run("withdraw", "view=score")).isZero();
    assertThat(bench.output())
        .contains("goes; it is released\n", "goes; it is kept\n", "score: its pin goes\n")
        .contains("score: feature services that have features of it will be refused: ranking\n")
        .endsWith("score: is withdrawn. ./tarn push view=score would release it again\n");
    assertThat(versions.releases()).isEmpty();
    assertThat(versions.pins()).isEmpty();
    assertThat(versions.records("score")).isEmpty();
    assertThat(versions.firstEntity()).isEmpty();
    assertThat(versions.events()).isEmpty();
    OnlineCopy.assertNoForeignKeys(bench, "score");
    assertThat(table("score").iceberg().refs()).containsOnlyKeys("main");
    List<ReleaseHistory.Released> history = history("score");
    assertThat(history).hasSize(3).allMatch(release -> release.retiredAt().isPresent());

    // Released again; a withdrawal that is taken once more does not end that.
    pushed("score", 3);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.rpush(
          bench.redis().settings().keys().events(),
          ControlJson.print(
              ReleaseHistory.withdrawal(released, history.get(2).retiredAt().orElseThrow())));
    }
    ReleaseHistory.open(bench.lake().catalog()).take(versions);
    assertThat(history("score"))
        .hasSize(4)
        .last()
        .matches(release -> release.retiredAt().isEmpty());
    OnlineCopy.assertServedAsInIceberg(bench, "score");
  }

  @Test
  void theFirstEntityStaysThatOfRequestsThatNameNoneUntilItIsWithdrawn() {
    define();
    pushed("stock", 1);
    bench.output();
    pushed("score", 1);
    assertThat(bench.output())
        .contains(
            "warning: 'user' is not the only entity with a released view. Requests that name no entity are answered from 'item', which was released first; the setting serving.default-entity says otherwise\n");
    pushed("score", 2);
    assertThat(bench.output()).doesNotContain("warning");
    assertThat(versions.firstEntity()).contains("item");

    // What an earlier Tarn has released was first.
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.del(bench.redis().settings().keys().entities());
      jedis.hdel(bench.redis().settings().keys().release(), "stock");
    }
    bench.set("serving.default-entity", "user");
    pushed("stock", 2);
    assertThat(bench.output()).doesNotContain("warning");
    assertThat(versions.firstEntity()).contains("user");

    // A push that is under way would release what is withdrawn.
    String minted = versions.mint("score", 4, Duration.ofMinutes(1));
    assertThat(bench.run("withdraw", "view=score")).isEqualTo(1);
    assertThat(bench.output())
        .contains(
            "it is the last view of entity 'user': requests that name no entity will be answered from 'item', unless serving.default-entity says otherwise\n")
        .contains("score is not withdrawn: a push of it is under way; try again when it has ended");
    assertThat(versions.releases()).containsOnlyKeys("score", "stock");
    OnlineCopy.assertServedAsInIceberg(bench, "score");
    versions.removeEntry("score", minted);
    assertThat(bench.run("withdraw", "view=score")).isZero();
    assertThat(versions.firstEntity()).contains("item");
    assertThat(versions.releases()).containsOnlyKeys("stock");

    // Where somebody has dropped the table before, too.
    bench.lake().catalog().drop("stock");
    assertThat(bench.run("withdraw", "view=stock")).isZero();
    assertThat(versions.releases()).isEmpty();
    OnlineCopy.assertNoForeignKeys(bench, "stock");
  }

  private VersionRecord pushed(String view, int points) {
    Scores.write(bench, "(1, '2026-01-05', %d, 'a')".formatted(points));
    bench.build(view, MONDAY);
    return bench.push(view).record();
  }

  private void define() {
    bench.define(
        "stock.conf",
        """
        entities { item { keys = [{ name = item_id, type = bigint }] } }
        feature-views {
          stock {
            entity = item
            sources = [scores]
            sql = "SELECT user_id AS item_id, points AS left FROM scores WHERE at = :as_of"
            features = [{ name = left, type = bigint }]
          }
        }
        """);
  }

  private FeatureTable table(String view) {
    return FeatureTable.find(bench.lake().catalog(), view).orElseThrow();
  }

  private List<ReleaseHistory.Released> history(String view) {
    return ReleaseHistory.open(bench.lake().catalog()).of(view);
  }
}
