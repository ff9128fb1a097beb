package dev.tarn.serving;

import com.typesafe.config.Config;
import dev.tarn.serving.access.TlsSettings;
import dev.tarn.serving.ops.TracingSettings;
import java.time.Duration;

/**
 * The {@code serving} section of the settings; reference.conf says what each one means.
 *
 * @param port 0 for any that is free
 * @param defaultEntity empty for none
 * @param nearCacheBytes 0 for no near cache
 * @param serveStale zero for no stale answers
 * @param httpPort 0 for any that is free, -1 for none
 * @param callers a file; empty for none
 */
public record ServingSettings(
    String host,
    int port,
    String defaultEntity,
    int maxEntities,
    int maxIdBytes,
    long nearCacheBytes,
    Duration serveStale,
    int maxMessageBytes,
    int maxConcurrentCalls,
    int maxInFlight,
    int httpPort,
    double accessLogSample,
    TracingSettings tracing,
    TlsSettings tls,
    String callers,
    Duration reload,
    Duration poll,
    Duration drain) {

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public ServingSettings {
    check(!host.isBlank(), "serving.host is empty: it is a host name or an IP address");
    check(port >= 0 && port <= 65_535, "serving.port = %s: it is from 0 to 65535".formatted(port));
    check(maxEntities >= 1, "serving.max-entities = %s: it is from 1 up".formatted(maxEntities));
    check(maxIdBytes >= 1, "serving.max-id-bytes = %s: it is from 1 up".formatted(maxIdBytes));
    check(!serveStale.isNegative(), "serving.serve-stale is negative");
    check(
        serveStale.isZero() || nearCacheBytes > 0,
        "serving.serve-stale is for answers from the near cache: set serving.near-cache-bytes too");
    check(
        maxMessageBytes >= 1,
        "serving.max-message-bytes = %s: it is from 1 up".formatted(maxMessageBytes));
    check(
        maxConcurrentCalls >= 1,
        "serving.max-concurrent-calls = %s: it is from 1 up".formatted(maxConcurrentCalls));
    check(maxInFlight >= 1, "serving.max-in-flight = %s: it is from 1 up".formatted(maxInFlight));
    check(
        httpPort >= -1 && httpPort <= 65_535,
        "serving.http-port = %s: it is from 0 to 65535, or -1 for none".formatted(httpPort));
    check(
        accessLogSample >= 0 && accessLogSample <= 1,
        "serving.access-log-sample = %s: it is from 0.0 to 1.0".formatted(accessLogSample));
    check(
        reload.toMillis() >= 1,
        "serving.reload = %s ms: it is from 1 up".formatted(reload.toMillis()));
    check(poll.toMillis() >= 1, "serving.poll = %s ms: it is from 1 up".formatted(poll.toMillis()));
    check(!drain.isNegative(), "serving.drain is negative");
  }

  /** Reads the section {@code serving} of the settings below {@code tarn}. */
  public static ServingSettings of(Config tarn) {
    Config serving = tarn.getConfig("serving");
    return new ServingSettings(
        serving.getString("host"),
        serving.getInt("port"),
        serving.getString("default-entity"),
        serving.getInt("max-entities"),
        serving.getInt("max-id-bytes"),
        serving.getBytes("near-cache-bytes"),
        serving.getDuration("serve-stale"),
        serving.getInt("max-message-bytes"),
        serving.getInt("max-concurrent-calls"),
        serving.getInt("max-in-flight"),
        serving.getInt("http-port"),
        serving.getDouble("access-log-sample"),
        TracingSettings.of(serving.getConfig("tracing")),
        TlsSettings.of(serving.getConfig("tls")),
        serving.getString("callers"),
        serving.getDuration("reload"),
        serving.getDuration("poll"),
        serving.getDuration("drain"));
  }

  private static void check(boolean isGood, String message) {
    if (!isGood) {
      throw new IllegalArgumentException(message);
    }
  }
}
