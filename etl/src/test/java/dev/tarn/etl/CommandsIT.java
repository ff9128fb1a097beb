package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Each command of {@code ./tarn help}, run once on the jars as they are shipped: by the launcher,
 * and by a stock spark-submit. A class that only the tests' class path has is missing here.
 */
@Tag("slow")
class CommandsIT {

  /** Run by the launcher in {@link DemoIT}. */
  private static final String DEMO = "demo";

  /** Begins the commands of another program, which is not shipped and has tests of its own. */
  private static final String BENCHMARK = "bench ";

  /** What needs no Spark and is run by the launcher alone. */
  private static final Set<String> LOCAL = Set.of("up", "down", "serve");

  private static final Pattern HELP = Pattern.compile("(?m)^  ([a-z]+(?: [a-z]+)?) {2,}\\S");

  @Test
  void eachCommandOfTheHelpRunsByTheLauncher() throws IOException {
    Workbench bench = bench().set("redis.port", Integer.toString(Workbench.freePort()));
    Story story = new Story(bench, Map.of());
    try {
      story.run("up");
      assertThat(archivesAfterVersions(bench, "Nothing is released yet")).isEmpty();
      story.tellOfVersions();
      assertThat(archivesAfterVersions(bench, "released")).hasSize(1);
      try (LookupProcess server = LookupProcess.startByLauncher(bench)) {
        story.told.add("serve");
        assertThat(story.run("get", "ids=2", "target=127.0.0.1:" + server.port()))
            .contains("square", "4", "PRESENT");
      }
      story.tellOfTheEnd();
    } finally {
      story.run("down");
    }
    Set<String> helped = helped();
    helped.remove(DEMO);
    assertThat(story.told).containsExactlyInAnyOrderElementsOf(helped);
  }

  @Test
  void eachJobRunsUnderStockSparkSubmit() throws IOException {
    Workbench bench = bench();
    Story story = new Story(bench, Map.of("SPARK_HOME", StockSpark.home().toString()));
    story.tellOfVersions();
    story.tellOfTheEnd();
    Result failing =
        Shell.tarn(bench, story.environment, "build", "view=squres", "as-of=2026-01-01");
    assertThat(failing.output()).contains("did you mean 'squares'?");
    assertThat(failing.status()).isEqualTo(2);
    Set<String> helped = helped();
    helped.remove(DEMO);
    helped.removeAll(LOCAL);
    assertThat(story.told).containsExactlyInAnyOrderElementsOf(helped);
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
    bench.define(
        "model.conf",
        """
        feature-services {
          fitted { features = [{ feature = squares.square, transform = [standardize] }] }
        }
        """);
    Files.writeString(bench.path("spine.csv"), "n,event_timestamp\n2,2026-01-09T00:00:00Z\n");
    return bench;
  }

  /** A short story that has each command in it. */
  private static final class Story {

    private final Workbench bench;
    private final Map<String, String> environment;
    private final Set<String> told = new TreeSet<>();

    Story(Workbench bench, Map<String, String> environment) {
      this.bench = bench;
      this.environment = environment;
    }

    /** Makes versions, a training set and a fit. */
    void tellOfVersions() {
      assertThat(run("validate", "out=" + bench.path("definitions.json")))
          .contains("All definitions are right: 1 entity, 1 source, 1 feature view");
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

    /** Lets all of it go again. */
    void tellOfTheEnd() {
      assertThat(run("manifests")).contains(set());
      run("retire", "manifest=" + set());
      assertThat(run("drop", "view=squares", "as-of=2026-01-03")).contains("is dropped");
      String versions = run("versions", "format=json");
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
      Result result = Shell.tarn(bench, environment, words);
      assertThat(result.status()).as("%s: %s", List.of(words), result.output()).isZero();
      assertThat(result.output()).doesNotContain("Exception", "unexpected:");
      return result.output();
    }
  }
}
