package dev.tarn.etl.local;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestKafkaProcess {

  @Test
  void whatIsMissingIsToldWithTheCommandThatGetsIt(@TempDir Path home) throws IOException {
    Path list = home.resolve("proto/target/kafka-broker.txt");
    assertThatThrownBy(() -> KafkaProcess.start(home, home.resolve("kafka"), Map.of()))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("%s is missing", list)
        .hasMessageContaining("mvn -Pkafka-broker process-test-resources -pl proto writes it");

    Files.createDirectories(list.getParent());
    Files.writeString(list, home.resolve("kafka_2.13.jar").toString());
    assertThatThrownBy(() -> KafkaProcess.start(home, home.resolve("kafka"), Map.of()))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("needs %s, which is missing", home.resolve("kafka_2.13.jar"));
  }
}
