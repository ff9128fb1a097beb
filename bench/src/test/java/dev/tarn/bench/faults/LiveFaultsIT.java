package dev.tarn.bench.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Each process on an event's way into an answer killed once: the live job, which is also stopped
 * over a rebalance, the archive, Redis, the broker, the server, a push.
 */
@Tag("slow")
class LiveFaultsIT {

  @Test
  @Timeout(value = 20, unit = TimeUnit.MINUTES)
  void whateverIsKilledEachEventCountsOnce() {
    Map<String, JsonObject> figures = BenchRun.typed("bench", "faults", "part=live", "kills=7");

    for (LiveFault fault : LiveFault.values()) {
      assertThat(figures.get(fault.label()).get("value").getAsInt()).isEqualTo(1);
    }
    assertThat(figures.get("users compared in the end").get("value").getAsInt()).isPositive();
    assertThat(figures.values().stream().filter(figure -> figure.has("aim")))
        .isNotEmpty()
        .allMatch(figure -> figure.get("met").getAsBoolean());
  }
}
