package dev.tarn.etl.job;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonSyntaxException;
import dev.tarn.cli.AnswerPrinter;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.demo.DemoEvents;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.local.LocalProcess;
import dev.tarn.etl.local.LocalRedis;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.read.SnapshotLookup;
import dev.tarn.etl.redis.RedisServers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs the command {@code demo}: takes made-up events all the way, with the steps and the server
 * that real data take, and compares an online answer with the snapshots that it names.
 */
public final class DemoJob {

  private static final List<String> VIEWS = List.of("user_activity", "user_location");
  private static final List<String> IDS = List.of("1", "2", "3");
  private static final int AS_OFS = 3;

  private final CommandLine line;
  private final Settings settings;
  private final Console console;
  private final Path tarn;

  private DemoJob(CommandLine line, Settings settings, Console console) {
    this.line = line;
    this.settings = settings;
    this.console = console;
    this.tarn = settings.home().resolve("tarn");
  }

  public static void run(CommandLine line, Settings settings, Console console) {
    new DemoJob(line, settings, console).run();
  }

  private void run() {
    long rows = line.number("rows", 1_000, 1_000_000);
    long users = line.number("users", 3, Math.max(100, rows / 20));
    long seed = line.number("seed", 0, 1);
    Definitions definitions = Definitions.load(settings);
    List<FeatureView> views = VIEWS.stream().map(definitions::view).toList();
    Instant today = Instant.now().truncatedTo(ChronoUnit.DAYS);
    List<Instant> asOfs = new ArrayList<>();
    for (int day = AS_OFS - 1; day >= 0; day--) {
      asOfs.add(today.minus(day, ChronoUnit.DAYS));
    }

    step(1, "a local Redis");
    LocalRedis.up(settings, console);
    try (Lake lake = Lake.open(settings)) {
      step(
          2,
          "%s of %s over %d days",
          Plural.of(rows, "card payment"),
          Plural.of(users, "user"),
          DemoEvents.DAYS);
      Path folder = settings.state().resolve("demo").resolve("transactions");
      Instant start = Instant.now();
      try (Pulse pulse = TaskProgress.show(lake, console, "writing")) {
        DemoEvents.write(lake.spark(), folder, rows, users, seed, today);
      }
      console.say("written to %s in %.1f s", folder, seconds(start));

      step(3, "build: features at %d as-ofs, checked, then published in Iceberg", AS_OFS);
      for (FeatureView view : views) {
        new Build(lake, console).build(view, asOfs, false);
      }

      step(4, "push: the newest snapshot of each view to Redis, and release");
      RedisServers redis = RedisServers.connect(settings);
      for (FeatureView view : views) {
        new Push(lake, redis, settings, console)
            .push(List.of(view), definitions.storedServices(List.of(view)), Push.Request.NEWEST);
      }

      step(5, "serve: the lookup server");
      serve();

      step(6, "get: users %s online, over gRPC", String.join(", ", IDS));
      String ids = "ids=" + String.join(",", IDS);
      JsonObject online = lookUp(ids);

      step(7, "get with snapshot=: the same users from the snapshots that the answer names");
      compare(online, new SnapshotLookup(lake), definitions);
    }
    console.result(next());
  }

