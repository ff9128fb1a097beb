package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The demo of live features, as a newcomer types it. */
@Tag("slow")
class DemoLiveIT {

  @Test
  void theDemoEndsWithEqualValuesAndLeavesNothingButRedis() throws IOException {
    Workbench bench =
        new Workbench()
            .set("redis.port", Integer.toString(Workbench.freePort()))
            .set("home", Shell.home().toString());
    try {
      Result demo = Shell.tarn(bench, Map.of(), "demo", "live", "seconds=5");

      assertThat(demo.output())
          .contains("[1/6] a Redis, a Kafka broker and Spark")
          .contains("No value has changed")
          .contains("values are equal: online and from Iceberg")
          .doesNotContain("INFO", "WARN", "Exception", "NO");
      assertThat(demo.status()).isZero();
      // A process that runs has its id there.
      try (Stream<Path> files = Files.list(bench.settings().state().resolve("demo-live"))) {
        assertThat(files).isNotEmpty().noneMatch(file -> file.toString().endsWith(".pid"));
      }

      Result tooMany = Shell.tarn(bench, Map.of(), "demo", "live", "rate=5000");
      assertThat(tooMany.output()).contains("tarn: rate=5000: it is 2000 at most");
      assertThat(tooMany.status()).isEqualTo(2);
    } finally {
      Result down = Shell.tarn(bench, Map.of(), "down");
      assertThat(down.output()).contains("Redis is stopped");
      assertThat(down.status()).isZero();
    }
  }
}
