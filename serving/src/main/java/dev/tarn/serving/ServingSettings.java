package dev.tarn.serving;

import com.typesafe.config.Config;
import dev.tarn.serving.access.TlsSettings;
import dev.tarn.serving.lookup.LookupSettings;
import dev.tarn.serving.ops.TracingSettings;
import dev.tarn.serving.rpc.RpcSettings;
import java.time.Duration;

/**
 * The section {@code serving} of the settings; reference.conf says what each one means.
 *
 * @param httpPort 0 for any that is free, -1 for none
 * @param callers a file; empty for none
 */
public record ServingSettings(
    RpcSettings rpc,
    LookupSettings lookup,
    TlsSettings tls,
    String callers,
    Duration reload,
    Duration poll,
    Duration livePoll,
    int httpPort,
    double accessLogSample,
    TracingSettings tracing) {

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public ServingSettings {
    check(
        reload.toMillis() >= 1,
        "serving.reload = %s ms: it is from 1 up".formatted(reload.toMillis()));
    check(poll.toMillis() >= 1, "serving.poll = %s ms: it is from 1 up".formatted(poll.toMillis()));
    check(
        livePoll.toMillis() >= 1,
        "serving.live-poll = %s ms: it is from 1 up".formatted(livePoll.toMillis()));
    check(
        httpPort >= -1 && httpPort <= 65_535,
        "serving.http-port = %s: it is from 0 to 65535, or -1 for none".formatted(httpPort));
    check(
        accessLogSample >= 0 && accessLogSample <= 1,
        "serving.access-log-sample = %s: it is from 0.0 to 1.0".formatted(accessLogSample));
  }

  /** Reads the section {@code serving} of the settings below {@code tarn}. */
  static ServingSettings of(Config tarn) {
    Config serving = tarn.getConfig("serving");
    return new ServingSettings(
        RpcSettings.of(serving),
        LookupSettings.of(serving),
        TlsSettings.of(serving.getConfig("tls")),
        serving.getString("callers"),
        serving.getDuration("reload"),
        serving.getDuration("poll"),
        serving.getDuration("live-poll"),
        serving.getInt("http-port"),
        serving.getDouble("access-log-sample"),
        TracingSettings.of(serving.getConfig("tracing")));
  }

  private static void check(boolean isGood, String message) {
    if (!isGood) {
      throw new IllegalArgumentException(message);
    }
  }
}
