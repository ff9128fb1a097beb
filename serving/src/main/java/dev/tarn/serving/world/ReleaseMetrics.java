package dev.tarn.serving.world;

import dev.tarn.api.v1.ViewVersion;
import dev.tarn.serving.ops.Metrics;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Reports what is released, and the connection that it is read over, as metrics. */
public final class ReleaseMetrics {

  private final Releases releases;
  private final Metrics metrics;

  private ReleaseMetrics(Releases releases, Metrics metrics) {
    this.releases = releases;
    this.metrics = metrics;
  }

  /** Adds the metrics of {@code releases}; the clock tells the age of versions. */
  public static void register(Releases releases, InstantSource clock, Metrics metrics) {
    ReleaseMetrics added = new ReleaseMetrics(releases, metrics);
    added.registerConnection();
    added.registerViews(clock);
  }

  private void registerConnection() {
    metrics.gauge(
        "tarn_redis_up",
        "1 while the server reads what is released, 0 while it can't",
        () -> releases.trouble().isEmpty() ? 1 : 0);
    metrics.gauge(
        "tarn_redis_connections",
        "Open connections to Redis: for lookups, and one for notices",
        () -> releases.latest().map(world -> world.redis().connections()).orElse(0));
    metrics.counter(
        "tarn_redis_reconnects_total",
        "Connections to Redis that replaced a lost one",
        releases::reconnects);
  }

  private void registerViews(InstantSource clock) {
    registerOfView(
        "tarn_view_age_seconds",
        "Now less the as-of of the released version",
        version -> clock.millis() / 1e3 - version.getAsOf().getSeconds());
    registerOfView(
        "tarn_view_staleness_seconds",
        "Now less the moment at which the version was released",
        version -> clock.millis() / 1e3 - version.getReleasedAt().getSeconds());
    metrics.gauges(
        "tarn_view_version_info",
        "Always 1; the labels say which version answers",
        List.of("feature_view", "version", "snapshot_id"),
        gauge ->
            forEachView(
                version ->
                    gauge.set(
                        1,
                        version.getFeatureView(),
                        version.getVersion(),
                        Long.toString(version.getSnapshotId()))));
  }

  private void registerOfView(String name, String help, ToDoubleFunction<ViewVersion> value) {
    metrics.gauges(
        name,
        help,
        List.of("feature_view"),
        gauge ->
            forEachView(
                version -> gauge.set(value.applyAsDouble(version), version.getFeatureView())));
  }

  private void forEachView(Consumer<ViewVersion> action) {
    releases
        .latest()
        .ifPresent(
            world -> world.views().values().forEach(view -> action.accept(view.viewVersion())));
  }
}
