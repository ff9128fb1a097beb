package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.Shell.Result;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The README's first command and those that it prints to try next, as a newcomer types them. */
@Tag("slow")
class DemoIT {

  @Test
  void theDemoEndsWithEqualValuesAndLeavesAServerToTry() {
    Workbench bench =
        new Workbench()
            .set("redis.port", Integer.toString(Workbench.freePort()))
            .set("serving.port", Integer.toString(Workbench.freePort()))
            .set("serving.http-port", "0")
            .set("home", Shell.home().toString())
            .set("definitions", Shell.home().resolve("conf/features").toString());
    try {
      Result demo = Shell.tarn(bench, Map.of(), "demo", "rows=20000");
      assertThat(demo.output())
          .contains("[1/7] a local Redis")
          .contains("All 33 values are equal")
          .contains("./tarn versions")
          .doesNotContain("INFO", "WARN", "Exception");
      assertThat(demo.status()).isZero();

      Result get = Shell.tarn(bench, Map.of(), "get", "ids=1", "format=json");
      assertThat(get.status()).as(get.output()).isZero();
      JsonObject online = JsonParser.parseString(get.output()).getAsJsonObject();
      String snapshot =
          online
              .getAsJsonArray("versions")
              .get(0)
              .getAsJsonObject()
              .get("snapshot_id")
              .getAsString();

      Result versions = Shell.tarn(bench, Map.of(), "versions");
      assertThat(versions.status()).isZero();
      assertThat(versions.output()).contains("user_activity", "user_location", snapshot);

      Result past =
          Shell.tarn(bench, Map.of(), "get", "ids=1", "snapshot=" + snapshot, "format=json");
      assertThat(past.status()).as(past.output()).isZero();
      assertThat(featuresOfOne(online).entrySet())
          .containsAll(
              featuresOfOne(JsonParser.parseString(past.output()).getAsJsonObject()).entrySet());
    } finally {
      Result down = Shell.tarn(bench, Map.of(), "down");
      assertThat(down.output()).contains("the server is stopped", "Redis is stopped");
      assertThat(down.status()).isZero();
    }
  }

  private static JsonObject featuresOfOne(JsonObject answer) {
    return answer.getAsJsonObject("results").getAsJsonObject("1").getAsJsonObject("features");
  }
}
