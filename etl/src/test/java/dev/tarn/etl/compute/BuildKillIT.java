package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static dev.tarn.etl.compute.Orders.JAN_3;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tarn.etl.Shell;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import java.io.File;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.TableMetadata;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A build that is killed, at whatever moment, has published all of its as-of or nothing. */
@Tag("slow")
class BuildKillIT {

  private static final List<String> AS_OFS = List.of(JAN_2, JAN_3, "2026-01-03T00:00:00.500Z");

  private static final int AS_OFS_OF_RANGE = 25;
  private static final int KILLS = 4;
  private static final int FEWEST_KILLS = 2;
  private static final int RANGE_KILLS = 2;

  /** Time after which fewer kills are enough, for slow machines. */
  private static final Duration LONG_ENOUGH = Duration.ofSeconds(20);

  private static final int LONGEST_DELAY_MILLIS = 4_000;

  /** Each as-of has all rows of one build that was done or killed, also where builds have met. */
  @ParameterizedTest
  @ValueSource(strings = {"full", "changes"})
  void aKilledBuildLeavesTheOldRowsOrTheNewOnes(String history) throws Exception {
    Orders orders = new Orders();
    orders.bench().set("spark.sql.shuffle.partitions", "1");
    // Each build adds a number of its own to the amounts: by that main says whose rows it has.
    Map<String, Optional<Integer>> published = new TreeMap<>();
    AS_OFS.forEach(asOf -> published.put(asOf, Optional.empty()));

    Random random = new Random(20260103);
    Instant start = Instant.now();
    for (int kill = 1; kill <= KILLS; kill++) {
      if (kill > FEWEST_KILLS && start.plus(LONG_ENOUGH).isBefore(Instant.now())) {
        break;
      }
      String killedAsOf = AS_OFS.get(random.nextInt(AS_OFS.size()));
      String otherAsOf = AS_OFS.get(random.nextInt(AS_OFS.size()));
      define(orders, history, kill);
      String before = metadata(orders);
      Process killed = start(orders.bench(), "view=spending", "as-of=" + killedAsOf);
      // Until it has begun to change the table: before that it is a JVM that starts.
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> !killed.isAlive() || !metadata(orders).equals(before));
      define(orders, history, 100 + kill);
      CompletableFuture<?> other = CompletableFuture.runAsync(() -> orders.build(otherAsOf));
      int delay = random.nextInt(LONGEST_DELAY_MILLIS);
      if (!killed.waitFor(delay, TimeUnit.MILLISECONDS)) {
        killed.destroyForcibly().waitFor();
      }
      other.get(2, TimeUnit.MINUTES);

      for (String asOf : AS_OFS) {
        Set<Optional<Integer>> possible = new HashSet<>();
        possible.add(asOf.equals(otherAsOf) ? Optional.of(100 + kill) : published.get(asOf));
        if (asOf.equals(killedAsOf)) {
          possible.add(Optional.of(kill));
        }
        Optional<Integer> found = buildOf(orders, asOf);
        assertThat(found)
            .as("kill %d of %s after %d ms beside %s: %s", kill, killedAsOf, delay, otherAsOf, asOf)
            .isIn(possible);
        published.put(asOf, found);
      }
    }
    define(orders, history, 99);
    orders.build(JAN_3);
    assertThat(buildOf(orders, JAN_3)).contains(99);
    assertThat(orders.state().refs()).containsExactly("main");
  }

  @Test
  void aBackfillThatWasKilledGoesOnWhereItStopped() throws Exception {
    Orders orders = new Orders();
    orders.bench().set("spark.sql.shuffle.partitions", "1");
    // So many that it can't be done before it is seen to have begun.
    String[] range = {"view=spending", "from=2026-01-02", "to=2026-01-05", "every=3h"};
    Process build = start(orders.bench(), range);
    await().atMost(Duration.ofMinutes(2)).until(() -> !build.isAlive() || published(orders) >= 3);
    build.destroyForcibly().waitFor();
    int done = published(orders);
    assertThat(done).isBetween(3, AS_OFS_OF_RANGE - 1);

    List<String> words = new ArrayList<>(List.of("build"));
    words.addAll(List.of(range));
    assertThat(orders.bench().run(words.toArray(new String[0]))).isZero();

    List<String> said =
        orders.bench().output().lines().filter(line -> line.startsWith("[")).toList();
    assertThat(said).hasSize(AS_OFS_OF_RANGE);
    assertThat(said.subList(0, done)).allMatch(line -> line.endsWith(" is up to date"));
    assertThat(said.subList(done, AS_OFS_OF_RANGE))
        .allMatch(line -> line.matches(".* rows? in .*"));
    assertThat(published(orders)).isEqualTo(AS_OFS_OF_RANGE);
    assertThat(orders.state().refs()).containsExactly("main");
  }

  /** Each run is killed at another moment, from its first commit on, and the last one ends it. */
  @ParameterizedTest
  @ValueSource(strings = {"full", "changes"})
  void aRangeOfWindowsThatIsKilledAgainAndAgainIsThatOfOneRun(String history) throws Exception {
    Workbench bench = new Workbench().set("spark.sql.shuffle.partitions", "2");
    bench
        .spark()
        .sql(
            """
            SELECT id % 200 AS user_id, timestamp_seconds(1767225600 + pmod(xxhash64(id), 345600)) AS at,
              pow(1.1, id % 500) AS x
            FROM range(4000)""")
        .write()
        .parquet(bench.path("events").toString());
    StringBuilder views = new StringBuilder();
    for (String view : List.of("killed", "whole")) {
      views.append(
          """
          entities { of_%1$s { keys = [{ name = user_id, type = bigint }] } }
          feature-views { %1$s { entity = of_%1$s, source = events, history = %2$s, features = [
            { name = total, aggregate = sum, of = x, window = 1d, type = double }
            { name = spread, aggregate = stddev, of = x, window = 6h, type = double }
            { name = lately, aggregate = { last = 3 }, of = x, type = "array<double>" }
          ] } }
          """
              .formatted(view, history));
    }
    bench.define(
        "w.conf",
        "sources { events { format = parquet, path = \"%s\", timestamp = at } }\n%s"
            .formatted(bench.path("events"), views));
    String[] range = {"from=2026-01-02", "to=2026-01-05", "every=6h"};
    Random random = new Random(5);
    for (int kill = 1; kill <= RANGE_KILLS; kill++) {
      String before = metadata(bench, "killed");
      Process build = start(bench, words(range, "view=killed"));
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> !build.isAlive() || !metadata(bench, "killed").equals(before));
      if (!build.waitFor(random.nextInt(LONGEST_DELAY_MILLIS / 2), TimeUnit.MILLISECONDS)) {
        build.destroyForcibly().waitFor();
      }
    }
    for (String view : List.of("killed", "whole")) {
      assertThat(bench.run(words(range, "build", "view=" + view))).isZero();
    }

    assertThat(
            bench
                .spark()
                .table(bench.lake().sqlName("killed"))
                .select("event_timestamp")
                .distinct()
                .count())
        .isEqualTo(13);
    String all = "SELECT * FROM %s ORDER BY event_timestamp, user_id";
    assertThat(bench.spark().sql(all.formatted(bench.lake().sqlName("killed"))).collectAsList())
        .isEqualTo(bench.spark().sql(all.formatted(bench.lake().sqlName("whole"))).collectAsList());
    assertThat(FeatureTable.open(bench.lake().catalog(), "killed").orElseThrow().iceberg().refs())
        .containsOnlyKeys("main");
  }

  private static String[] words(String[] last, String... first) {
    return Stream.concat(Stream.of(first), Stream.of(last)).toArray(String[]::new);
  }

  /** The as-ofs that main has. */
  private static int published(Orders orders) {
    if (FeatureTable.find(orders.bench().lake().catalog(), "spending").isEmpty()) {
      return 0;
    }
    return (int) orders.rows().stream().map(row -> row.split(",", -1)[1]).distinct().count();
  }

  /** Every commit to the table has a metadata file of its own; none where there is no table. */
  private static String metadata(Orders orders) {
    return metadata(orders.bench(), "spending");
  }

  private static String metadata(Workbench bench, String view) {
    return FeatureTable.open(bench.lake().catalog(), view)
        .map(table -> ((HasTableOperations) table.iceberg()).operations().current())
        .map(TableMetadata::metadataFileLocation)
        .orElse("");
  }

  private static void define(Orders orders, String history, int number) {
    orders.define("sum(amount)", "sum(amount) + " + number, "checks {}", "history = " + history);
  }

  /** The number of the build whose rows an as-of has: all of them, and no others. */
  private static Optional<Integer> buildOf(Orders orders, String asOf) {
    List<String> rows =
        orders
            .bench()
            .spark()
            .sql(
                "SELECT user_id, orders, amount FROM %s WHERE event_timestamp = '%s' ORDER BY user_id"
                    .formatted(orders.name(), asOf))
            .collectAsList()
            .stream()
            .map(Row::toString)
            .toList();
    if (rows.isEmpty()) {
      return Optional.empty();
    }
    String first = rows.get(0);
    double ofFirst = asOf.equals(JAN_2) ? 10 : 30;
    int number = (int) (Double.parseDouble(first.substring(5, first.length() - 1)) - ofFirst);
    assertThat(rows)
        .as(asOf)
        .isEqualTo(
            asOf.equals(JAN_2)
                ? List.of("[1,1,%s]".formatted(10.0 + number))
                : List.of("[1,2,%s]".formatted(30.0 + number), "[2,1,%s]".formatted(5.0 + number)));
    return Optional.of(number);
  }

  private static Process start(Workbench bench, String... words) throws Exception {
    List<String> all = new ArrayList<>(List.of("build"));
    all.addAll(List.of(words));
    File log = bench.path("build.log").toFile();
    // The launcher becomes the JVM, so that is what is killed.
    return Shell.process(Shell.tarn(bench, all.toArray(new String[0])))
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
        .start();
  }
}
