package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import dev.tarn.etl.archive.Topics;
import dev.tarn.kafka.KafkaBroker;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Each command of {@code ./tarn help}, run once on the jars as they are shipped: as the launcher
 * starts it, and in a stock spark-submit. A class that only the tests' class path has is missing
 * here. {@link DemoIT}, {@link ArchiveIT} and others let the launcher start jobs to their end.
 */
@Tag("slow")
class CommandsIT {

  /** Run by the launcher in {@link DemoIT} and {@link DemoLiveIT}. */
  private static final Set<String> DEMOS = Set.of("demo", "demo live");

  /** Begins the commands of another program, which is not shipped and has tests of its own. */
  private static final String BENCHMARK = "bench ";

  /** What needs no Spark and is run by the launcher alone. */
  private static final Set<String> LOCAL = Set.of("up", "down", "serve");

  private static final Pattern HELP = Pattern.compile("(?m)^  ([a-z]+(?: [a-z]+)?) {2,}\\S");

  /**
   * The launcher starts Redis, the server and what needs no Spark. The jobs run one after the other
   * in one JVM, which the launcher's own options and class path were given to; it is asked for
   * each.
   */
  @Test
  void eachCommandOfTheHelpRunsByTheLauncher() throws IOException {
    Workbench bench = bench().set("redis.port", Integer.toString(Workbench.freePort()));
    RecordedLaunch launch = RecordedLaunch.of(bench, "build");
    try (CommandProcess jobs = CommandProcess.start(launch)) {
      Story story =
          new Story(
              bench,
              words -> {
                RecordedLaunch own = RecordedLaunch.of(bench, words);
                assertThat(own.classPath()).isEqualTo(launch.classPath());
                return jobs.run(own.words());
              },
              Map.of());
      Story local = new Story(bench, words -> Shell.tarn(bench, Map.of(), words), Map.of());
      local.run("up");
      assertThat(archivesAfterVersions(bench, "Nothing is released yet")).isEmpty();
      story.tellOfVersions();
      story.tellOfEvents();
      assertThat(archivesAfterVersions(bench, "released")).hasSize(1);
      try (LookupProcess server = LookupProcess.startByLauncher(bench)) {
        local.told.add("serve");
        assertThat(local.run("get", "ids=2", "target=127.0.0.1:" + server.port()))
            .contains("square", "4", "PRESENT");
      }
      story.tellOfTheEnd();
      local.run("down");
      Set<String> told = new TreeSet<>(story.told);
      told.addAll(local.told);
      Set<String> helped = helped();
      helped.removeAll(DEMOS);
      assertThat(told).containsExactlyInAnyOrderElementsOf(helped);
    } finally {
      var unused = Shell.tarn(bench, Map.of(), "down");
    }
  }

  @Test
  void eachJobRunsUnderStockSparkSubmit() throws IOException {
    Workbench bench = bench();
    try (CommandProcess jobs = CommandProcess.startStock(bench.path("jobs.log"))) {
      Story story =
          new Story(
              bench,
              words -> jobs.run(bench, words),
              Map.of("SPARK_HOME", StockSpark.home().toString()));
      story.tellOfVersions();
      story.tellOfEvents();
      story.tellOfTheEnd();
      Set<String> helped = helped();
      helped.removeAll(DEMOS);
      helped.removeAll(LOCAL);
      assertThat(story.told).containsExactlyInAnyOrderElementsOf(helped);
    }
  }

  @Test
  void theLauncherStartsStockSparkSubmitAndEndsWithItsStatus() throws IOException {
    Workbench bench = bench();
    Map<String, String> environment = Map.of("SPARK_HOME", StockSpark.home().toString());
    Result valid = Shell.tarn(bench, environment, "validate");
    assertThat(valid.output()).contains("All definitions are right");
    assertThat(valid.status()).isZero();
    Result failing = Shell.tarn(bench, environment, "build", "view=squres", "as-of=2026-01-01");
    assertThat(failing.output()).contains("did you mean 'squares'?");
    assertThat(failing.status()).isEqualTo(2);
  }

