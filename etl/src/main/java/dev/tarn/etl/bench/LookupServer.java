package dev.tarn.etl.bench;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.local.LocalProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The lookup server in a process of its own, on a free port. */
final class LookupServer implements AutoCloseable {

  private static final Pattern READY = Pattern.compile("serving on 127\\.0\\.0\\.1:(\\d+)");

  private final Process process;
  private final int port;

  private LookupServer(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /**
   * Starts one and waits until it is ready.
   *
   * @param settings as they are typed
   */
  static LookupServer start(Path jar, Path folder, List<String> settings) throws IOException {
    List<String> command = new java.util.ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx256m", "-XX:+UseSerialGC", "-jar", jar.toString(), "serve"));
    command.add("serving.http-port=-1");
    command.addAll(settings);
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
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
        return new LookupServer(process, Integer.parseInt(ready.group(1)));
      }
    }
    throw new TarnException("the lookup server did not start: " + said);
  }

  /** Ends one that an earlier run could not end. */
  static void endLeftOver(Path folder) {
    new LocalProcess(folder.resolve("serving.pid")).stop();
  }

  int port() {
    return port;
  }

  @Override
  public void close() {
    process.destroy();
  }
}
