package dev.tarn.etl.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  /** A command that is under way until it is stopped, and then fails as Spark does. */
  static final class Endless {

    public static void main(String[] args) {
      System.exit(
          CommandRun.run(
              new Console(System.out, System.err),
              line -> Settings.load(ConfigFactory.empty()),
              (line, settings, console) -> {
                CountDownLatch stopped = new CountDownLatch(1);
                Runtime.getRuntime().addShutdownHook(new Thread(stopped::countDown));
                console.say("under way");
                try {
                  stopped.await();
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
                throw new IllegalStateException("Cannot call methods on a stopped SparkContext");
              },
              args));
    }
  }

  @ParameterizedTest
  @CsvSource({"TERM, 143", "INT, 130"})
  void aCommandThatIsStoppedSaysSoInOneLine(String signal, int status) throws Exception {
    Process process =
        new ProcessBuilder(
                // What starts the tests in the background ignores SIGINT, and so would the JVM.
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Endless.class.getName(),
                "build",
                "view=v",
                "as-of=2026-01-01")
            .redirectErrorStream(true)
            .start();
    try (BufferedReader said = process.inputReader(StandardCharsets.UTF_8)) {
      String first = said.lines().filter(line -> line.equals("under way")).findFirst().orElse("");
      assertThat(first).isEqualTo("under way");
      assertThat(
              new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                  .start()
                  .waitFor())
          .isZero();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(said.lines())
          .containsExactly(
              "tarn: build was stopped; as-ofs that it has told are published, of the one under way nothing is; build it again");
      assertThat(process.exitValue()).isEqualTo(status);
    } finally {
      process.destroyForcibly();
    }
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
