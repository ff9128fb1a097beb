package dev.tarn.bench.faults;

import dev.tarn.bench.testbed.Jvm;
import dev.tarn.cli.TarnException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A process that runs {@link PushDriver}, as its starter sees it. */
final class Driver implements AutoCloseable {

  private final Process process;
  private final StringBuilder output = new StringBuilder();
  private final CountDownLatch ready = new CountDownLatch(1);
  private final Thread reader;

  private Driver(Process process) {
    this.process = process;
    this.reader = new Thread(this::read, "driver-output");
    reader.setDaemon(true);
    reader.start();
  }

  /**
   * Starts a driver, which warms up from here on.
   *
   * @param jvm options of its JVM, which follow those of this JVM that Spark needs
   * @param settings as they are typed
   */
  static Driver start(Path folder, List<String> jvm, List<String> settings) {
    List<String> options = new ArrayList<>();
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-") || argument.startsWith("-D"))
        .filter(argument -> !argument.startsWith("-Dtarn."))
        .forEach(options::add);
    options.addAll(List.of("-Xmx700m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    options.addAll(jvm);
    options.addAll(List.of("-cp", System.getProperty("java.class.path")));
    List<String> words = new ArrayList<>();
    words.add(PushDriver.class.getName());
    words.addAll(settings);
    try {
      return new Driver(
          new ProcessBuilder(Jvm.command(options, words))
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until the driver is warm and has it run a command. */
  void go(List<String> words) {
    try {
      if (!ready.await(10, TimeUnit.MINUTES) || !process.isAlive()) {
        throw new TarnException("a push driver did not start: " + output());
      }
      process
          .getOutputStream()
          .write((String.join("\t", words) + "\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  /** Sends SIGKILL, and waits until the process is gone. */
  void kill() {
    process.destroyForcibly();
    await(Duration.ofSeconds(30));
  }

  /** Sends SIGSTOP. */
  void stop() {
    signal("STOP");
  }

  /** Sends SIGCONT. */
  void resume() {
    signal("CONT");
  }

  /**
   * Waits until the process ends.
   *
   * @return the exit status
   * @throws TarnException if it does not end in this time; then it is killed
   */
  int await(Duration longest) {
    try {
      if (!process.waitFor(longest.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        throw new TarnException(
            "a push did not end in %d s and was killed: %s"
                .formatted(longest.toSeconds(), output()));
      }
      reader.join(5_000);
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  /** The text that it has written to stdout and stderr after its greeting. */
  String output() {
    synchronized (output) {
      return output.toString();
    }
  }

  boolean isAlive() {
    return process.isAlive();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }

  private void signal(String name) {
    try {
      int status =
          new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
      if (status != 0 && process.isAlive()) {
        throw new TarnException("kill -%s of process %d failed".formatted(name, process.pid()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void read() {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        synchronized (output) {
          if (line.equals(PushDriver.READY)) {
            output.setLength(0);
            ready.countDown();
          } else {
            output.append(line).append('\n');
          }
        }
      }
    } catch (IOException e) {
      // It was killed.
    }
    ready.countDown();
  }
}
