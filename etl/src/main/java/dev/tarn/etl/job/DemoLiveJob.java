package dev.tarn.etl.job;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
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
import dev.tarn.cli.UsageException;
import dev.tarn.etl.archive.Archive;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.demo.LivePayments;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.local.Companions;
import dev.tarn.etl.local.KafkaProcess;
import dev.tarn.etl.local.LocalRedis;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.read.StampLookup;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.live.StampText;
import dev.tarn.manifest.Stamp;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Runs the command {@code demo live}: payments flow through a broker of its own into live features,
 * which are watched, pushed and rolled back meanwhile, and asked again from Iceberg in the end. All
 * but the local Redis ends with the command.
 */
public final class DemoLiveJob {

  private static final String VIEW = "user_live";
  private static final String NAMESPACE = "demo-live";
  private static final int STEPS = 6;
  private static final int WATCHED = 3;
  private static final long MOST_RATE = 2_000;
  private static final long LEAST_SECONDS = 5;
  private static final long MOST_SECONDS = 300;
  private static final int PAST_PAYMENTS = 20_000;
  private static final Duration PAST = Duration.ofHours(2);
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Features that only new payments change: their windows do not slide. */
  private static final List<String> STEADY = List.of("payments", "spend", "last_merchant");

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneOffset.UTC);
  private static final Pattern SERVING = Pattern.compile("serving on (127\\.0\\.0\\.1:\\d+)");

  /** A small heap, and compiled little: these processes live for a minute. */
  private static final Map<String, String> SHORT =
      Map.of("TARN_MEMORY", "700m", "TARN_JOB_OPTS", "-XX:TieredStopAtLevel=1");

  private final CommandLine line;
  private final Console console;
  private final long rate;
  private final long seconds;
  private final Settings given;
  private final Path folder;
  private final Companions companions;

  private DemoLiveJob(CommandLine line, Settings given, Console console) {
    this.line = line;
    this.given = given;
    this.console = console;
    rate = bounded("rate", 1, MOST_RATE, 200);
    seconds = bounded("seconds", LEAST_SECONDS, MOST_SECONDS, 20);
    folder = given.state().resolve(NAMESPACE).toAbsolutePath();
    companions = new Companions(folder);
  }

  private long bounded(String name, long least, long most, long byDefault) {
    long number = line.number(name, least, byDefault);
    if (number > most) {
      throw new UsageException("%s=%d: it is %d at most".formatted(name, number, most));
    }
    return number;
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    DemoLiveJob demo = new DemoLiveJob(line, given, console);
    try (Companions ended = demo.companions) {
      demo.run();
    } catch (RuntimeException e) {
      // Whoever ends the demo by Ctrl-C wants no report of what was missing afterwards.
      if (!demo.companions.isClosed()) {
        throw e;
      }
    }
  }

  private void run() {
    Instant start = Instant.now();
    step(1, "a Redis, a Kafka broker and Spark, at the same time");
    companions.endLeftOver("live", "serve", "get");
    KafkaProcess.endLeftOver(folder.resolve("kafka"));
    clear();
    CompletableFuture<KafkaProcess> starting =
        CompletableFuture.supplyAsync(
            () ->
                companions.add(
                    KafkaProcess.start(given.home(), folder.resolve("kafka"), Map.of())));
    LocalRedis.up(given, console);
    LocalRedis.forget(given, NAMESPACE);
    Process server = start("serve", List.of("serving.port=0", "serving.http-port=-1"), false);
    KafkaProcess broker = join(starting);
    console.say("Kafka runs on %s; its data are in %s", broker.address(), folder.resolve("kafka"));
    LivePayments payments = companions.add(LivePayments.create(broker.address(), WATCHED));
    String address = "kafka.bootstrap.servers=" + broker.address();
    Process live = start("live", List.of("views=" + VIEW, address), false);
    payments.sendPast(PAST_PAYMENTS, PAST);
    Settings settings = settings(address);
    try (Lake lake = Lake.open(settings)) {
      payments.flow((double) rate);
      step(
          2,
          "%s of the last %d hours, and %s more each second: archived, pushed as a base",
          Plural.of(PAST_PAYMENTS, "payment"),
          PAST.toHours(),
          Plural.of(rate, "payment"));
      Definitions definitions = Definitions.load(settings);
      FeatureView view = definitions.view(VIEW);
      archive(lake, settings, definitions);
      push(lake, settings, view);

      step(3, "live features of %d users, as a server answers them", WATCHED);
      Answers answers = new Answers(server, live, payments.ids());
      watch(answers, seconds);

      step(
          4,
          "a push and a rollback, while these %d users pay nothing and the others go on",
          WATCHED);
      payments.rest(true);
      List<JsonObject> kept = new ArrayList<>();
      Instant resting = Instant.now();
      kept.add(answers.next(answer -> isLater(answer, resting)));
      String first = version(kept.get(0));
      archive(lake, settings, definitions);
      push(lake, settings, view);
      kept.add(answers.next(answer -> !version(answer).equals(first)));
      rollBack();
      kept.add(answers.next(answer -> version(answer).equals(first)));
      compare(kept);
      payments.rest(false);

      step(5, "they pay again");
      watch(answers, Math.max(3, seconds / 4));
      kept.add(answers.next(answer -> true));
      payments.stop();
      console.say("%,d payments in all", payments.count());

      step(6, "the answers again, from Iceberg alone, by their stamps");
      archive(lake, settings, definitions);
      askAgain(kept, new StampLookup(lake), definitions);
    }
    console.say(
        "\nDone in %d s. Everything has ended but Redis, which ./tarn down stops.",
        Duration.between(start, Instant.now()).toSeconds());
  }

  private void clear() {
    try {
      if (Files.exists(folder)) {
        MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
      }
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new TarnException("can't empty %s: %s".formatted(folder, e.getMessage()), e);
    }
  }

  private static KafkaProcess join(CompletableFuture<KafkaProcess> starting) {
    try {
      return starting.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof TarnException known) {
        throw known;
      }
      throw e;
    }
  }

  /** The settings as they are typed: the user's, but for what the demo has for itself. */
  private List<String> words(List<String> more) {
    List<String> own =
        new ArrayList<>(
            List.of(
                "state=" + folder,
                "definitions=" + given.home().resolve("conf/examples/live-payments"),
                "database=demo",
                "catalog.type=jdbc",
                "catalog.uri=jdbc:sqlite:" + folder.resolve("catalog.db"),
                "catalog.warehouse=" + folder.resolve("warehouse"),
                "redis.namespace=" + NAMESPACE,
                "live.http-port=-1"));
    own.addAll(more);
    List<String> words =
        new ArrayList<>(
            line.settingWords().stream()
                .filter(word -> own.stream().noneMatch(one -> name(one).equals(name(word))))
                .toList());
    words.addAll(own);
    return words;
  }

  private static String name(String word) {
    return word.substring(0, word.indexOf('='));
  }

  private Settings settings(String... more) {
    List<String> words = new ArrayList<>(List.of("push"));
    words.addAll(words(Arrays.asList(more)));
    return Settings.load(CommandLine.parse(words.toArray(new String[0])).orElseThrow());
  }

  private Process start(String command, List<String> more, boolean withPipe) {
    List<String> words = new ArrayList<>(List.of(given.home().resolve("tarn").toString(), command));
    words.addAll(words(more));
    return companions.start(command, words, SHORT, withPipe);
  }

  private static void archive(Lake lake, Settings settings, Definitions definitions) {
    var unused =
        new Archive(
                lake,
                settings,
                Console.silent(),
                definitions.streamSource(LivePayments.TOPIC),
                new Archive.Request(false, false))
            .copy();
  }

  private void push(Lake lake, Settings settings, FeatureView view) {
    var unused =
        new Push(lake, RedisServers.connect(settings), settings, console)
            .push(List.of(view), List.of(), Push.Request.NEWEST);
  }

  private void rollBack() {
    Process rollback = start("rollback", List.of("view=" + VIEW), false);
    try {
      if (!rollback.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS) || rollback.exitValue() != 0) {
        throw new TarnException("the rollback failed; see " + companions.log("rollback"));
      }
      console.say("%s", Files.readString(companions.log("rollback")).strip());
    } catch (IOException e) {
      throw new TarnException("can't read the log of the rollback: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  /** Shows an answer a second. */
  private void watch(Answers answers, long lines) {
    StringBuilder head = new StringBuilder("%-8s  %-10s".formatted("time", "version"));
    StringBuilder names = new StringBuilder("%-8s  %-10s".formatted("", ""));
    for (String id : answers.ids()) {
      head.append("  %-24s".formatted("user " + id));
      names.append("  %7s %8s %7s".formatted("in 1 m", "EUR", "ever"));
    }
    console.say("%s\n%s", head.toString().stripTrailing(), names);
    for (long i = 0; i < lines; i++) {
      JsonObject answer = answers.next(any -> true);
      StringBuilder row =
          new StringBuilder("%-8s  %-10s".formatted(TIME.format(Instant.now()), version(answer)));
      for (String id : answers.ids()) {
        row.append(
            "  %7s %8s %7s"
                .formatted(
                    value(answer, id, "payments_1m"),
                    value(answer, id, "spend_1m"),
                    value(answer, id, "payments")));
      }
      console.say("%s", row);
    }
  }

  private void compare(List<JsonObject> answers) {
    TextTable table = new TextTable("user", "feature", "before", "pushed", "rolled back", "same");
    boolean isSame = true;
    table.row(
        "",
        "version",
        version(answers.get(0)),
        version(answers.get(1)),
        version(answers.get(2)),
        "");
    for (String id : answers.get(0).getAsJsonObject("results").keySet()) {
      for (String feature : STEADY) {
        List<String> values =
            answers.stream().limit(3).map(answer -> value(answer, id, feature)).toList();
        boolean isOne = values.stream().distinct().count() == 1;
        isSame &= isOne;
        table.row(id, feature, values.get(0), values.get(1), values.get(2), isOne ? "yes" : "NO");
      }
    }
    console.result(table.toString());
    if (!isSame) {
      throw new TarnException("a push or a rollback has changed a value");
    }
    console.say("No value has changed.");
  }

  /** Asks the last answers of all users and the first user's earlier ones again. */
  private void askAgain(List<JsonObject> answers, StampLookup iceberg, Definitions definitions) {
    TextTable table =
        new TextTable("answer of", "version", "user", "feature", "online", "Iceberg", "same");
    int values = 0;
    int different = 0;
    for (int i = 0; i < answers.size(); i++) {
      JsonObject answer = answers.get(i);
      boolean isLast = i == answers.size() - 1;
      for (String id : answer.getAsJsonObject("results").keySet()) {
        if (!isLast && !id.equals("1")) {
          continue;
        }
        Stamp stamp =
            StampText.parse(
                answer.getAsJsonObject("results").getAsJsonObject(id).get("stamp").getAsString());
        JsonObject again =
            JsonParser.parseString(
                    AnswerPrinter.json(
                        iceberg.get(definitions, stamp, List.of(id), List.of()), List.of(id)))
                .getAsJsonObject();
        String at = TIME.format(Instant.EPOCH.plus(stamp.getMicros(), ChronoUnit.MICROS));
        for (Feature feature : definitions.view(VIEW).features()) {
          String online = value(answer, id, feature.name());
          String there = value(again, id, feature.name());
          boolean isSame = online.equals(there);
          values++;
          different += isSame ? 0 : 1;
          table.row(at, version(answer), id, feature.name(), online, there, isSame ? "yes" : "NO");
        }
      }
    }
    console.result(table.toString());
    if (different > 0) {
      throw new TarnException(
          "%d of %d values differ between the answers and Iceberg".formatted(different, values));
    }
    console.say(
        "All %d values are equal: online and from Iceberg, by the answers' stamps.", values);
  }

  private static String version(JsonObject answer) {
    return answer.getAsJsonArray("versions").get(0).getAsJsonObject().get("version").getAsString();
  }

  /** Whether the stream is known to be applied up to a moment. */
  private static boolean isLater(JsonObject answer, Instant moment) {
    JsonElement through =
        answer.getAsJsonArray("versions").get(0).getAsJsonObject().get("complete_through");
    return through != null && Instant.parse(through.getAsString()).isAfter(moment);
  }

  private static String value(JsonObject answer, String id, String feature) {
    JsonObject entity = answer.getAsJsonObject("results").getAsJsonObject(id);
    return Optional.ofNullable(entity.getAsJsonObject("features").get(feature))
        .map(value -> value.isJsonNull() ? "-" : value.getAsString())
        .orElse(
            Optional.ofNullable(entity.getAsJsonObject("statuses").get(feature))
                .map(JsonElement::getAsString)
                .orElse("-"));
  }

  /** What a client that asks again and again is answered. */
  private final class Answers {

    private final Process server;
    private final Process live;
    private final List<String> ids;
    private final BufferedReader lines;

    Answers(Process server, Process live, List<String> ids) {
      this.server = server;
      this.live = live;
      this.ids = ids;
      lines =
          start(
                  "get",
                  List.of(
                      "entity=user",
                      "ids=" + String.join(",", ids),
                      "every=1s",
                      "format=json",
                      "target=" + address()),
                  true)
              .inputReader(StandardCharsets.UTF_8);
    }

    List<String> ids() {
      return ids;
    }

    private String address() {
      Instant start = Instant.now();
      while (true) {
        try {
          Matcher serving = SERVING.matcher(Files.readString(companions.log("serve")));
          if (serving.find()) {
            return serving.group(1);
          }
          if (server.waitFor(50, TimeUnit.MILLISECONDS) || isLate(start)) {
            throw new TarnException("the server did not start; see " + companions.log("serve"));
          }
        } catch (IOException e) {
          throw new TarnException("can't read the server's log: " + e.getMessage(), e);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new TarnException("interrupted", e);
        }
      }
    }

    /** The next answer that is as wanted. */
    JsonObject next(Predicate<JsonObject> isWanted) {
      Instant start = Instant.now();
      while (true) {
        if (!live.isAlive()) {
          throw new TarnException("the live job has ended; see " + companions.log("live"));
        }
        try {
          String text = lines.readLine();
          if (text == null) {
            throw new TarnException("the client has ended; see " + companions.log("get"));
          }
          JsonObject answer = JsonParser.parseString(text).getAsJsonObject();
          if (isWanted.test(answer)) {
            return answer;
          }
        } catch (IOException | JsonSyntaxException e) {
          throw new TarnException("no answer can be read: " + e.getMessage(), e);
        }
        if (isLate(start)) {
          throw new TarnException(
              "the answer did not come within %d s; see %s and %s"
                  .formatted(
                      PATIENCE.toSeconds(), companions.log("live"), companions.log("serve")));
        }
      }
    }

    private static boolean isLate(Instant start) {
      return Duration.between(start, Instant.now()).compareTo(PATIENCE) > 0;
    }
  }

  private void step(int number, String format, Object... values) {
    console.say("");
    console.say("[%d/%d] %s", number, STEPS, String.format(Locale.ROOT, format, values));
  }
}
