package dev.tarn.etl;

import dev.tarn.etl.Shell.Result;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A JVM with our jar that runs one command after the other, by {@link CommandLoop}. */
final class CommandProcess implements AutoCloseable {

  private final Process process;

  private CommandProcess(Process process) {
    this.process = process;
  }

  /**
   * Starts a stock spark-submit.
   *
   * @param options of spark-submit
   */
  static CommandProcess startStock(Path log, String... options) {
    Path spark = StockSpark.home();
    List<String> command =
        new ArrayList<>(
            List.of(
                spark.resolve("bin").resolve("spark-submit").toString(),
                "--driver-java-options",
                "-Dlog4j2.configurationFile=%s -Dtarn.log=%s"
                    .formatted(Shell.home().resolve("conf").resolve("log4j2.properties"), log)));
    command.addAll(List.of(options));
    command.addAll(
        List.of(
            "--jars",
            tests().toString(),
            "--class",
            CommandLoop.class.getName(),
            StockSpark.jar().toString()));
    ProcessBuilder builder = Shell.process(command);
    builder.environment().put("SPARK_HOME", spark.toString());
    return start(builder);
  }

  /** Starts the JVM that the launcher has started for a command. */
  static CommandProcess start(RecordedLaunch launch) {
    List<String> command = new ArrayList<>(List.of(launch.java()));
    command.addAll(launch.options());
    // Behind all that the launcher has on the class path, so that nothing else is found sooner.
    command.addAll(List.of("-cp", launch.classPath() + ":" + tests()));
    command.add(CommandLoop.class.getName());
    return start(Shell.process(command));
  }

  private static CommandProcess start(ProcessBuilder builder) {
    builder.environment().put("TARN_HOME", Shell.home().toString());
    try {
      return new CommandProcess(builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs a command with the workbench's settings behind the words. */
  Result run(Workbench bench, String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    all.addAll(bench.settingWords());
    return run(all);
  }

  /** Runs a command of these words. */
  Result run(List<String> words) {
    StringBuilder output = new StringBuilder();
    try {
      process
          .getOutputStream()
          .write((String.join("\t", words) + "\n").getBytes(StandardCharsets.UTF_8));
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
    throw new IllegalStateException("the JVM ended: " + output);
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
