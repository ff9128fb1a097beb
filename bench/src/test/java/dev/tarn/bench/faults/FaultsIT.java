package dev.tarn.bench.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
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
    JsonObject report =
        JsonParser.parseString(faults.output().substring(faults.output().indexOf('{')))
            .getAsJsonObject();
    assertThat(report.get("pushes_killed").getAsInt()).isEqualTo(6);
    for (String fault :
        new String[] {
          "Redis_killed_and_restarted",
          "connections_cut",
          "Redis_full",
          "pushes_stopped_beyond_their_lease",
          "two_pushes_at_once",
          "rollbacks"
        }) {
      assertThat(report.get(fault).getAsInt()).as(fault).isPositive();
    }
    assertThat(report.get("answers_checked").getAsLong()).isGreaterThan(100);
    assertThat(report.getAsJsonObject("must_be_none").entrySet())
        .isNotEmpty()
        .allMatch(count -> count.getValue().getAsLong() == 0);
  }
}
