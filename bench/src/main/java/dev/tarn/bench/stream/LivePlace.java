package dev.tarn.bench.stream;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import dev.tarn.bench.testbed.JobProcess;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.Archive;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.job.RollbackJob;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.local.KafkaProcess;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.live.Progress;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import redis.clients.jedis.Jedis;

/**
 * All that a benchmark of live views has for itself: a folder, a catalog, a broker with the topic
 * of the payments, a Redis that it is given, live jobs and servers.
 */
public final class LivePlace implements AutoCloseable {

  /** Options of the JVM of a live job. */
  private static final List<String> LIVE_JVM = List.of("-Xmx768m", "-XX:+UseG1GC");

  private final Console console;
  private final Path folder;
  private final int redisPort;
  private final List<String> words;
  private final Settings settings;
  private final RedisServers servers;
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final KafkaProcess broker;
  private final Topic topic;
  private final Lake lake;

  private LivePlace(
      Console console,
      Path folder,
      int redisPort,
      List<String> words,
      KafkaProcess broker,
      Topic topic,
      Lake lake) {
    this.console = console;
    this.folder = folder;
    this.redisPort = redisPort;
    this.words = words;
    this.settings = settings(words);
    this.servers = RedisServers.connect(settings);
    this.broker = broker;
    this.topic = topic;
    this.lake = lake;
  }

