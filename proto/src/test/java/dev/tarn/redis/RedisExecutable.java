package dev.tarn.redis;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import redis.embedded.RedisServer;
import redis.embedded.core.ExecutableProvider;
import redis.embedded.core.RedisServerBuilder;

/**
 * The Redis of all tests of this JVM. The package would write its program anew for each server, and
 * run it at once; any other thread that starts a process just then hands the file, open for
 * writing, on to it for a moment, and Linux refuses to run the file ("Text file busy"). Here it is
 * written once, and used from when it has run.
 */
public final class RedisExecutable {

  private static final File FILE = unpack();

  private RedisExecutable() {}

  /** A server of the loopback interface, which keeps what it must in a folder of its own. */
  public static RedisServerBuilder newServer(int port) {
    return newServer(port, FILE);
  }

  /** A server as {@link #newServer(int)}, of another program than the one of the package. */
  public static RedisServerBuilder newServer(int port, File program) {
    try {
      return RedisServer.newRedisServer()
          .executableProvider(() -> program)
          .bind("127.0.0.1")
          .port(port)
          .setting("save \"\"")
          .setting("dir " + newFolder());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static File file() {
    return FILE;
  }

  /**
   * The program {@code redis-server} of this machine, if it is of Redis 7 or later. It has what the
   * one of the package lacks.
   */
  public static Optional<File> ofMachine() {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator, -1))
        .map(folder -> new File(folder, "redis-server"))
        .filter(File::canExecute)
        .filter(program -> version(program).matches("(?s).*v=([7-9]|\\d\\d)\\..*"))
        .findFirst();
  }

  private static String version(File program) {
    try {
      Process process = new ProcessBuilder(program.getPath(), "--version").start();
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static File unpack() {
    try {
      File folder = newFolder().toFile();
      folder.deleteOnExit();
      File executable = ExecutableProvider.newJarResourceProvider(folder).get();
      awaitNobodyWriting(executable);
      return executable;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void awaitNobodyWriting(File executable) throws IOException {
    for (int tries = 1; ; tries++) {
      try {
        var unused = new ProcessBuilder(executable.getPath(), "--version").start();
        return;
      } catch (IOException e) {
        if (tries == 1_000) {
          throw e;
        }
        LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
      }
    }
  }

  private static Path newFolder() throws IOException {
    Path target = Files.createDirectories(Path.of("target").toAbsolutePath());
    return Files.createTempDirectory(target, "redis-");
  }
}
