package dev.tarn.bench.live;

import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.stream.Traffic;
import dev.tarn.bench.testbed.JobProcess;
import dev.tarn.bench.testbed.LoadGenerators;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import redis.clients.jedis.Jedis;

/** Measures, one thing after the other. */
final class LiveSpeed {

  private static final String VIEWS = LiveViews.FIVE + "," + LiveViews.TEN;
  private static final List<String> COUNTING_JVM = List.of("-Xmx768m", "-XX:+UseSerialGC");
  private static final int ROUNDS = 3;
  private static final int ROUND_SECONDS = 3;
  private static final int WARM_UP_SECONDS = 4;
  private static final long PATIENCE_SECONDS = 300;

  /** Answers whose sums are compared at the end. */
  private static final int COMPARED = 500;

  /** Events that a producer is ahead of live at the most. */
  private static final long LEAD = 200_000;

  private final LivePlace place;
  private final LiveSizes sizes;
  private final LiveReport report;
  private final Console console;
  private final Path folder;
  private final Spending spending;
  private Freshness.Result slow;

  LiveSpeed(LivePlace place, LiveSizes sizes, LiveReport report, Console console, Path folder) {
    this.place = place;
    this.sizes = sizes;
    this.report = report;
    this.console = console;
    this.folder = folder;
    this.spending = new Spending(place.topic(), sizes.entities());
  }

  void measure() throws IOException {
    console.say(
        "%,d entities with %d events each in the base",
        sizes.entities(), LiveSizes.EVENTS_OF_ENTITY);
    spending.sendOfAll(LiveSizes.EVENTS_OF_ENTITY);
    place.archive();
    place.push(LiveViews.FIVE);
    place.push(LiveViews.TEN);
    var unused =
        new Build(place.lake(), Console.silent())
            .build(
                place.view(LiveViews.TEN_BUILT),
                List.of(Instant.now().truncatedTo(ChronoUnit.SECONDS)),
                false);
    place.push(LiveViews.TEN_BUILT);
    try (ServerProcess server = place.server(0);
        Freshness freshness = new Freshness(spending, server.port())) {
      lookups(server.port());
      try (JobProcess live = place.live("live", LiveViews.FIVE)) {
        fresh(live, freshness);
        report.hot(HotEntity.measure(place, LiveViews.FIVE, live, spending, freshness, sizes));
      }
      double caughtUp = catchUp();
      if (sizes.hasRival()) {
        rival(freshness, caughtUp);
      }
      report.wrong(
          freshness
              .wrong(
                  IntStream.rangeClosed(1, Math.min(COMPARED, sizes.entities())).boxed().toList())
              .size());
    }
  }

  /** Has live apply as many events of each entity as the base has, and compares with batch. */
  private void lookups(int port) throws IOException {
    spending.sendOfAll(LiveSizes.EVENTS_OF_ENTITY);
    try (JobProcess live = place.live("live-ten", VIEWS)) {
      place.awaitApplied(LiveViews.FIVE, live, PATIENCE_SECONDS);
      place.awaitApplied(LiveViews.TEN, live, PATIENCE_SECONDS);
      // What is not settled yet takes its own room.
      LivePlace.pause(500);
      bytes();
      LoadGenerators load = new LoadGenerators(Files.createDirectories(folder.resolve("load")));
      double[] ofLive = new double[ROUNDS];
      double[] ofBuilt = new double[ROUNDS];
      var unusedLive = saturate(load, port, LiveViews.TEN, WARM_UP_SECONDS);
      var unusedBuilt = saturate(load, port, LiveViews.TEN_BUILT, WARM_UP_SECONDS);
      for (int round = 0; round < ROUNDS; round++) {
        ofLive[round] = saturate(load, port, LiveViews.TEN, ROUND_SECONDS);
        ofBuilt[round] = saturate(load, port, LiveViews.TEN_BUILT, ROUND_SECONDS);
      }
      report.lookups(median(ofLive), median(ofBuilt));
      console.say("lookups: %,.0f live, %,.0f batch", median(ofLive), median(ofBuilt));
    }
  }

  private double saturate(LoadGenerators load, int port, String view, int seconds)
      throws IOException {
    byte[] request =
        GetOnlineFeaturesRequest.newBuilder()
            .setEntity("user")
            .addEntityIds(Integer.toString(sizes.entities() / 2))
            .addAllFeatureNames(
                place.view(view).features().stream().map(feature -> feature.name()).toList())
            .build()
            .toByteArray();
    return load.saturate(
        port, "feature_store.v1.FeatureStoreService/GetOnlineFeatures", request, seconds);
  }

  private void bytes() {
    VersionRecord released = place.released(LiveViews.FIVE);
    LiveBase base = released.getLive();
    try (Jedis jedis = place.redis()) {
      CellBytes live =
          CellBytes.of(
              jedis,
              place
                  .keys()
                  .bucketPrefix(LiveViews.FIVE, RedisKeys.liveVersion(base.getGeneration())),
              base.getLiveBuckets(),
              true);
      CellBytes ofBase =
          CellBytes.of(
              jedis,
              place.keys().bucketPrefix(LiveViews.FIVE, released.getVersion()),
              released.getBuckets(),
              false);
      report.bytes(live, ofBase);
      console.say("%.0f bytes an entity in Redis, live", live.inRedis());
    }
  }

