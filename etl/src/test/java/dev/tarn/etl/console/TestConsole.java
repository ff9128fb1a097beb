package dev.tarn.etl.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.Settings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestConsole {

  @TempDir private Path folder;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @Test
  void theResultGoesToAFileToo() throws IOException {
    Path file = folder.resolve("result.json");

    assertThat(run(file.toString())).isZero();

    assertThat(Files.readString(file)).isEqualTo("{\"rows\":3,\"city\":\"Tromsø\"}\n");
    assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(Files.readString(file));
    assertThat(folder.toFile().list()).containsExactly("result.json");
  }

  @Test
  void withoutAFileThereIsNone() {
    assertThat(run("")).isZero();

    assertThat(folder.toFile().list()).isEmpty();
  }

  @Test
  void aFileThatCanNotBeWrittenIsSaid() {
    Path file = folder.resolve("nowhere").resolve("result.json");

    assertThat(run(file.toString())).isEqualTo(1);

    assertThat(err.toString(StandardCharsets.UTF_8))
        .startsWith("tarn: result-file = '%s': it can't be written: ".formatted(file))
        .endsWith("; what the job was to do is done\n");
  }

  private int run(String resultFile) {
    return CommandRun.run(
        new Console(stream(out), stream(err)),
        line -> Settings.load(ConfigFactory.parseMap(Map.of("tarn.result-file", resultFile))),
        (line, settings, console) -> console.result("{\"rows\":3,\"city\":\"Tromsø\"}"),
        "versions",
        "format=json");
  }

  private static PrintStream stream(ByteArrayOutputStream to) {
    return new PrintStream(to, true, StandardCharsets.UTF_8);
  }
}
