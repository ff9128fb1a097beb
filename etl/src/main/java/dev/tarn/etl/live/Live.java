package dev.tarn.etl.live;

import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.KafkaSettings;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.sql.internal.SQLConf;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the live cells of views up to date until it is to stop. Each source has a thread that
 * follows its topic; beside them others watch for bases, tell how it goes and tidy up.
 */
public final class Live {

  private static final Logger LOG = LoggerFactory.getLogger(Live.class);

  /** The time that Redis may be silent before it counts as lost. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private final List<LiveView> views;
  private final LiveSettings settings;
  private final Console console;
  private final StopSignal stop;
  private final IcebergCatalog catalog;
  private final RedisServers servers;
  private final BaseWatch watch;
  private final List<Follower> followers = new ArrayList<>();
  private final AtomicReference<RuntimeException> failure = new AtomicReference<>();

  /**
   * Prepares to follow views.
   *
   * @param live views, at least one
   * @param catalog has the ledger of cuts
   * @throws TarnException if Redis can't be reached, or a definition can't be followed
   */
  public Live(
      List<FeatureView> live,
      Settings settings,
      IcebergCatalog catalog,
      Console console,
      StopSignal stop) {
    this.settings = settings.read(LiveSettings::of);
    this.console = console;
    this.stop = stop;
    this.catalog = catalog;
    views = live.stream().map(LiveView::new).toList();
    servers = RedisServers.connect(settings, PATIENCE);
    watch = new BaseWatch(views, this.settings, servers, stop);
    KafkaSettings kafka = settings.read(KafkaSettings::of);
    SQLConf sql = Lake.sqlSettings(settings);
    Map<Source, List<LiveView>> bySource = new LinkedHashMap<>();
    views.forEach(
        view -> bySource.computeIfAbsent(view.source(), s -> new ArrayList<>()).add(view));
    bySource
        .values()
        .forEach(
            ofSource ->
                followers.add(
                    new Follower(
                        ofSource,
                        this.settings,
                        kafka,
                        sql,
                        servers,
                        watch,
                        new SourceMetrics(),
                        console,
                        stop)));
  }

  /**
   * Follows the views until it is to stop.
   *
   * @throws TarnException if it can't go on; the message says why
   */
  public void run() {
    watch.look();
    for (LiveView view : watch.waiting()) {
      console.say(
          "%s: there is no base of this definition yet; it waits for ./tarn push view=%s",
          view.name(), view.name());
    }
    Optional<LiveHttp> http = http();
    try {
      List<Thread> threads = new ArrayList<>();
      for (Follower follower : followers) {
        threads.add(start("live " + follower.source().name(), follower::run));
        Sweeper sweeper = new Sweeper(follower, follower.views(), settings, servers, stop);
        start("sweep " + follower.source().name(), sweeper::run);
      }
      start("versions", watch::run);
      CutsWriter cuts = new CutsWriter(followers, settings, servers, new LiveCuts(catalog), stop);
      threads.add(start("cuts", cuts::run));
      start("report", this::report);
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      stop.ask();
      Thread.currentThread().interrupt();
    } finally {
      stop.ask();
      http.ifPresent(LiveHttp::close);
    }
    if (failure.get() != null) {
      throw failure.get();
    }
  }

  private Thread start(String name, Runnable work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (RuntimeException e) {
                LOG.error(name, e);
                failure.compareAndSet(null, e);
              } finally {
                // All or nothing: whoever watches the process starts it again.
                stop.ask();
              }
            },
            name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private Optional<LiveHttp> http() {
    if (settings.httpPort() < 0) {
      return Optional.empty();
    }
    LiveHttp http =
        new LiveHttp(
            settings.httpHost(),
            settings.httpPort(),
            () -> MetricsText.of(followers),
            this::health);
    console.say("metrics at http://%s:%d/metrics", settings.httpHost(), http.port());
    return Optional.of(http);
  }

  private LiveHttp.Page health() {
    StringBuilder body = new StringBuilder();
    boolean isWell = true;
    for (Follower follower : followers) {
      Optional<String> stopped = follower.metrics().stopped();
      isWell &= stopped.isEmpty();
      body.append(follower.source().name())
          .append(": ")
          .append(stopped.orElse("followed"))
          .append('\n');
      follower
          .metrics()
          .lastTrouble()
          .ifPresent(
              trouble ->
                  body.append("  last error, ")
                      .append(trouble.at())
                      .append(": ")
                      .append(trouble.what())
                      .append('\n'));
    }
    for (LiveView view : watch.waiting()) {
      body.append("%s: waits for ./tarn push view=%s\n".formatted(view.name(), view.name()));
    }
    return new LiveHttp.Page(isWell ? 200 : 503, body.toString());
  }

  /** Says once a while how it goes. */
  private void report() {
    Map<String, Long> before = new LinkedHashMap<>();
    while (!stop.isAsked()) {
      stop.await(settings.reportEvery());
      if (stop.isAsked()) {
        return;
      }
      for (Follower follower : followers) {
        for (LiveView view : follower.views()) {
          long events = follower.metrics().view(view.name()).events();
          String said = line(follower, view, events - before.getOrDefault(view.name(), 0L));
          before.put(view.name(), events);
          console.say("%s", said);
          LOG.info("{}", said);
        }
      }
    }
  }

  private String line(Follower follower, LiveView view, long events) {
    if (view.bases().isEmpty()) {
      return "%s: waits for ./tarn push view=%s".formatted(view.name(), view.name());
    }
    SourceMetrics metrics = follower.metrics();
    long offsets = metrics.places().values().stream().mapToLong(SourceMetrics.Place::lag).sum();
    long through =
        metrics.places().values().stream().mapToLong(SourceMetrics.Place::through).min().orElse(0);
    String lag =
        through == 0
            ? "not yet"
            : String.format(
                Locale.ROOT,
                "%.1f s ago",
                Math.max(0, Values.micros(Instant.now()) - through) / 1e6);
    return String.format(
            Locale.ROOT,
            "%s: %s, %,d left, complete %s",
            view.name(),
            Plural.of(events, "event"),
            offsets,
            lag)
        + metrics.stopped().map(why -> "; stopped: " + why).orElse("");
  }
}
