package dev.tarn.bench.testbed;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.local.LocalProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A server in a process of its own, on a free port: Tarn's, or one to compare it with. */
public final class ServerProcess implements AutoCloseable {

  private static final Pattern READY = Pattern.compile("serving on 127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern METRICS = Pattern.compile("http://[^)]+/metrics");

  private final Process process;
  private final int port;
  private final Optional<URI> metrics;

  private ServerProcess(Process process, int port, Optional<URI> metrics) {
    this.process = process;
    this.port = port;
    this.metrics = metrics;
  }

  /**
   * Starts a small lookup server of Tarn's and waits until it is ready.
   *
   * @param settings as they are typed
   */
  public static ServerProcess small(ServingJar jar, Path folder, List<String> settings)
      throws IOException {
    return start(folder, List.of("-Xmx256m", "-XX:+UseSerialGC"), jar.server(settings));
  }

  /**
   * Starts a server and waits until it says where it is serving. Ends a server of the same folder
   * that an earlier run has left over, as when it was killed.
   *
   * @param folder has the log, and the process id until it ends
   * @param words what java runs
   */
  public static ServerProcess start(Path folder, List<String> jvmOptions, List<String> words)
      throws IOException {
    endLeftOver(folder);
    Process process =
        new ProcessBuilder(Jvm.command(jvmOptions, words))
            .directory(Files.createDirectories(folder).toFile())
            .redirectErrorStream(true)
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
    new LocalProcess(folder.resolve("serving.pid")).remember(process.toHandle());
    StringBuilder said = new StringBuilder();
    BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      said.append(line).append('\n');
      Matcher ready = READY.matcher(line);
      if (ready.find()) {
        Thread rest = new Thread(() -> lines.lines().forEach(more -> {}), "server-output");
        rest.setDaemon(true);
        rest.start();
        Matcher metrics = METRICS.matcher(line);
        return new ServerProcess(
            process,
            Integer.parseInt(ready.group(1)),
            metrics.find() ? Optional.of(URI.create(metrics.group())) : Optional.empty());
      }
    }
    throw new TarnException("the server did not start: " + said);
  }

  /** Ends a server that an earlier run could not end. */
  public static void endLeftOver(Path folder) {
    new LocalProcess(folder.resolve("serving.pid")).stop();
  }

  public int port() {
    return port;
  }

  public long pid() {
    return process.pid();
  }

  /** The address of its metrics, if it has any. */
  public Optional<URI> metrics() {
    return metrics;
  }

  @Override
  public void close() {
    process.destroy();
  }
}
