package dev.tarn.etl.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.train.TrainingScores;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class TestCommandsWithoutSpark {

  private static final String VIEW = "score";
  private static final String AS_OF = "2026-01-05T00:00:00Z";

  @Test
  void commandsThatReadNoRowsStartNoSpark() throws IOException {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    for (int points = 1; points <= 2; points++) {
      Scores.write(bench, "(1, '%s', %d, 'a')".formatted(AS_OF, points));
      bench.build(VIEW, AS_OF);
      bench.push(VIEW);
    }
    Files.writeString(bench.path("spine.csv"), "user_id,event_timestamp\n1,2026-01-06T00:00:00Z\n");
    // A command that starts Spark stops it when it ends.
    bench.stopSpark();
    assertThat(
            bench.run(
                "train",
                "spine=" + bench.path("spine.csv"),
                "service=ranking",
                "out=" + bench.path("set")))
        .isZero();
    assertThat(isSparkThere()).isFalse();

    bench.output();
    assertThat(bench.run("versions")).isZero();
    assertThat(bench.output()).contains("released", "kept");
    assertThat(bench.run("manifests")).isZero();
    assertThat(bench.output()).contains("ranking", bench.path("set").toString());
    assertThat(bench.run("retire", "manifest=" + bench.path("set"))).isZero();
    assertThat(bench.output()).contains("is retired");
    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(bench.run("unpin", "view=score")).isZero();
    assertThat(bench.output())
        .contains("score: back to ", "the next push releases again")
        .doesNotContain("can't be written");
    assertThat(bench.run("withdraw", "view=score")).isZero();
    assertThat(bench.output()).contains("score: is withdrawn");
    try (IcebergCatalog catalog = IcebergCatalog.open(bench.settings())) {
      List<ReleaseHistory.Released> releases = ReleaseHistory.open(catalog).of(VIEW);
      assertThat(releases).hasSize(3);
      assertThat(releases.get(2).version()).isEqualTo(releases.get(0).version());
      assertThat(new TrainingSets(catalog).all())
          .singleElement()
          .matches(set -> set.retiredAt().isPresent());
    }
    assertThat(isSparkThere()).isFalse();

    // And Spark sees what was done without it.
    assertThat(bench.spark().table(bench.lake().sqlName("tarn_releases")).count()).isEqualTo(3);
  }

  private static boolean isSparkThere() {
    scala.Option<SparkSession> session = SparkSession.getDefaultSession();
    return session.isDefined() && !session.get().sparkContext().isStopped();
  }
}
