package dev.tarn.etl.local;

import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Processes that accompany a command and end with it, however it ends: in the opposite order of
 * their start. If the command is killed so that it can't, the next one ends them.
 */
public final class Companions implements AutoCloseable {

  private static final int LONGEST_END_SECONDS = 15;

  private final Path folder;
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private boolean isClosed;

  /**
   * Begins with none.
   *
   * @param folder for their logs and process ids
   */
  public Companions(Path folder) {
    this.folder = folder;
    Runtime.getRuntime().addShutdownHook(new Thread(this::close, "companions"));
  }

  /** Ends processes of these names that an earlier command could not end. */
  public void endLeftOver(String... names) {
    for (String name : names) {
      pidFile(name).stop();
    }
  }

  private LocalProcess pidFile(String name) {
    return new LocalProcess(folder.resolve(name + ".pid"));
  }

  /** The file with all that a process says. */
  public Path log(String name) {
    return folder.resolve(name + ".log");
  }

  /**
   * Starts a process.
   *
   * @param environment variables beside those of this process
   * @param withPipe whether this process reads its standard output; else that goes to the log
   */
  public Process start(
      String name, List<String> command, Map<String, String> environment, boolean withPipe) {
    try {
      Files.createDirectories(folder);
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .redirectOutput(log(name).toFile())
              .redirectError(log(name).toFile());
      if (withPipe) {
        builder.redirectOutput(ProcessBuilder.Redirect.PIPE);
      }
      builder.environment().putAll(environment);
      synchronized (this) {
        if (isClosed) {
          throw new TarnException("the command is ending");
        }
        Process process = builder.start();
        pidFile(name).remember(process.toHandle());
        open.push(() -> end(name, process));
        return process;
      }
    } catch (IOException e) {
      throw new TarnException("can't start %s: %s".formatted(name, e.getMessage()), e);
    }
  }

  /** Adds something that ends with the others. */
  public synchronized <T extends AutoCloseable> T add(T companion) {
    open.push(companion);
    return companion;
  }

  /** Whether they are being ended. */
  public synchronized boolean isClosed() {
    return isClosed;
  }

  private void end(String name, Process process) throws InterruptedException {
    process.destroy();
    if (!process.waitFor(LONGEST_END_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    pidFile(name).stop();
  }

  @Override
  public void close() {
    Deque<AutoCloseable> all;
    synchronized (this) {
      isClosed = true;
      all = new ArrayDeque<>(open);
      open.clear();
    }
    for (AutoCloseable companion : all) {
      try {
        companion.close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (Exception e) { // as AutoCloseable says; the others are to be ended still
        System.err.println("could not be ended: " + e.getMessage());
      }
    }
  }
}
