package dev.tarn.etl.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TestCommandRun {

  @Test
  void noFailureReachesTheUserAsATrace() {
    assertFails(
        new FileNotFoundException("no file there"),
        "tarn: build failed: no file there (the log has the details)\n");
    assertFails(
        new IllegalStateException("it broke", new Exception("as x is missing")),
        "tarn: build failed: it broke: as x is missing (the log has the details)\n");
    assertFails(
        new NoClassDefFoundError("a/B"),
        "tarn: build failed: NoClassDefFoundError: a/B (the log has the details)\n");
    assertFails(new TarnException("the disk is full"), "tarn: the disk is full\n");
  }

  private static void assertFails(Throwable failure, String message) {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    PrintStream stream = new PrintStream(err, true, StandardCharsets.UTF_8);
    int status =
        CommandRun.run(
            new Console(stream, stream),
            line -> Settings.load(ConfigFactory.empty()),
            (line, settings, console) -> {
              // As Scala does, which declares no exception.
              TestCommandRun.<RuntimeException>throwUndeclared(failure);
            },
            "build",
            "view=v",
            "as-of=2026-01-01");
    assertThat(status).isOne();
    assertThat(err.toString(StandardCharsets.UTF_8)).isEqualTo(message);
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void throwUndeclared(Throwable failure) throws T {
    throw (T) failure;
  }
}