  private void fresh(JobProcess live, Freshness freshness) {
    awaitFollowing(live);
    place.awaitApplied(LiveViews.FIVE, live, PATIENCE_SECONDS);
    // What a JVM that has just begun takes, the start of the job tells.
    var unused = freshness.measure(sizes.rate(), sizes.seconds());
    slow = freshness.measure(sizes.rate(), sizes.seconds());
    console.say("%,d events/s: p50 %.1f ms, p99 %.1f ms", sizes.rate(), slow.p(0.5), slow.p(0.99));
    live.requireAlive();
    Freshness.Result fast = freshness.measure(sizes.fasterRate(), sizes.seconds());
    console.say(
        "%,d events/s: p50 %.1f ms, p99 %.1f ms", sizes.fasterRate(), fast.p(0.5), fast.p(0.99));
    report.fresh(slow, fast);
    place.awaitApplied(LiveViews.FIVE, live, PATIENCE_SECONDS);
  }

  /** Waits until a job is no JVM that starts any more. */
  private static void awaitFollowing(JobProcess live) {
    LivePlace.await(
        "live does not follow",
        PATIENCE_SECONDS,
        () -> {
          live.requireAlive();
          return live.end().contains("live from");
        });
  }

  /** Floods the topic beside a consumer that counts, lets live catch up, and floods it again. */
  private double catchUp() {
    double counted;
    Path log = folder.resolve("counted.log");
    try (JobProcess counting =
            place.opened(
                JobProcess.start(
                    log,
                    COUNTING_JVM,
                    CountedTopic.class,
                    List.of(place.broker().address(), Integer.toString(seconds()))));
        Traffic flood = flood(counting, CountedTopic.READY)) {
      LivePlace.await("the consumer does not end", PATIENCE_SECONDS, () -> !counting.isAlive());
      List<String> said = counting.end().lines().toList();
      counted = Double.parseDouble(said.get(said.size() - 1));
      console.say("%,d events sent, %,.0f/s counted", flood.count(), counted);
    }
    place.topic().flush();
    long missing = sizes.events() - place.lag(LiveViews.FIVE);
    if (missing > 0) {
      spending.flood((int) missing);
    }
    long start = System.nanoTime();
    try (JobProcess live = place.live("live-again", LiveViews.FIVE)) {
      Backlog caughtUp = Backlog.watch(place, LiveViews.FIVE, live::requireAlive, PATIENCE_SECONDS);
      console.say("catch-up: %,.0f events/s", caughtUp.perSecond());
      report.catchUp(caughtUp.perSecond(), (caughtUp.began() - start) / 1e9);
      double applied = saturation();
      console.say("saturation: %,.0f events/s", applied);
      report.saturation(applied, counted);
      place.topic().flush();
      place.awaitApplied(LiveViews.FIVE, live, PATIENCE_SECONDS);
      return caughtUp.perSecond();
    }
  }

  /**
   * Events a second that live applies while it always has more to read. The producer does not run
   * further ahead than that needs: it shares the processor.
   */
  private double saturation() {
    long begin = Arrays.stream(place.progress(LiveViews.FIVE)).sum();
    AtomicLong most = new AtomicLong(LEAD);
    AtomicLong sent = new AtomicLong();
    Runnable send =
        () -> {
          while (sent.get() >= most.get()) {
            LockSupport.parkNanos(200_000);
          }
          sent.incrementAndGet();
          var unused = spending.send();
        };
    Traffic flood = Traffic.start(Double.POSITIVE_INFINITY, send);
    try {
      long from = 0;
      long before = 0;
      long start = System.nanoTime();
      while (true) {
        long applied = Arrays.stream(place.progress(LiveViews.FIVE)).sum() - begin;
        most.set(applied + LEAD);
        long now = System.nanoTime();
        if (from == 0 && now - start > 1_000_000_000L) {
          from = now;
          before = applied;
        } else if (from > 0 && now - from > seconds() * 1_000_000_000L) {
          return (applied - before) * 1e9 / (now - from);
        }
        LivePlace.pause(20);
      }
    } finally {
      most.set(Long.MAX_VALUE);
      flood.close();
    }
  }

  /** A flood that begins as soon as a process has said something. */
  private Traffic flood(JobProcess process, String word) {
    LivePlace.await(
        "the consumer does not begin",
        PATIENCE_SECONDS,
        () -> {
          boolean isThere = process.end().contains(word);
          if (!isThere) {
            process.requireAlive();
          }
          return isThere;
        });
    return Traffic.start(Double.POSITIVE_INFINITY, spending::send);
  }

  /** Floods are short: the topic is on a disk. */
  private int seconds() {
    return Math.min(sizes.seconds(), 8);
  }

  private void rival(Freshness freshness, double caughtUp) {
    Freshness.Result rival;
    try (SparkRival spark =
        SparkRival.start(place, LiveViews.FIVE, folder.resolve("rival1").toString())) {
      var unused = freshness.measure(sizes.rate(), Math.min(3, sizes.seconds()));
      rival = freshness.measure(sizes.rate(), sizes.seconds());
      spark.requireAlive();
      console.say("Spark: p50 %.1f ms, p99 %.1f ms", rival.p(0.5), rival.p(0.99));
    }
    spending.flood(sizes.events());
    try (SparkRival spark =
        SparkRival.start(place, LiveViews.FIVE, folder.resolve("rival2").toString())) {
      Backlog ofSpark = Backlog.watch(place, LiveViews.FIVE, spark::requireAlive, PATIENCE_SECONDS);
      console.say("Spark: catch-up %,.0f events/s", ofSpark.perSecond());
      report.rival(slow, rival, caughtUp, ofSpark.perSecond());
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
