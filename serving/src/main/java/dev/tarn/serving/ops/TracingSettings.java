package dev.tarn.serving.ops;

import com.typesafe.config.Config;

/**
 * The section {@code serving.tracing}.
 *
 * @param endpoint the receiver of spans; empty for no tracing
 * @param sample the share of calls to trace, from 0 to 1
 */
public record TracingSettings(String endpoint, double sample) {

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public TracingSettings {
    if (!endpoint.isEmpty() && !endpoint.matches("https?://[^/?#]+/?")) {
      throw new IllegalArgumentException(
          "serving.tracing.endpoint = '%s': it is http://HOST:PORT or https://HOST:PORT"
              .formatted(endpoint));
    }
    if (!(sample >= 0 && sample <= 1)) {
      throw new IllegalArgumentException(
          "serving.tracing.sample = %s: it is from 0.0 to 1.0".formatted(sample));
    }
  }

  public static TracingSettings of(Config tracing) {
    return new TracingSettings(tracing.getString("endpoint"), tracing.getDouble("sample"));
  }

  public boolean isOn() {
    return !endpoint.isEmpty();
  }
}
