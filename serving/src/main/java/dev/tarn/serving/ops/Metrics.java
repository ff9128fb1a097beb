package dev.tarn.serving.ops;

import dev.tarn.serving.lookup.CorruptRows;
import dev.tarn.serving.lookup.NearCache;
import dev.tarn.serving.world.Releases;
import dev.tarn.serving.world.ServedView;
import io.grpc.Status;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.time.InstantSource;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;

/** All metrics of the server; docs/serving.md lists them. */
public final class Metrics {

  static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

  /** Where a call spends its time. */
  enum Stage {
    QUEUE,
    REDIS,
    DECODE,
    ENCODE
  }

  /** From a tenth of a millisecond, about twice what the fastest lookup takes, to a timeout. */
  private static final double[] SECONDS = {
    0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05,
    0.1, 0.2, 0.5, 1, 2, 5
  };

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
  private final Counter requests =
      Counter.builder()
          .name("tarn_requests_total")
          .help("Calls that have ended, by method and gRPC status")
          .labelNames("method", "status")
          .withoutExemplars()
          .register(registry);
  private final Histogram durations =
      Histogram.builder()
          .name("tarn_request_duration_seconds")
          .help("From a call's arrival until its answer was handed to the network")
          .labelNames("method", "status")
          .classicOnly()
          .classicUpperBounds(SECONDS)
          .withoutExemplars()
          .register(registry);
  private final Map<Stage, DistributionDataPoint> stages = new EnumMap<>(Stage.class);
  private final AtomicBoolean hasJvm = new AtomicBoolean();
  private final Counter rows =
      Counter.builder()
          .name("tarn_rows_total")
          .help("Entities looked up in a feature view, by whether it has a row of them")
          .labelNames("feature_view", "result")
          .withoutExemplars()
          .register(registry);

  private final Counter staleAnswers =
      Counter.builder()
          .name("tarn_stale_answers_total")
          .help("Answers from memory while Redis could not be read (serving.serve-stale)")
          .withoutExemplars()
          .register(registry);

  public Metrics() {
    Histogram stageDurations =
        Histogram.builder()
            .name("tarn_stage_duration_seconds")
            .help("The parts of a lookup: queue, redis, decode, encode")
            .labelNames("stage")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .withoutExemplars()
            .register(registry);
    for (Stage stage : Stage.values()) {
      stages.put(stage, stageDurations.labelValues(word(stage)));
    }
  }

  void ended(String method, Status.Code status, long nanos) {
    String code = status.name();
    requests.labelValues(method, code).inc();
    durations.labelValues(method, code).observe(seconds(nanos));
  }

  void took(Stage stage, long nanos) {
    stages.get(stage).observe(seconds(nanos));
  }

  public void rows(String view, int found, int missing) {
    if (found > 0) {
      rows.labelValues(view, "found").inc(found);
    }
    if (missing > 0) {
      rows.labelValues(view, "missing").inc(missing);
    }
  }

  public void staleAnswer() {
    staleAnswers.inc();
  }

  /** Watches the calls under way. */
  public void watch(InFlight inFlight) {
    gauge("tarn_in_flight_calls", "Lookups under way", inFlight::count);
    counter(
        "tarn_shed_calls_total",
        "Lookups refused because serving.max-in-flight were under way",
        inFlight::shed);
  }

  /** Watches the rows that are kept in this process. */
  public void watch(NearCache cache) {
    counter("tarn_near_cache_hits_total", "Rows that were in the near cache", cache::hits);
    counter(
        "tarn_near_cache_misses_total",
        "Rows that were not in the near cache and were asked of Redis",
        cache::misses);
    counter(
        "tarn_near_cache_evictions_total",
        "Rows that the near cache gave up for others",
        cache::evictions);
    gauge("tarn_near_cache_rows", "Rows in the near cache", cache::entries);
    gauge(
        "tarn_near_cache_bytes",
        "What the near cache takes of serving.near-cache-bytes",
        cache::bytes);
  }

  /** Watches what is released and the connection that it is read over. */
  public void watch(Releases releases, InstantSource clock) {
    gauge(
        "tarn_redis_up",
        "1 while the server reads what is released, 0 while it can't",
        () -> releases.trouble().isEmpty() ? 1 : 0);
    gauge(
        "tarn_redis_connections",
        "Open connections to Redis: for lookups, and one for notices",
        () -> releases.latest().map(world -> world.redis().connections()).orElse(0));
    counter(
        "tarn_redis_reconnects_total",
        "Connections to Redis that replaced a lost one",
        releases::reconnects);
    views(
        "tarn_view_age_seconds",
        "Now less the as-of of the released version",
        releases,
        view -> clock.millis() / 1e3 - view.viewVersion().getAsOf().getSeconds());
    views(
        "tarn_view_staleness_seconds",
        "Now less the moment at which the version was released",
        releases,
        view -> clock.millis() / 1e3 - view.viewVersion().getReleasedAt().getSeconds());
    GaugeWithCallback.builder()
        .name("tarn_view_version_info")
        .help("Always 1; the labels say which version answers")
        .labelNames("feature_view", "version", "snapshot_id")
        .callback(
            gauge ->
                eachView(
                    releases,
                    view ->
                        gauge.call(
                            1,
                            view.name(),
                            view.viewVersion().getVersion(),
                            Long.toString(view.viewVersion().getSnapshotId()))))
        .register(registry);
  }

  public void watch(CorruptRows corruptRows) {
    CounterWithCallback.builder()
        .name("tarn_corrupt_rows_total")
        .help("Rows that did not decode and were answered as NOT_FOUND")
        .labelNames("feature_view")
        .callback(counter -> corruptRows.counts().forEach((view, n) -> counter.call(n, view)))
        .register(registry);
  }

  /** Writes all of them in Prometheus's text format. */
  void write(OutputStream out) throws IOException {
    // Not at the start, of which it would be a tenth.
    if (hasJvm.compareAndSet(false, true)) {
      JvmMetrics.builder().register(registry);
    }
    writer.write(out, registry.scrape());
  }

  private interface OfView {
    double of(ServedView view);
  }

  private void views(String name, String help, Releases releases, OfView value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames("feature_view")
        .callback(gauge -> eachView(releases, view -> gauge.call(value.of(view), view.name())))
        .register(registry);
  }

  private static void eachView(Releases releases, Consumer<ServedView> action) {
    releases.latest().ifPresent(world -> world.views().values().forEach(action));
  }

  private void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(gauge -> gauge.call(value.getAsDouble()))
        .register(registry);
  }

  private void counter(String name, String help, DoubleSupplier value) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .callback(counter -> counter.call(value.getAsDouble()))
        .register(registry);
  }

  private static String word(Stage stage) {
    return switch (stage) {
      case QUEUE -> "queue";
      case REDIS -> "redis";
      case DECODE -> "decode";
      case ENCODE -> "encode";
    };
  }

  private static double seconds(long nanos) {
    return nanos / 1e9;
  }
}
