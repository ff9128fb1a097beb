package dev.tarn.serving.rpc;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * The settings of {@code serving} that the gRPC server uses; reference.conf says what each one
 * means.
 *
 * @param port 0 for any that is free
 */
public record RpcSettings(
    String host,
    int port,
    int maxMessageBytes,
    int maxConcurrentCalls,
    int maxInFlight,
    HeapShare maxInFlightBytes,
    Duration permitKeepalive,
    Duration drain) {

  /**
   * Checks each setting.
   *
   * @throws IllegalArgumentException if one is out of its range, by name
   */
  public RpcSettings {
    check(!host.isBlank(), "serving.host is empty: it is a host name or an IP address");
    check(port >= 0 && port <= 65_535, "serving.port = %s: it is from 0 to 65535".formatted(port));
    check(
        maxMessageBytes >= 1,
        "serving.max-message-bytes = %s: it is from 1 up".formatted(maxMessageBytes));
    check(
        maxConcurrentCalls >= 1,
        "serving.max-concurrent-calls = %s: it is from 1 up".formatted(maxConcurrentCalls));
    check(maxInFlight >= 1, "serving.max-in-flight = %s: it is from 1 up".formatted(maxInFlight));
    check(!permitKeepalive.isNegative(), "serving.permit-keepalive is negative");
    check(!drain.isNegative(), "serving.drain is negative");
  }

  /** Reads them from the section {@code serving}. */
  public static RpcSettings of(Config serving) {
    return new RpcSettings(
        serving.getString("host"),
        serving.getInt("port"),
        serving.getInt("max-message-bytes"),
        serving.getInt("max-concurrent-calls"),
        serving.getInt("max-in-flight"),
        HeapShare.of(serving, "max-in-flight-bytes"),
        serving.getDuration("permit-keepalive"),
        serving.getDuration("drain"));
  }

  private static void check(boolean isGood, String message) {
    if (!isGood) {
      throw new IllegalArgumentException(message);
    }
  }
}