  /** Starts the server in the background, in place of one that an earlier demo left there. */
  private void serve() {
    LocalProcess server = new LocalProcess(LocalRedis.serverPidFile(settings));
    server.stop();
    Path log = settings.state().resolve("logs").resolve("serve.out");
    try {
      Files.createDirectories(log.getParent());
      Process process =
          new ProcessBuilder(command("serve"))
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      server.remember(process.toHandle());
      Instant start = Instant.now();
      while (!Files.readString(log).contains("serving on")) {
        boolean tooLate = Duration.between(start, Instant.now()).toSeconds() > 30;
        if (tooLate || process.waitFor(50, TimeUnit.MILLISECONDS)) {
          server.stop();
          throw new TarnException(
              "the server did not start: %s".formatted(Files.readString(log).strip()));
        }
      }
      console.say("%s (%.1f s)", Files.readString(log).strip(), seconds(start));
    } catch (IOException e) {
      throw new TarnException("can't start the server: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  /** Runs {@code ./tarn get} and returns its answer as JSON. */
  private JsonObject lookUp(String ids) {
    try {
      Path errors = Files.createTempFile("tarn-demo", ".err");
      Process process =
          new ProcessBuilder(command("get", "entity=user", ids, "format=json"))
              .redirectError(errors.toFile())
              .start();
      String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int status = process.waitFor();
      String error = Files.readString(errors);
      Files.delete(errors);
      if (status != 0) {
        throw new TarnException("the lookup failed: " + error.strip());
      }
      return JsonParser.parseString(answer).getAsJsonObject();
    } catch (IOException | JsonSyntaxException e) {
      throw new TarnException("the lookup failed: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  private void compare(JsonObject online, SnapshotLookup snapshots, Definitions definitions) {
    TextTable table =
        new TextTable(
            "user", "feature", "online (Redis)", "Iceberg snapshot", "same", "snapshot id");
    int values = 0;
    int different = 0;
    JsonArray versions = online.getAsJsonArray("versions");
    for (JsonElement element : versions) {
      JsonObject version = element.getAsJsonObject();
      FeatureView view = definitions.view(version.get("feature_view").getAsString());
      String snapshotId = version.get("snapshot_id").getAsString();
      JsonObject offline =
          JsonParser.parseString(
                  AnswerPrinter.json(snapshots.get(view, snapshotId, IDS, List.of()), IDS))
              .getAsJsonObject();
      for (String id : IDS) {
        JsonObject there = features(offline, id);
        JsonObject here = features(online, id);
        for (var feature : view.features()) {
          String onlineText = String.valueOf(here.get(feature.name()));
          String offlineText = String.valueOf(there.get(feature.name()));
          boolean isSame = onlineText.equals(offlineText);
          values++;
          different += isSame ? 0 : 1;
          table.row(id, feature.name(), onlineText, offlineText, isSame ? "yes" : "NO", snapshotId);
        }
      }
    }
    console.result(table.toString());
    if (different > 0 || values == 0) {
      throw new TarnException(
          "%d of %d values differ between the online answer and its snapshots"
              .formatted(different, values));
    }
    console.say(
        "All %d values are equal: online and in the snapshots that the answer named.", values);
  }

  private static JsonObject features(JsonObject answer, String id) {
    return answer.getAsJsonObject("results").getAsJsonObject(id).getAsJsonObject("features");
  }

  private List<String> command(String... words) {
    List<String> command = new ArrayList<>();
    command.add(tarn.toString());
    command.addAll(Arrays.asList(words));
    command.addAll(line.settingWords());
    return command;
  }

  private void step(int number, String format, Object... values) {
    console.say("");
    console.say("[%d/7] " + format, prepend(number, values));
  }

  private static Object[] prepend(Object first, Object[] rest) {
    Object[] all = new Object[rest.length + 1];
    all[0] = first;
    System.arraycopy(rest, 0, all, 1, rest.length);
    return all;
  }

  private static double seconds(Instant since) {
    return Duration.between(since, Instant.now()).toMillis() / 1000.0;
  }

  private static String next() {
    return """

        Redis and the server keep running. To try next:
          ./tarn get ids=1,2,3 features=txn_count_7d,last_country
          ./tarn get ids=42 format=json
          ./tarn versions
          ./tarn get ids=42 snapshot=<a snapshot id of above>
          ./tarn build view=user_activity as-of=<yyyy-mm-dd>   then   ./tarn push view=user_activity
          ./tarn validate            after changing conf/features/users.conf
          ./tarn down                stops Redis and the server""";
  }
}
