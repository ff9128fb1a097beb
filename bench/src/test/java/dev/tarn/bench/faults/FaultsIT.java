package dev.tarn.bench.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import dev.tarn.etl.Shell;
import dev.tarn.etl.Shell.Result;
import dev.tarn.etl.Workbench;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A short campaign of faults: kill -9 of a push at random points, Redis killed and restarted,
 * connections cut, Redis full, a push stopped beyond its lease, two pushes at once, rollbacks,
 * while every answer is checked. docs/faults.md has the long one.
 */
@Tag("slow")
class FaultsIT {

  @Test
  @Timeout(value = 15, unit = TimeUnit.MINUTES)
  void whateverHappensToPushesEveryAnswerIsRightAndNothingIsLeft() {
    Workbench bench = new Workbench().set("home", Shell.home().toString());
    Result faults =
        Shell.tarn(bench, Map.of(), "bench", "faults", "kills=6", "minutes=10", "format=json");
    assertThat(faults.status()).as(faults.output()).isZero();
    Map<String, JsonObject> figures =
        BenchRun.figures(
            faults.output().lines().filter(line -> line.startsWith("{")).findFirst().orElseThrow());
    assertThat(figures.get("pushes killed").get("value").getAsInt()).isEqualTo(6);
    for (String fault :
        new String[] {
          "Redis killed and restarted",
          "connections cut",
          "Redis full",
          "pushes stopped beyond their lease",
          "two pushes at once",
          "rollbacks"
        }) {
      assertThat(figures.get(fault).get("value").getAsInt()).as(fault).isPositive();
    }
    assertThat(figures.get("answers checked").get("value").getAsLong()).isGreaterThan(100);
    assertThat(figures.values().stream().filter(figure -> figure.has("aim")))
        .isNotEmpty()
        .allMatch(figure -> figure.get("met").getAsBoolean());
  }
}
