package dev.tarn.etl.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.train.TrainingScores;
import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;

class TestDropJob {

  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  @Test
  void whatHappensIsSaidBeforeAndWhatATrainingSetNeedsStays() throws IOException {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    Scores.write(bench, "(1, '2026-01-05', 1, 'a'), (1, '2026-01-06', 2, 'a')");
    bench.build("score", MONDAY);
    String without = bench.push("score").record().getVersion();
    bench.build("score", TUESDAY);
    String with = bench.push("score").record().getVersion();
    Files.writeString(bench.path("spine.csv"), "user_id,event_timestamp\n1,2026-01-07T00:00:00Z\n");
    assertThat(
            bench.run(
                "train",
                "spine=" + bench.path("spine.csv"),
                "service=ranking",
                "out=" + bench.path("set")))
        .isZero();
    long main = main(bench);

    bench.output();
    assertThat(bench.run("drop", "view=score", "as-of=2026-01-06")).isEqualTo(1);
    assertThat(bench.output())
        .containsPattern(
            "^tarn: score as of 2026-01-06T00:00:00Z is not dropped: training set tarn-train-\\w+ was made from snapshots that have it and can be made again; first ./tarn retire manifest=… what need not be\n$");
    assertThat(bench.run("retire", "manifest=" + bench.path("set"))).isZero();
    assertThat(bench.run("drop", "view=score", "as-of=2026-01-09")).isEqualTo(2);
    assertThat(bench.output())
        .contains(
            "as-of=2026-01-09T00:00:00Z: main of %s has no rows of it; its newest as-ofs are %s, %s"
                .formatted(bench.lake().sqlName("score"), TUESDAY, MONDAY));
    assertThat(bench.run("drop", "view=scor", "as-of=2026-01-06")).isEqualTo(2);
    assertThat(bench.output()).contains("did you mean 'score'?");
    assertThat(bench.run("drop", "view=score", "as-of=2026-01-06", "dry-run=true", "format=json"))
        .isZero();
    assertThat(bench.output())
        .contains(
            "{\"feature_view\":\"score\",\"as_of\":\"2026-01-06T00:00:00Z\",\"dropped\":false,\"rows\":1}")
        .contains("score: 1 row as of 2026-01-06T00:00:00Z goes from main of ")
        .contains(
            "score: version %s is released and was made with it: lookups find that until the next ./tarn push view=score"
                .formatted(with))
        .doesNotContain("version " + without)
        .contains("score: nothing is done, as dry-run=true says");
    assertThat(main(bench)).isEqualTo(main);

    assertThat(bench.run("drop", "view=score", "as-of=" + TUESDAY, "format=json")).isZero();
    assertThat(bench.output())
        .contains("\"dropped\":true,\"rows\":1,\"snapshot_id\":\"%d\"".formatted(main(bench)))
        .contains("score as of 2026-01-06T00:00:00Z is dropped, snapshot " + main(bench));
    assertThat(bench.push("score").record().getAsOf().getSeconds())
        .isEqualTo(java.time.Instant.parse(MONDAY).getEpochSecond());

    // Without Redis an as-of can be dropped all the same.
    bench.set("redis.port", Integer.toString(Workbench.freePort()));
    assertThat(bench.run("drop", "view=score", "as-of=2026-01-05")).isZero();
    assertThat(bench.output()).contains("score: which versions were made with it is not known: ");
  }

  private static long main(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), "score")
        .orElseThrow()
        .main()
        .orElseThrow()
        .snapshotId();
  }
}
