package dev.tarn.etl.read;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.cli.AnswerPrinter;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.Scores;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestSnapshotLookup {

  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final List<String> IDS = List.of("1", "2", "3");

  private static final String PRESENT =
      """
      {"results":{\
      "1":{"features":{"level":"a","points":5},"statuses":{},\
      "event_timestamps":{"score":"2026-01-05T00:00:00Z"}},\
      "2":{"features":{"level":"b","points":-1},"statuses":{"points":"NULL_VALUE"},\
      "event_timestamps":{"score":"2026-01-05T00:00:00Z"}},\
      "3":{"features":{},"statuses":{"level":"NOT_FOUND","points":"NOT_FOUND"},\
      "event_timestamps":{}}}""";

  private static final String TOO_OLD =
      """
      {"results":{\
      "1":{"features":{"points":-1},\
      "statuses":{"level":"OUTSIDE_MAX_AGE","points":"OUTSIDE_MAX_AGE"},\
      "event_timestamps":{"score":"2026-01-05T00:00:00Z"}},\
      "2":{"features":{"points":-1},\
      "statuses":{"level":"OUTSIDE_MAX_AGE","points":"OUTSIDE_MAX_AGE"},\
      "event_timestamps":{"score":"2026-01-05T00:00:00Z"}},\
      "3":{"features":{},"statuses":{"level":"NOT_FOUND","points":"NOT_FOUND"},\
      "event_timestamps":{}}}""";

  @Test
  void aRowBeyondItsMaxAgeIsAnsweredAsOnline() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 5, 'a'), (2, '2026-01-05', null, 'b')");
    define(bench, "1d");
    bench.build("score", MONDAY);

    // Never released: as a release would be answered.
    assertThat(get(bench, "main")).startsWith(TOO_OLD);
    define(bench, "36500d");
    assertThat(get(bench, "main")).startsWith(PRESENT);

    // Released: as it is answered, whatever the definition says by now.
    String first = bench.push("score").record().getVersion();
    define(bench, "1d");
    assertThat(get(bench, "main")).startsWith(PRESENT);
    String second = bench.push("score").record().getVersion();
    assertThat(get(bench, "main")).startsWith(TOO_OLD);
    assertThat(get(bench, "tarn-" + first)).startsWith(PRESENT);
    assertThat(get(bench, "tarn-" + second)).startsWith(TOO_OLD);
  }

  private static void define(Workbench bench, String maxAge) {
    Scores.define(
        bench,
        "[{ name = points, type = bigint, default = -1 }, { name = level, type = string }]",
        "max-age = " + maxAge);
  }

  private static String get(Workbench bench, String snapshot) {
    return AnswerPrinter.json(
        new SnapshotLookup(bench.lake())
            .get(bench.definitions().view("score"), snapshot, IDS, List.of()),
        IDS);
  }
}
