package dev.tarn.redis;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
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
    try {
      return RedisServer.newRedisServer()
          .executableProvider(RedisExecutable::file)
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
