package dev.tarn.etl.local;

import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A process that outlives the command that started it. Its process id is in a file, with its start
 * time, since the system may give the id to another process later.
 */
public final class LocalProcess {

  private final Path pidFile;

  public LocalProcess(Path pidFile) {
    this.pidFile = pidFile;
  }

  /** Writes down a process that has been started. */
  public void remember(ProcessHandle process) {
    try {
      Files.createDirectories(pidFile.toAbsolutePath().getParent());
      Files.writeString(pidFile, process.pid() + " " + startOf(process));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The process, if it is alive. */
  public Optional<ProcessHandle> find() {
    try {
      String[] words = Files.readString(pidFile).strip().split(" ", 2);
      return ProcessHandle.of(Long.parseLong(words[0]))
          .filter(ProcessHandle::isAlive)
          .filter(process -> words.length == 2 && startOf(process).equals(words[1]));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  /**
   * Asks the process to end and waits for it.
   *
   * @return whether there was one
   * @throws TarnException if it does not end within 30 seconds
   */
  public boolean stop() {
    Optional<ProcessHandle> process = find();
    process.ifPresent(
        running -> {
          running.destroy();
          try {
            running.onExit().get(30, TimeUnit.SECONDS);
          } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new TarnException(
                "process %d did not end within 30 s; see %s".formatted(running.pid(), pidFile), e);
          }
        });
    try {
      Files.deleteIfExists(pidFile);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return process.isPresent();
  }

  private static String startOf(ProcessHandle process) {
    return process.info().startInstant().map(Object::toString).orElse("?");
  }
}
