package dev.tarn.etl;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.redis.FreePort;
import dev.tarn.redis.RedisExecutable;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.apache.spark.sql.SparkSession;
import org.awaitility.Awaitility;
import redis.embedded.RedisServer;
import scala.Option;

/**
 * A place to try Tarn in a test: real Spark, a real Iceberg catalog on SQLite, a real Redis, and a
 * folder for definitions and sources. The JVM's tests share the processes; each workbench has its
 * own namespace in the catalog and in Redis, so tests don't see each other.
 */
public final class Workbench {

  /** A program that runs a command and returns its exit status. */
  @FunctionalInterface
  public interface Program {
    int run(Console console, Function<CommandLine, Settings> load, String... words);
  }

  private static final String PASSWORD = "redis.password";
  private static final AtomicInteger NUMBER = new AtomicInteger();

  static {
    // A limit for what never happens; a promise of time is not tested.
    Awaitility.setDefaultTimeout(Duration.ofMinutes(1));
  }

  private static final Path SHARED = temporaryFolder();
  private static final RedisServer REDIS = startRedis(Map.of());

  // Tests ask for the lake over and over; opening it takes a while each time.
  private static Lake lake;
  private static Map<String, String> lakeSettings = Map.of();

  private final Path folder;
  private final Map<String, String> settings = new TreeMap<>();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Console console = new Console(utf8(out), utf8(err));

  /** A workbench with everything empty. */
  public Workbench() {
    int number = NUMBER.incrementAndGet();
    folder = SHARED.resolve("bench" + number);
    try {
      Files.createDirectories(folder.resolve("features"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    set("home", folder.toString());
    set("state", SHARED.toString());
    set("definitions", folder.resolve("features").toString());
    set("database", "bench" + number);
    set("catalog.uri", "jdbc:sqlite:" + SHARED.resolve("catalog.db"));
    set("catalog.warehouse", SHARED.resolve("warehouse").toString());
    set("redis.port", Integer.toString(REDIS.ports().get(0)));
    set("redis.namespace", "bench" + number);
    // What a test waits for in vain: lookups that nobody makes, a server that stays away.
    set("push.grace", "0s");
    set("push.patience", "2s");
  }

  /** Sets a setting, e.g. {@code push.keep}. */
  public Workbench set(String name, String value) {
    settings.put(name, value);
    return this;
  }

  /** A file below the workbench's folder. */
  public Path path(String name) {
    return folder.resolve(name);
  }

  /** Writes a definition file, in place of an earlier one of that name. */
  public Workbench define(String file, String hocon) {
    try {
      Files.writeString(folder.resolve("features").resolve(file), hocon);
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public Settings settings() {
    Config overrides = ConfigFactory.empty();
    for (Map.Entry<String, String> setting : settings.entrySet()) {
      overrides =
          overrides.withValue(
              "tarn." + setting.getKey(), ConfigValueFactory.fromAnyRef(setting.getValue()));
    }
    return Settings.load(overrides);
  }

  /** The settings as they are typed on a command line: all but the password. */
  public List<String> settingWords() {
    return settings.entrySet().stream()
        .filter(s -> !s.getKey().equals(PASSWORD))
        .map(s -> s.getKey() + "=" + s.getValue())
        .toList();
  }

  /** The lake of this workbench. Spark starts with the first and stays for all that follow. */
  public Lake lake() {
    Option<SparkSession> ofThread = SparkSession.getActiveSession();
    synchronized (SHARED) {
      boolean isOtherThreads =
          lake != null && ofThread.isDefined() && ofThread.get() != lake.spark();
      if (isOtherThreads && !ofThread.get().sparkContext().isStopped()) {
        // A test that runs several jobs at once gives each a session of its own, as processes have.
        return Lake.open(settings());
      }
      boolean isOpen = settings.equals(lakeSettings) && !lake.spark().sparkContext().isStopped();
      if (!isOpen) {
        lake = Lake.open(settings());
        lakeSettings = Map.copyOf(settings);
      }
      return lake;
    }
  }

  /** Stops Spark, so that what needs it next starts it as a command does in a JVM of its own. */
  public void stopSpark() {
    spark().stop();
  }

  public SparkSession spark() {
    return lake().spark();
  }

  public Definitions definitions() {
    return Definitions.load(settings());
  }

  public RedisServers redis() {
    return RedisServers.connect(settings());
  }

  public VersionStore versions() {
    return new VersionStore(redis());
  }

  /** Builds a view as a single-as-of build does: what is there is replaced. */
  public List<Build.AsOfOutcome> build(String view, String... asOfs) {
    List<Instant> instants = List.of(asOfs).stream().map(Instant::parse).toList();
    return new Build(lake(), console).build(definitions().view(view), instants, false);
  }

  /** Pushes and releases the newest snapshot of a view. */
  public Push.Outcome push(String view) {
    return push(Push.Request.NEWEST, view).get(0);
  }

  /** Pushes views as asked and releases them together. */
  public List<Push.Outcome> push(Push.Request request, String... names) {
    Definitions definitions = definitions();
    List<FeatureView> views = List.of(names).stream().map(definitions::view).toList();
    return new Push(lake(), redis(), settings(), console)
        .push(views, definitions.storedServices(views), request);
  }

  /**
   * Runs a command as the command line does, in this JVM. It stops Spark only if it started it.
   *
   * @return the exit status
   */
  public int run(String... words) {
    return run(Main::run, words);
  }

  /** Runs a command of another program than {@link Main}, as {@link #run(String...)} does. */
  public int run(Program program, String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    all.addAll(settingWords());
    // What stands in the environment of a command is not in that of this JVM.
    Config environment =
        ConfigFactory.parseMap(Map.of("tarn.redis.password", settings.getOrDefault(PASSWORD, "")));
    return program.run(
        console,
        line -> Settings.load(line.settings().withFallback(environment)),
        all.toArray(new String[0]));
  }

  /** Returns what was written to stdout and stderr since the last call of this method. */
  public String output() {
    String text = out.toString(StandardCharsets.UTF_8) + err.toString(StandardCharsets.UTF_8);
    out.reset();
    err.reset();
    return text;
  }

  /** The workbenches' Redis server, e.g. to look into it. */
  public static int redisPort() {
    return REDIS.ports().get(0);
  }

  /** A Redis of the test's own, to be stopped by it; settings as of redis.conf. */
  public static RedisServer startRedis(Map<String, String> settings) {
    return startRedis(freePort(), settings);
  }

  /** Starts a Redis as {@link #startRedis(Map)} does, on a given port. */
  public static RedisServer startRedis(int port, Map<String, String> settings) {
    try {
      var builder = RedisExecutable.newServer(port).setting("hash-max-ziplist-value 1024");
      settings.forEach((key, value) -> builder.setting(key + " " + value));
      RedisServer server = builder.build();
      server.start();
      Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server)));
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Stops a Redis; one that has stopped already stays so. */
  public static void stop(RedisServer server) {
    try {
      server.stop();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A port that was free a moment ago. */
  public static int freePort() {
    return FreePort.find();
  }

  private static Path temporaryFolder() {
    try {
      Path target = Path.of("target").toAbsolutePath();
      Files.createDirectories(target);
      return Files.createTempDirectory(target, "workbench");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static PrintStream utf8(ByteArrayOutputStream stream) {
    return new PrintStream(stream, true, StandardCharsets.UTF_8);
  }
}
