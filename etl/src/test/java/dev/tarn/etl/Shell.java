package dev.tarn.etl;

import com.google.common.base.Supplier;
import com.google.common.base.Suppliers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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

  /** The classes of the stock Spark, where it is installed; if it can't be used it is left. */
  static final String STOCK_JVM_OPTIONS =
      JVM_OPTIONS
          + " -XX:SharedArchiveFile=%s -Xlog:cds=off -Xlog:cds+dynamic=off"
              .formatted(home().resolve("etl/target/pyspark/classes.jsa"));

  /** The archive of Spark's classes, which {@code ./tarn} uses where it is. */
  private static final Supplier<Result> SPARK_CLASSES =
      Suppliers.memoize(() -> prepare("etl/spark-classes"));

  private Shell() {}

  /**
   * Runs a script that makes something unless it is there, while no other JVM of the tests does.
   */
  static Result prepare(String script) {
    try (FileChannel channel =
            FileChannel.open(
                home().resolve("etl/target/prepare.lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock lock = channel.lock()) {
      Result result = run(Map.of(), List.of(home().resolve(script).toString()));
      if (!lock.isValid() || result.status() != 0) {
        throw new IllegalStateException(script + " failed: " + result.output());
      }
      return result;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs {@code ./tarn} with the workbench's settings behind the words. */
  public static Result tarn(Workbench bench, Map<String, String> environment, String... words) {
    return run(environment, tarn(bench, words));
  }

  /** The words with which {@code ./tarn} is started, with the workbench's settings behind them. */
  public static List<String> tarn(Workbench bench, String... words) {
    var unused = SPARK_CLASSES.get();
    List<String> command = new ArrayList<>();
    command.add(home().resolve("tarn").toString());
    command.addAll(List.of(words));
    command.addAll(bench.settingWords());
    return command;
  }

  /** A process in Tarn's folder, not started yet, whose JVMs start quickly. */
  public static ProcessBuilder process(List<String> command) {
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(home().toFile()).redirectErrorStream(true);
    Map<String, String> environment = builder.environment();
    environment.put("TARN_JOB_OPTS", JVM_OPTIONS);
    // Spark's own scripts: spark-submit, what starts it, a cluster's processes.
    environment.put("SPARK_LAUNCHER_OPTS", JVM_OPTIONS);
    environment.put("SPARK_SUBMIT_OPTS", STOCK_JVM_OPTIONS);
    environment.put("SPARK_DAEMON_JAVA_OPTS", STOCK_JVM_OPTIONS);
    return builder;
  }

  /** Runs a command for fifteen minutes at the most. */
  public static Result run(Map<String, String> environment, List<String> command) {
    ProcessBuilder builder = process(command);
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
