package dev.tarn.etl;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs commands as a user types them, in Tarn's own folder. */
public final class Shell {

  /** The exit status of a command and all that it printed. */
  public record Result(int status, String output) {}

  /** A short life: what makes it start sooner pays, what makes it run faster does not. */
  private static final String JVM_OPTIONS = "-XX:TieredStopAtLevel=1";

  private Shell() {}

  /** Runs {@code ./tarn} with the workbench's settings behind the words. */
  public static Result tarn(Workbench bench, Map<String, String> environment, String... words) {
    List<String> command = new ArrayList<>();
    command.add(home().resolve("tarn").toString());
    command.addAll(List.of(words));
    command.addAll(bench.settingWords());
    return run(environment, command);
  }

  /** Runs a command for ten minutes at the most. */
  public static Result run(Map<String, String> environment, List<String> command) {
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(home().toFile()).redirectErrorStream(true);
    // Of ./tarn, and of Spark's own scripts: spark-submit, what starts it, a cluster's processes.
    for (String variable :
        List.of(
            "TARN_JOB_OPTS",
            "SPARK_SUBMIT_OPTS",
            "SPARK_LAUNCHER_OPTS",
            "SPARK_DAEMON_JAVA_OPTS")) {
      builder.environment().put(variable, JVM_OPTIONS);
    }
    builder.environment().putAll(environment);
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(15, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new IllegalStateException(command + " does not end: " + output);
      }
      return new Result(process.exitValue(), output);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  public static Path home() {
    return Path.of(System.getProperty("tarn.home"));
  }
}
