package dev.tarn.bench.window;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import dev.tarn.etl.Workbench;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
class TestBenchWindowsJob {

  @Test
  void allWaysGiveTheSameValuesAndAreMeasured() {
    Map<String, JsonObject> figures =
        BenchRun.figures(
            new Workbench(),
            "bench",
            "windows",
            "rows=1000",
            "events=20000",
            "entities=50",
            "as-ofs=3",
            "hot=1000",
            "messages=1000",
            "runs=1");

    assertThat(figures.values().stream().filter(figure -> figure.has("aim")))
        .extracting(figure -> figure.get("name").getAsString())
        .containsExactly(
            "training rows/s ÷ Spark's range join of 1,000 rows",
            "training rows/s ÷ Spark's window functions",
            "five windows ÷ one of 30d, time",
            "five windows ÷ one of 1h, time",
            "60 days of events and rows ÷ 15 days, time",
            "building 3 daily as-ofs ÷ one, time",
            "archive, rows/s ÷ Spark reading the same topic into nothing");
    assertThat(figures)
        .containsKeys(
            "Tarn, six mixed aggregates: s",
            "one entity with 1,000 events and 1,000 rows, s",
            "one entity with 1,000 events and 1,000 rows, live heap MB");
  }
}
