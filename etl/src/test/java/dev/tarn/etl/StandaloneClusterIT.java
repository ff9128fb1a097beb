package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The jar on a cluster: a master, two workers, spark-submit from outside of them. */
@Tag("slow")
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class StandaloneClusterIT {

  private static final int NUMBERS = 100_000;

  /** A task that wrote rows to Redis, as Spark's event log has it; times in milliseconds. */
  private record Writer(String executor, long rows, long from, long to) {}

  @Test
  void twoExecutorsPushAtOnceAndWhatTheyServeIsTheSnapshot() throws IOException {
    Path home = StockSpark.home();
    Workbench bench = StockSpark.squares(NUMBERS);
    Path events = Files.createDirectories(bench.path("spark-events"));
    try (StandaloneCluster cluster = StandaloneCluster.start(home, bench.path(""), 2);
        CommandProcess jobs =
            CommandProcess.startStock(bench.path("jobs.log"), options(cluster, events))) {
      Result build = jobs.run(bench, "build", "view=squares", "as-of=2026-01-01", "format=json");
      assertThat(build.output()).contains("\"rows\":" + NUMBERS);
      assertThat(build.status()).isZero();

      Result push = jobs.run(bench, "push", "view=squares", "format=json");
      assertThat(push.output()).contains("\"rows_written\":" + NUMBERS);
      assertThat(push.status()).isZero();
      List<Writer> writers = writers(events);
      assertThat(writers).extracting(Writer::executor).containsExactlyInAnyOrder("0", "1");
      assertThat(writers).allMatch(writer -> writer.rows() > NUMBERS / 3);
      assertThat(writers.stream().mapToLong(Writer::rows).sum()).isEqualTo(NUMBERS);
      assertThat(writers.stream().mapToLong(Writer::from).max().getAsLong())
          .as("both were writing when the later one began: %s", writers)
          .isLessThan(writers.stream().mapToLong(Writer::to).min().getAsLong());

      Result verify = jobs.run(bench, "verify", "view=squares", "format=json");
      assertThat(verify.output())
          .contains("\"state\":\"equal\"", "\"entities_online\":" + NUMBERS, "\"differing\":0");
      assertThat(verify.status()).isZero();
    }
  }

  private static String[] options(StandaloneCluster cluster, Path events) {
    return new String[] {
      "--master",
      cluster.master(),
      "--deploy-mode",
      "client",
      "--driver-memory",
      "1g",
      "--executor-memory",
      "800m",
      "--conf",
      "spark.driver.host=127.0.0.1",
      "--conf",
      "spark.driver.bindAddress=127.0.0.1",
      // Standalone begins with the first executor that there is.
      "--conf",
      "spark.scheduler.minRegisteredResourcesRatio=1",
      "--conf",
      "spark.sql.shuffle.partitions=4",
      "--conf",
      "spark.eventLog.enabled=true",
      "--conf",
      "spark.eventLog.dir=" + events.toUri()
    };
  }

  private static List<Writer> writers(Path events) throws IOException {
    List<Writer> writers = new ArrayList<>();
    try (Stream<Path> logs = Files.list(events)) {
      for (Path log :
          logs.filter(file -> !file.getFileName().toString().startsWith(".")).toList()) {
        for (String line : Files.readAllLines(log)) {
          JsonObject event = JsonParser.parseString(line).getAsJsonObject();
          if (event.get("Event").getAsString().equals("SparkListenerTaskEnd")) {
            JsonObject task = event.getAsJsonObject("Task Info");
            for (JsonElement accumulable : task.getAsJsonArray("Accumulables")) {
              JsonObject counter = accumulable.getAsJsonObject();
              if (counter.has("Name") && counter.get("Name").getAsString().equals("rows pushed")) {
                writers.add(
                    new Writer(
                        task.get("Executor ID").getAsString(),
                        counter.get("Update").getAsLong(),
                        task.get("Launch Time").getAsLong(),
                        task.get("Finish Time").getAsLong()));
              }
            }
          }
        }
      }
    }
    return writers;
  }
}
