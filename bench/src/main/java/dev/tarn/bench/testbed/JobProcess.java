package dev.tarn.bench.testbed;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Main;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A command of the jobs as a process of its own, which may be killed, stopped and let go on. */
public final class JobProcess implements AutoCloseable {

  private final Process process;
  private final Path log;

  private JobProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  /**
   * Starts a command as {@code ./tarn} does.
   *
   * @param log a file to which all that it says is added
   * @param jvm options of its JVM
   * @param words the command and all that is typed behind it
   */
  public static JobProcess start(Path log, List<String> jvm, List<String> words) {
    return start(log, jvm, Main.class, words);
  }

  /** Starts any program with this JVM's class path. */
  public static JobProcess start(Path log, List<String> jvm, Class<?> main, List<String> words) {
    List<String> options = new ArrayList<>();
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-") || argument.startsWith("-Dlog4j"))
        .forEach(options::add);
    options.add("-Dtarn.log=" + log + ".spark");
    options.addAll(jvm);
    options.addAll(List.of("-cp", System.getProperty("java.class.path")));
    List<String> all = new ArrayList<>();
    all.add(main.getName());
    all.addAll(words);
    try {
      Files.createDirectories(log.toAbsolutePath().getParent());
      Process process =
          new ProcessBuilder(Jvm.command(options, all))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .start();
      Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
      return new JobProcess(process, log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /**
   * Fails if the process has ended.
   *
   * @throws TarnException with the end of what it said
   */
  public void requireAlive() {
    if (!process.isAlive()) {
      throw new TarnException("a process ended with %d: %s".formatted(process.exitValue(), end()));
    }
  }

  /** The last lines that it said. */
  public String end() {
    try {
      List<String> lines = Files.readAllLines(log);
      return String.join("\n", lines.subList(Math.max(0, lines.size() - 15), lines.size()));
    } catch (IOException e) {
      return e.toString();
    }
  }

  /** The memory that the process has in use, as the system counts it, in bytes; 0: not known. */
  public long memory() {
    try {
      return Files.readAllLines(Path.of("/proc/%d/status".formatted(process.pid()))).stream()
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0;
    }
  }

  /** Sends SIGKILL, and waits until the process is gone. */
  public void kill() {
    process.destroyForcibly();
    var unused = hasEnded(30);
  }

  /** Sends SIGSTOP. */
  public void freeze() {
    signal("STOP");
  }

  /** Sends SIGCONT. */
  public void thaw() {
    signal("CONT");
  }

  /** Asks the process to end, and waits for it; what does not end is killed. */
  @Override
  public void close() {
    process.destroy();
    if (!hasEnded(20)) {
      kill();
    }
  }

  private boolean hasEnded(long seconds) {
    try {
      return process.waitFor(seconds, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
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
}
