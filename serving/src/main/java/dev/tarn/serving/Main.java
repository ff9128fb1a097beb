package dev.tarn.serving;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.redis.RedisSettings;
import dev.tarn.serving.client.Get;
import dev.tarn.serving.ops.Logs;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.LoggerFactory;

/** Runs the serving jar's commands: {@code serve} and {@code get}. */
public final class Main {

  private static final PrintStream OUT = utf8(FileDescriptor.out);
  private static final PrintStream ERR = utf8(FileDescriptor.err);

  private Main() {}

  /**
   * Exits with 0 for success, 1 for failure and 2 for bad use; a server that is stopped succeeds.
   */
  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    Optional<Path> log = Optional.empty();
    try {
      Optional<CommandLine> line = CommandLine.parse(args);
      if (line.isEmpty()) {
        return 0;
      }
      Settings settings = Settings.load(line.get());
      log = Optional.of(Logs.open(settings.state(), line.get().command().word()));
      switch (line.get().command()) {
        case SERVE -> serve(settings);
        case GET ->
            Get.run(line.get(), settings.read(ServingSettings::of).rpc().port(), OUT::println);
        default ->
            throw new UsageException(
                "'%s' belongs to the etl jar, this is the serving jar: run it as ./tarn %1$s"
                    .formatted(line.get().command().word()));
      }
      return 0;
    } catch (TarnException e) {
      ERR.println("tarn: " + e.getMessage());
      return e.exitStatus();
    } catch (InterruptedException | RuntimeException e) {
      LoggerFactory.getLogger(Main.class).error("unexpected failure", e);
      ERR.println(
          "tarn: failed: %s%s".formatted(e, log.map(file -> "; more is in " + file).orElse("")));
      return 1;
    }
  }

  private static void serve(Settings settings) throws InterruptedException {
    ServingSettings serving = settings.read(ServingSettings::of);
    RedisSettings redis = settings.read(RedisSettings::of);
    LookupServer server = LookupServer.start(serving, redis);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server), "stop"));
    server.trouble().ifPresent(trouble -> ERR.println("tarn: no lookups yet: " + trouble));
    server.warnings().forEach(warning -> ERR.println("tarn: warning: " + warning));
    OUT.printf(
        "tarn: serving on %s:%d (Redis %s%s)%n",
        serving.rpc().host(),
        server.port(),
        redis.address(),
        server
            .httpPort()
            .map(port -> ", metrics http://%s:%d/metrics".formatted(serving.rpc().host(), port))
            .orElse(""));
    server.awaitTermination();
  }

  /** Stops the server and halts with 0; after a signal the JVM would exit with 143 or 130. */
  private static void stop(LookupServer server) {
    try {
      server.stop();
      Runtime.getRuntime().halt(0);
    } catch (InterruptedException | RuntimeException e) {
      LoggerFactory.getLogger(Main.class).error("the server did not stop cleanly", e);
      Runtime.getRuntime().halt(1);
    }
  }

  /** Opens a stream in UTF-8, whatever the terminal's encoding, because programs read it. */
  private static PrintStream utf8(FileDescriptor stream) {
    return new PrintStream(new FileOutputStream(stream), true, StandardCharsets.UTF_8);
  }
}