  /** The archives of classes that {@code versions} leaves where there was none. */
  private static List<Path> archivesAfterVersions(Workbench bench, String answer)
      throws IOException {
    Path folder = Files.createDirectories(Shell.home().resolve(".tarn").resolve("classes"));
    for (Path archive : shortArchives(folder)) {
      Files.delete(archive);
    }
    // With options of its own the launcher makes none.
    Result result = Shell.tarn(bench, Map.of("TARN_JOB_OPTS", ""), "versions");
    assertThat(result.output()).contains(answer);
    assertThat(result.status()).isZero();
    return shortArchives(folder);
  }

  private static List<Path> shortArchives(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().startsWith("short-")).toList();
    }
  }

  /** The commands that the help has, but the benchmarks. */
  private static Set<String> helped() {
    Result help = Shell.run(Map.of(), List.of(Shell.home().resolve("tarn").toString(), "help"));
    assertThat(help.status()).isZero();
    Set<String> commands = new TreeSet<>();
    Matcher matcher = HELP.matcher(help.output());
    while (matcher.find()) {
      commands.add(matcher.group(1));
    }
    assertThat(commands).contains("demo", "build", "bench push");
    commands.removeIf(command -> command.startsWith(BENCHMARK));
    return commands;
  }

  private static Workbench bench() throws IOException {
    Workbench bench = StockSpark.squares(3);
    // Generating code for queries of three rows takes longer than all else that Spark does for
    // them.
    bench
        .set("spark.sql.adaptive.enabled", "false")
        .set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .set("spark.sql.codegen.wholeStage", "false")
        .set("spark.sql.shuffle.partitions", "2")
        .set("live.http-port", "0");
    bench.define(
        "model.conf",
        """
        feature-services {
          fitted { features = [{ feature = squares.square, transform = [standardize] }] }
        }
        """);
    bench.define(
        "payments.conf",
        """
        entities { payer { keys = [{ name = user_id, type = bigint }] } }
        sources {
          payments {
            format = kafka, topic = payments, value = json, table = "events.%s"
            schema = "user_id BIGINT, at TIMESTAMP, amount INT", timestamp = at
          }
        }
        feature-views {
          recent { entity = payer, source = payments, features = [
            { name = spend_1h, aggregate = sum, of = amount, window = 1h } ] }
          totals { entity = payer, source = payments, live {}, features = [
            { name = spend, aggregate = sum, of = amount } ] }
        }
        feature-services { recent { features = [recent.spend_1h] } }
        """
            .formatted(bench.path("").getFileName()));
    Files.writeString(
        bench.path("payers.csv"), "user_id,event_timestamp\n7,2026-01-01T00:30:00Z\n");
    Files.writeString(bench.path("spine.csv"), "n,event_timestamp\n2,2026-01-09T00:00:00Z\n");
    return bench;
  }

  /** A short story that has each command in it. */
  private static final class Story {

    private final Workbench bench;
    private final Function<String[], Result> shell;
    private final Map<String, String> environment;
    private final Set<String> told = new TreeSet<>();

    /**
     * A story whose commands are run by {@code shell}.
     *
     * @param environment of the launcher, for a command that goes on until it is stopped
     */
    Story(Workbench bench, Function<String[], Result> shell, Map<String, String> environment) {
      this.bench = bench;
      this.shell = shell;
      this.environment = environment;
    }

    /** Makes versions, a training set and a fit. */
    void tellOfVersions() {
      assertThat(run("validate", "out=" + bench.path("definitions.json")))
          .contains("All definitions are right: 2 entities, 2 sources, 3 feature views");
      assertThat(run("build", "view=squares", "from=2026-01-01", "to=2026-01-03", "format=json"))
          .contains("\"rows\":3")
          .doesNotContain("INFO");
      assertThat(run("push", "view=squares", "format=json"))
          .contains("\"rows\":3", "\"pushed\":true");
      assertThat(run("verify", "view=squares", "report=" + bench.path("report.html")))
          .contains("all of them equal, bit for bit");
      assertThat(run("fit", "service=fitted")).contains("is fitted, and the servers know");
      assertThat(run("train", "spine=" + bench.path("spine.csv"), "service=model", "out=" + set()))
          .contains("1 row in ");
    }

    /** Archives events, follows them, and computes windows of them. */
    void tellOfEvents() throws IOException {
      try (KafkaBroker broker = KafkaBroker.start();
          Topics topics = new Topics(broker)) {
        bench.set("kafka.bootstrap.servers", broker.address());
        topics.create("payments", 2);
        topics.send(
            "payments",
            0,
            "{\"user_id\": 7, \"at\": \"2026-01-01T00:10:00Z\", \"amount\": 3}",
            "no JSON");
        topics.send(
            "payments", 1, "{\"user_id\": 7, \"at\": \"2026-01-01T00:20:00Z\", \"amount\": 4}");
        assertThat(run("archive", "source=payments", "format=json"))
            .contains("\"events\":2", "\"undecoded\":1");
        assertThat(run("push", "view=totals")).contains("is released as");
        follow("totals");
      }
      assertThat(run("build", "view=recent", "as-of=2026-01-01T01:00:00Z")).contains("1 row in ");
      String out = bench.path("windows").toString();
      assertThat(run("train", "spine=" + bench.path("payers.csv"), "service=recent", "out=" + out))
          .contains("1 row in ", "of source 'payments'");
      assertThat(bench.spark().read().parquet(out).select("spend_1h").head().get(0)).isEqualTo(7L);
    }

    /** Starts a live job, and ends it in order once it follows. */
    private void follow(String view) throws IOException {
      told.add("live");
      ProcessBuilder start = Shell.process(Shell.tarn(bench, "live", "views=" + view));
      start.environment().putAll(environment);
      Process live = start.start();
      try (BufferedReader said = live.inputReader(StandardCharsets.UTF_8)) {
        List<String> lines = new ArrayList<>();
        for (String line = ""; line != null && !line.contains("live from"); ) {
          line = said.readLine();
          lines.add(line);
        }
        assertThat(lines).last().asString().contains(view + ": live from 0: 0, 1: 0");
        live.destroy();
        assertThat(live.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(live.exitValue()).as(() -> String.valueOf(lines)).isZero();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      } finally {
        live.destroyForcibly();
      }
    }

    /** Lets all of it go again. */
    void tellOfTheEnd() {
      assertThat(run("manifests")).contains(set());
      run("retire", "manifest=" + set());
      assertThat(run("drop", "view=squares", "as-of=2026-01-03")).contains("is dropped");
      String versions = run("versions", "view=squares", "format=json");
      Matcher snapshot = Pattern.compile("\"snapshot_id\":\"(\\d+)\"").matcher(versions);
      assertThat(snapshot.find()).isTrue();
      assertThat(run("get", "ids=2,9", "snapshot=" + snapshot.group(1)))
          .contains("2       square   4", "NOT_FOUND");
      assertThat(run("rollback", "view=squares", "snapshot=main"))
          .contains("pushed again", "pushes leave it alone");
      assertThat(run("versions")).contains("released, pinned");
      run("unpin", "view=squares");
      assertThat(run("withdraw", "view=squares")).contains("is withdrawn");
      assertThat(run("expire", "older-than=0s"))
          .containsPattern("squares: [1-9]\\d* snapshots expired")
          .contains("tarn_releases: ");
    }

    private String set() {
      return bench.path("set").toString();
    }

    String run(String... words) {
      told.add(words[0]);
      Result result = shell.apply(words);
      assertThat(result.status()).as("%s: %s", List.of(words), result.output()).isZero();
      assertThat(result.output()).doesNotContain("Exception", "unexpected:");
      return result.output();
    }
  }
}
