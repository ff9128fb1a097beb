package dev.tarn.bench.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import dev.tarn.bench.Main;
import dev.tarn.etl.Workbench;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TestBenchTrainJob {

  @Test
  void allWaysAreMeasuredAndAnEntityOfManyRowsIsJoined() {
    Workbench bench = new Workbench();

    // Pairs of the one entity's rows would be ten thousand million.
    Map<String, JsonObject> figures =
        BenchRun.figures(
            bench,
            "bench",
            "train",
            "rows=1000",
            "entities=100",
            "as-ofs=1,3",
            "wide=3",
            "hot=100000",
            "runs=1");

    assertThat(figures.keySet().stream().filter(name -> name.contains("÷")))
        .containsExactly(
            "join on entity and time, row_number ÷ Tarn; 1 view, 1 as-of",
            "union and one window ÷ Tarn; 1 view, 1 as-of",
            "join on entity and time, row_number ÷ Tarn; 1 view, 3 as-ofs",
            "union and one window ÷ Tarn; 1 view, 3 as-ofs",
            "join on entity and time, row_number ÷ Tarn; 4 views, 3 as-ofs",
            "union and one window ÷ Tarn; 4 views, 3 as-ofs",
            "Tarn, 4 views ÷ one; 3 as-ofs");
    assertThat(figures.get("Tarn, 4 views ÷ one; 3 as-ofs").get("aim").getAsString())
        .isEqualTo("< 2");
    assertThat(figures)
        .containsKeys(
            "Tarn, one entity of 100,000 rows; 1 view, 1 as-of: s",
            "live heap with one entity, MB");
    assertThat(bench.run(Main::run, "bench", "train", "as-ofs=5", "wide=6")).isEqualTo(2);
    assertThat(bench.output()).contains("wide=[6]: take some of as-ofs=[5]");
  }
}
