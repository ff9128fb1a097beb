package dev.tarn.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
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
                "127.0.0.1",
                50051,
                "",
                10_000,
                1024,
                0,
                Duration.ofMillis(500),
                Duration.ofSeconds(10)));
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

    assertThat(ServingSettings.of(changed).port()).isZero();
  }
}
