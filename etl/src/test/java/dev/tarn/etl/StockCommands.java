package dev.tarn.etl;

import dev.tarn.etl.Shell.Result;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A stock spark-submit with our jar, which runs one command after the other. */
final class StockCommands implements AutoCloseable {

  private final Process process;

  private StockCommands(Process process) {
    this.process = process;
  }

  static StockCommands start(Path log) {
    Path spark = StockSpark.home();
    ProcessBuilder builder =
        Shell.process(
            List.of(
                spark.resolve("bin").resolve("spark-submit").toString(),
                "--driver-java-options",
                "-Dlog4j2.configurationFile=%s -Dtarn.log=%s"
                    .formatted(Shell.home().resolve("conf").resolve("log4j2.properties"), log),
                "--jars",
                tests().toString(),
                "--class",
                CommandLoop.class.getName(),
                StockSpark.jar().toString()));
    builder.environment().put("SPARK_HOME", spark.toString());
    builder.environment().put("TARN_HOME", Shell.home().toString());
    try {
      return new StockCommands(builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs a command with the workbench's settings behind the words. */
  Result run(Workbench bench, String... words) {
    String line = String.join("\t", words) + "\t" + String.join("\t", bench.settingWords()) + "\n";
    StringBuilder output = new StringBuilder();
    try {
      process.getOutputStream().write(line.getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
      BufferedReader reader = process.inputReader(StandardCharsets.UTF_8);
      for (String said = reader.readLine(); said != null; said = reader.readLine()) {
        if (said.startsWith(CommandLoop.STATUS)) {
          int status = Integer.parseInt(said.substring(CommandLoop.STATUS.length()));
          return new Result(status, output.toString());
        }
        output.append(said).append('\n');
      }
    } catch (IOException e) {
      throw new UncheckedIOException(output.toString(), e);
    }
    throw new IllegalStateException("spark-submit ended: " + output);
  }

  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      if (!process.waitFor(1, TimeUnit.MINUTES)) {
        process.destroyForcibly();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The jar of the test classes, which has {@link CommandLoop} and no library. */
  private static Path tests() {
    try (Stream<Path> files = Files.list(Path.of("target").toAbsolutePath())) {
      return files.filter(file -> file.toString().endsWith("-tests.jar")).findFirst().orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
