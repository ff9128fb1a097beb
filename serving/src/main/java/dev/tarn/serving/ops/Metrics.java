package dev.tarn.serving.ops;

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
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;

/**
 * Counts calls and their parts, and writes all metrics of the server. Other rooms add theirs as
 * suppliers; docs/serving.md lists them all.
 */
public final class Metrics {

  static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

  /** The parts of a call that are timed. */
  enum Stage {
    QUEUE,
    REDIS,
    DECODE,
    ENCODE
  }

  /** Takes the values of a metric with labels. */
  public interface Values {

    /** Sets the value of one series; the label values are in the order of the labels. */
    void set(double value, String... labelValues);
  }

  /** The histogram's bounds: from about twice the fastest lookup's time to a timeout. */
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

  private final Counter laggingAnswers =
      Counter.builder()
          .name("tarn_lagging_answers_total")
          .help("Answers in which a live view was LAGGING, by view")
          .labelNames("feature_view")
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

  public void laggingAnswer(String view) {
    laggingAnswers.labelValues(view).inc();
  }

  /** Adds a gauge that is asked for its value at each scrape. */
  public void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(gauge -> gauge.call(value.getAsDouble()))
        .register(registry);
  }

  /** Adds a gauge with labels; {@code values} sets all its values at each scrape. */
  public void gauges(String name, String help, List<String> labels, Consumer<Values> values) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames(labels.toArray(String[]::new))
        .callback(gauge -> values.accept(gauge::call))
        .register(registry);
  }

  /** Adds a counter that is asked for its value at each scrape. */
  public void counter(String name, String help, DoubleSupplier value) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .callback(counter -> counter.call(value.getAsDouble()))
        .register(registry);
  }

  /** Adds a counter with labels; {@code values} sets all its values at each scrape. */
  public void counters(String name, String help, List<String> labels, Consumer<Values> values) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames(labels.toArray(String[]::new))
        .callback(counter -> values.accept(counter::call))
        .register(registry);
  }

  /** Writes all metrics in Prometheus's text format. */
  void write(OutputStream out) throws IOException {
    // These come with the first scrape: at the start of the server they would be a tenth of it.
    if (hasJvm.compareAndSet(false, true)) {
      JvmMetrics.builder().register(registry);
    }
    writer.write(out, registry.scrape());
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