  /** Makes a folder empty in which a place is to be, and ends what an earlier run could not end. */
  public static void clear(Path folder) throws IOException {
    ServerProcess.endLeftOver(folder.resolve("server"));
    KafkaProcess.endLeftOver(folder.resolve("kafka"));
    if (Files.exists(folder)) {
      MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    Files.createDirectories(folder);
  }

  /**
   * Starts broker and Spark at the same time.
   *
   * @param folder has the definitions in the folder {@code features}
   * @param redisPort of a Redis that is empty
   * @param more settings, as they are typed
   */
  public static LivePlace start(
      Settings given,
      Console console,
      Path folder,
      int redisPort,
      int partitions,
      List<String> more) {
    CompletableFuture<KafkaProcess> starting =
        CompletableFuture.supplyAsync(
            () -> KafkaProcess.start(home(given), folder.resolve("kafka"), Map.of()));
    List<String> words =
        new ArrayList<>(
            List.of(
                "home=" + home(given),
                "state=" + folder,
                "definitions=" + folder.resolve("features"),
                "database=features",
                "catalog.type=jdbc",
                "catalog.uri=jdbc:sqlite:" + folder.resolve("catalog.db"),
                "catalog.warehouse=" + folder.resolve("warehouse"),
                "catalog.jdbc.schema-version=V1",
                "redis.host=127.0.0.1",
                "redis.port=" + redisPort,
                "redis.database=0",
                "redis.user=",
                "redis.password=",
                "redis.tls=false",
                "redis.namespace=live",
                "live.http-port=-1",
                "push.grace=1s",
                "push.patience=30s"));
    words.addAll(more);
    Lake lake;
    try {
      lake = Lake.open(settings(words));
    } catch (RuntimeException e) {
      starting.thenAccept(KafkaProcess::close).join();
      throw e;
    }
    KafkaProcess broker = starting.join();
    words.add("kafka.bootstrap.servers=" + broker.address());
    return new LivePlace(
        console,
        folder,
        redisPort,
        List.copyOf(words),
        broker,
        Topic.create(broker.address(), partitions),
        lake);
  }

  /** Tarn's own folder. A test says where it is, whose settings are those of a workbench. */
  private static Path home(Settings given) {
    return Path.of(System.getProperty("tarn.home", given.home().toString())).toAbsolutePath();
  }

  private static Settings settings(List<String> words) {
    List<String> all = new ArrayList<>(List.of("push"));
    all.addAll(words);
    return Settings.load(CommandLine.parse(all.toArray(new String[0])).orElseThrow());
  }

  public Settings settings() {
    return settings;
  }

  /** The settings as they are typed. */
  public List<String> words() {
    return words;
  }

  public Lake lake() {
    return lake;
  }

  public Topic topic() {
    return topic;
  }

  public KafkaProcess broker() {
    return broker;
  }

  public int redisPort() {
    return redisPort;
  }

  public Jedis redis() {
    return new Jedis("127.0.0.1", redisPort, 60_000);
  }

  public RedisKeys keys() {
    return settings.read(RedisSettings::of).keys();
  }

  public FeatureView view(String name) {
    return Definitions.load(settings).view(name);
  }

  /** Has something ended with this place, before what was opened earlier. */
  public <T extends AutoCloseable> T opened(T thing) {
    synchronized (open) {
      open.push(thing);
    }
    return thing;
  }

  /** Copies what the topic has to the event table. */
  public void archive() {
    var unused =
        new Archive(
                lake,
                settings,
                Console.silent(),
                Definitions.load(settings).streamSource(LiveViews.SOURCE),
                new Archive.Request(false, false))
            .copy();
  }

  /** Pushes a view and releases it. */
  public void push(String view) {
    var unused =
        new Push(lake, servers, settings, Console.silent())
            .push(List.of(view(view)), List.of(), Push.Request.NEWEST);
  }

  /** Releases the version before the released one, and lets the next push release again. */
  public void rollBack(String view) {
    List<String> all = new ArrayList<>(List.of("rollback", "view=" + view));
    all.addAll(words);
    RollbackJob.run(
        CommandLine.parse(all.toArray(new String[0])).orElseThrow(), settings, Console.silent());
    versions().unpin(view);
  }

  public VersionStore versions() {
    return new VersionStore(servers);
  }

  /** What is released of a live view. */
  public VersionRecord released(String view) {
    return versions()
        .releasedRecord(view)
        .orElseThrow(() -> new TarnException("nothing is released of " + view));
  }

  /** Starts a live job. */
  public JobProcess live(String name, String views) {
    List<String> all = new ArrayList<>(List.of("live", "views=" + views));
    all.addAll(words);
    return opened(JobProcess.start(folder.resolve(name + ".log"), LIVE_JVM, all));
  }

  /** Starts a server; {@code port} 0: any that is free. */
  public ServerProcess server(int port) throws IOException {
    return opened(
        ServerProcess.small(
            ServingJar.of(settings),
            folder.resolve("server"),
            List.of(
                "state=" + folder,
                "serving.port=" + port,
                "serving.http-port=-1",
                "serving.poll=100ms",
                "serving.max-entities=20000",
                "redis.port=" + redisPort,
                "redis.namespace=live")));
  }

  /** The first offset of each partition that may not be applied yet. */
  public long[] progress(String view) {
    LiveBase base = released(view).getLive();
    try (Jedis jedis = redis()) {
      Map<Integer, Progress> progress =
          Progress.parse(jedis.hgetAll(keys().applied(view, base.getGeneration())));
      long[] next = new long[topic.partitions()];
      for (int i = 0; i < next.length; i++) {
        next[i] =
            Optional.ofNullable(progress.get(i))
                .map(Progress::next)
                .orElse(base.getCutOrDefault(i, 0));
      }
      return next;
    }
  }

  /** Events of the topic that are not applied to a view. */
  public long lag(String view) {
    return Arrays.stream(topic.ends()).sum() - Arrays.stream(progress(view)).sum();
  }

  /** Waits until a live job has applied everything. */
  public void awaitApplied(String view, JobProcess live, long seconds) {
    await(
        "live did not reach the end of the topic",
        seconds,
        () -> {
          live.requireAlive();
          return lag(view) <= 0;
        });
  }

  /**
   * Waits for something.
   *
   * @throws TarnException with the message, if it does not come in this time
   */
  public static void await(String message, long seconds, BooleanSupplier isThere) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (!isThere.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new TarnException("%s within %d s".formatted(message, seconds));
      }
      pause(20);
    }
  }

  /** Waits for some milliseconds. */
  public static void pause(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  @Override
  public void close() {
    synchronized (open) {
      while (!open.isEmpty()) {
        try {
          open.pop().close();
        } catch (Exception e) { // as AutoCloseable says; the others are to be closed still
          console.say("could not be ended: %s", Causes.reason(e));
        }
      }
    }
    topic.close();
    lake.close();
    broker.close();
  }
}
