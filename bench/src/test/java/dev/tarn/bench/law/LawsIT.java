package dev.tarn.bench.law;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.tarn.bench.BenchRun;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The laws of live features with small numbers; docs/live.md has the large ones. */
@Tag("slow")
class LawsIT {

  @Test
  @Timeout(value = 20, unit = TimeUnit.MINUTES)
  void noAnswerHasAWrongBitAndIcebergGivesAllOfThemAgain() {
    Map<String, JsonObject> figures =
        BenchRun.typed("bench", "laws", "answers=20000", "swaps=6", "entities=200", "rate=300");

    assertThat(figures.get("answers asked again from Iceberg").get("value").getAsLong())
        .isGreaterThanOrEqualTo(20_000);
    assertThat(figures.get("payments that were repeated").get("value").getAsLong()).isPositive();
    assertThat(figures.values().stream().filter(figure -> figure.has("aim")))
        .hasSize(6)
        .allMatch(figure -> figure.get("met").getAsBoolean());
  }
}
