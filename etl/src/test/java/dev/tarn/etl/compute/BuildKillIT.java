package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Main;
import dev.tarn.etl.catalog.FeatureTable;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.iceberg.HasTableOperations;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A build that is killed, at whatever moment, has published all of its as-of or nothing. */
@Tag("slow")
class BuildKillIT {

  private static final int KILLS = 8;
  private static final int FEWEST_KILLS = 4;

  /** Time after which fewer kills are enough, for slow machines. */
  private static final Duration LONG_ENOUGH = Duration.ofSeconds(60);

  private static final int LONGEST_DELAY_MILLIS = 4_000;

  @Test
  void aKilledBuildLeavesTheOldRowsOrTheNewOnes() throws Exception {
    Orders orders = new Orders();
    orders.bench().set("spark.sql.shuffle.partitions", "1");
    orders.bench().build("spending", JAN_2, JAN_3);
    List<String> published = orders.rows();
    assertThat(published).isEqualTo(rows(0));

    Random random = new Random(20260103);
    Instant start = Instant.now();
    for (int kill = 1; kill <= KILLS; kill++) {
      if (kill > FEWEST_KILLS && start.plus(LONG_ENOUGH).isBefore(Instant.now())) {
        break;
      }
      define(orders, kill);
      String before = metadata(orders);
      Process build = start(orders, "view=spending", "as-of=" + JAN_3);
      // Until it has begun to change the table: before that it is a JVM that starts.
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> !build.isAlive() || !metadata(orders).equals(before));
      int delay = random.nextInt(LONGEST_DELAY_MILLIS);
      if (!build.waitFor(delay, TimeUnit.MILLISECONDS)) {
        build.destroyForcibly().waitFor();
      }
      List<String> now = orders.rows();
      assertThat(now).as("kill %d, after %d ms", kill, delay).isIn(published, rows(kill));
      published = now;
    }

    define(orders, 99);
    orders.build(JAN_3);
    assertThat(orders.rows()).isEqualTo(rows(99));
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @Test
  void aBackfillThatWasKilledGoesOnWhereItStopped() throws Exception {
    Orders orders = new Orders();
    orders.bench().set("spark.sql.shuffle.partitions", "1");
    String[] range = {"view=spending", "from=2026-01-02", "to=2026-01-05", "every=6h"};
    Process build = start(orders, range);
    await().atMost(Duration.ofMinutes(2)).until(() -> !build.isAlive() || published(orders) >= 3);
    build.destroyForcibly().waitFor();
    int done = published(orders);
    assertThat(done).isBetween(3, 12);

    List<String> words = new ArrayList<>(List.of("build"));
    words.addAll(List.of(range));
    assertThat(orders.bench().run(words.toArray(new String[0]))).isZero();

    List<String> said =
        orders.bench().output().lines().filter(line -> line.startsWith("[")).toList();
    assertThat(said).hasSize(13);
    assertThat(said.subList(0, done)).allMatch(line -> line.endsWith(" is up to date"));
    assertThat(said.subList(done, 13)).allMatch(line -> line.contains(" rows in "));
    assertThat(published(orders)).isEqualTo(13);
    assertThat(orders.state().refs()).containsExactly("main");
  }

  /** The as-ofs that main has. */
  private static int published(Orders orders) {
    if (FeatureTable.find(orders.bench().lake().catalog(), "spending").isEmpty()) {
      return 0;
    }
    return (int) orders.rows().stream().map(row -> row.split(",", -1)[1]).distinct().count();
  }

  /** Every commit to the table has a metadata file of its own. */
  private static String metadata(Orders orders) {
    return ((HasTableOperations) orders.table()).operations().current().metadataFileLocation();
  }

  private static void define(Orders orders, int number) {
    orders.define("sum(amount)", "sum(amount) + " + number);
  }

  private static List<String> rows(int number) {
    return List.of(
        "[1,2026-01-02T00:00:00Z,1,10.0]",
        "[1,2026-01-03T00:00:00Z,2,%s]".formatted(30.0 + number),
        "[2,2026-01-03T00:00:00Z,1,%s]".formatted(5.0 + number));
  }

  private static Process start(Orders orders, String... words) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(
            argument -> argument.startsWith("--add-opens") || argument.startsWith("-XX:+Ignore"))
        .forEach(command::add);
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), Main.class.getName(), "build"));
    command.addAll(List.of(words));
    command.addAll(orders.bench().settingWords());
    File log = orders.bench().path("build.log").toFile();
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
        .start();
  }
}
