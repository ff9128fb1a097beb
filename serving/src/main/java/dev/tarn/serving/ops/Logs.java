package dev.tarn.serving.ops;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** Sends the log to a file, because the terminal is for Tarn's own lines. */
public final class Logs {

  private Logs() {}

  /**
   * Sends the log to {@code logs/COMMAND.log} below the state folder, or to {@code
   * tarn-COMMAND.log} in the temporary folder if nothing can be written there. Call this before
   * anything asks for a logger.
   *
   * @return the file, which exists after the first line
   */
  public static Path open(Path state, String command) {
    Path file = file(state.resolve("logs"), command);
    System.setProperty("tarn.log", file.toString());
    System.setProperty("tarn.access.log", file(state.resolve("logs"), "access").toString());
    // grpc-java logs through java.util.logging, which writes to the terminal by default.
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
    return file;
  }

  private static Path file(Path folder, String command) {
    try {
      if (Files.isWritable(Files.createDirectories(folder))) {
        return folder.resolve(command + ".log");
      }
    } catch (IOException e) {
      // A server without a state folder, such as in a read-only container, works all the same.
    }
    return Path.of(System.getProperty("java.io.tmpdir"), "tarn-" + command + ".log");
  }
}
