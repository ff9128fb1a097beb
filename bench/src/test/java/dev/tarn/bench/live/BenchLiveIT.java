package dev.tarn.bench.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import dev.tarn.bench.testbed.LoadGenerators;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
class BenchLiveIT {

  @Test
  void everythingIsMeasuredAndEverySumIsRight() {
    assumeTrue(LoadGenerators.has("h2load"), "h2load is not on the PATH (Debian: nghttp2-client)");
    Map<String, JsonObject> figures =
        BenchRun.typed(
            "bench",
            "live",
            "entities=500",
            "events=5000",
            "seconds=2",
            "rate=100",
            "faster-rate=300");

    assertThat(figures.values().stream().filter(figure -> figure.has("aim")))
        .extracting(figure -> figure.get("name").getAsString())
        .containsExactlyInAnyOrder(
            "live ÷ batch",
            "bytes an entity with 3 events in five windows: live, in Redis",
            "event → in the answer, ms, 100 events/s: p50",
            "event → in the answer, ms, 100 events/s: p99",
            "event → in the answer, ms, 300 events/s: p99",
            "one entity with 300 events/s for 2 s: sums that are wrong at the end",
            "catch-up after a stop, events/s",
            "saturation ÷ a consumer that only counts",
            "Spark's foreachBatch ÷ live, freshness p99",
            "live ÷ Spark's foreachBatch, catch-up",
            "wrong sums at the end");
    assertThat(figures.get("wrong sums at the end").get("met").getAsBoolean()).isTrue();
  }
}
