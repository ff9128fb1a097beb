package dev.tarn.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.tarn.serving.access.TlsSettings;
import dev.tarn.serving.lookup.LookupSettings;
import dev.tarn.serving.ops.TracingSettings;
import dev.tarn.serving.rpc.HeapShare;
import dev.tarn.serving.rpc.RpcSettings;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestServingSettings {

  private static final Config TARN =
      ConfigFactory.parseResources("reference.conf").resolve().getConfig("tarn");

  @Test
  void defaultsAreThoseOfTheDocumentation() {
    assertThat(ServingSettings.of(TARN))
        .isEqualTo(
            new ServingSettings(
                new RpcSettings(
                    "127.0.0.1",
                    50051,
                    4 << 20,
                    200,
                    1000,
                    new HeapShare(0, 0.25),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(10)),
                new LookupSettings("", 10_000, 1024, 64 << 20, 0, Duration.ZERO),
                new TlsSettings("", "", ""),
                "",
                Duration.ofSeconds(10),
                Duration.ofMillis(500),
                Duration.ofMillis(50),
                9464,
                0.0,
                new TracingSettings("", 0.01)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          host = ""          | serving.host is empty: it is a host name or an IP address
          port = -1          | serving.port = -1: it is from 0 to 65535
          port = 65536       | serving.port = 65536: it is from 0 to 65535
          max-entities = 0   | serving.max-entities = 0: it is from 1 up
          max-id-bytes = 0   | serving.max-id-bytes = 0: it is from 1 up
          max-answer-bytes = 0 | serving.max-answer-bytes = 0: it is from 1 to 1G
          max-answer-bytes = 2G | serving.max-answer-bytes = 2147483647: it is from 1 to 1G
          max-in-flight-bytes = 0 | serving.max-in-flight-bytes = 0: it is a size such as 256M, or a share of the heap from 1% to 75%
          max-in-flight-bytes = "0%" | serving.max-in-flight-bytes = 0%: it is a size such as 256M, or a share of the heap from 1% to 75%
          max-in-flight-bytes = "76%" | serving.max-in-flight-bytes = 76%: it is a size such as 256M, or a share of the heap from 1% to 75%
          max-in-flight-bytes = "1%x" | serving.max-in-flight-bytes = 1%x: it is a size such as 256M, or a share of the heap from 1% to 75%
          live-poll = 0ms    | serving.live-poll = 0 ms: it is from 1 up
          permit-keepalive = -1s | serving.permit-keepalive is negative
          serve-stale = -1s  | serving.serve-stale is negative
          serve-stale = 1s   | serving.serve-stale is for answers from the near cache: set serving.near-cache-bytes too
          max-message-bytes = 0 | serving.max-message-bytes = 0: it is from 1 up
          max-concurrent-calls = 0 | serving.max-concurrent-calls = 0: it is from 1 up
          max-in-flight = 0  | serving.max-in-flight = 0: it is from 1 up
          http-port = -2     | serving.http-port = -2: it is from 0 to 65535, or -1 for none
          access-log-sample = 1.1 | serving.access-log-sample = 1.1: it is from 0.0 to 1.0
          access-log-sample = -0.1 | serving.access-log-sample = -0.1: it is from 0.0 to 1.0
          tracing.endpoint = "127.0.0.1:4317" | serving.tracing.endpoint = '127.0.0.1:4317': it is http://HOST:PORT or https://HOST:PORT
          tracing.sample = 2 | serving.tracing.sample = 2.0: it is from 0.0 to 1.0
          reload = 0s        | serving.reload = 0 ms: it is from 1 up
          tls.key = k        | serving.tls.certificate and serving.tls.key go together: set both or none
          tls.client-ca = c  | serving.tls.client-ca is for a server with TLS: set serving.tls.certificate and serving.tls.key too
          poll = 0s          | serving.poll = 0 ms: it is from 1 up
          drain = -1s        | serving.drain is negative
          """)
  void whatIsOutOfRangeIsRefusedByName(String setting, String message) {
    Config changed = ConfigFactory.parseString("serving." + setting).withFallback(TARN);

    assertThatThrownBy(() -> ServingSettings.of(changed))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void portZeroIsAnyThatIsFree() {
    Config changed = ConfigFactory.parseString("serving.port = 0").withFallback(TARN);

    assertThat(ServingSettings.of(changed).rpc().port()).isZero();
  }
}
